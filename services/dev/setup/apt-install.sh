#!/bin/sh
# Installs Debian packages as root without starting the services that they bring. Arguments: package names.
# No main Postgres cluster is made, no question is asked, and a service of a package installed here stays disabled.
set -eu
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 NEEDRESTART_SUSPEND=1

policy=/usr/sbin/policy-rc.d
mark='# written by the threadbound set-up, removed when it ends'
if [ -e "$policy" ] && grep -qxF "$mark" "$policy"; then rm -f "$policy"; fi # left by a killed set-up
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

case " $* " in *" postgresql "*)
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf ;;
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
  case $package in redis-server) systemctl disable redis-server.service >/dev/null 2>&1 || true ;; esac
done
