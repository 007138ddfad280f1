#!/bin/sh
# Installs Debian packages as root without starting the services that they bring. Arguments: package names.
# No main Postgres cluster is made, no question is asked, and a service of a package installed here stays disabled.
set -eu
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 NEEDRESTART_SUSPEND=1

policy=/usr/sbin/policy-rc.d
mark='# written by the threadbound set-up, removed when it ends'
clusters=/etc/postgresql-common/createcluster.conf
clusters_before=$clusters.before-threadbound

# Also what a killed set-up has left.
put_back() {
  if [ -e "$policy" ] && grep -qxF "$mark" "$policy"; then rm -f "$policy"; fi
  if [ -e "$clusters_before" ]; then mv -f "$clusters_before" "$clusters"
  elif [ -e "$clusters" ] && grep -qxF "$mark" "$clusters"; then
    rm -f "$clusters"
    # The package's own file, which it laid beside ours.
    if [ -e "$clusters.ucf-dist" ]; then mv -f "$clusters.ucf-dist" "$clusters"; fi
  fi
}
put_back
trap put_back EXIT
trap 'exit 130' INT TERM HUP

if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

case " $* " in *" postgresql "*)
  mkdir -p "${clusters%/*}"
  if [ -e "$clusters" ]; then cp -p "$clusters" "$clusters_before"; fi
  printf '%s\ncreate_main_cluster = false\n' "$mark" >>"$clusters" ;;
esac

# DPkg::Lock::Timeout covers the dpkg lock only; those of the lists and the archives need a loop of our own.
patiently() {
  tries=0
  until output=$("$@" 2>&1); do
    tries=$((tries + 1))
    case $output in *[Cc]"ould not get lock"* | *"nable to lock"* | *"nable to acquire"*) ;; *) tries=99 ;; esac
    if [ $tries -ge 40 ]; then printf '%s\n' "$output" >&2; return 1; fi
    [ $tries -gt 1 ] || echo 'setup: waiting for another apt or dpkg to end' >&2
    sleep 3
  done
}

patiently apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update || true # a stale list may do
patiently apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
  install --no-install-recommends "$@"

for package in "$@"; do
  case $package in redis-server)
    systemctl disable redis-server.service >/dev/null 2>&1 || update-rc.d redis-server disable >/dev/null 2>&1 || true ;; esac
done
