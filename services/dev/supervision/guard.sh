# Outlives a supervisor that was killed, and ends what it left. Reads "+ GROUP SIGNAL", "- GROUP" and "dir PATH" lines.
# At the end of its input it gives the groups a while to end by themselves (services see their own pipe close),
# then sends each its signal, then kills it, and removes the directories.
patience=$1; shift
groups=
while read -r verb one two; do
  case $verb in
    +) groups="$groups $one:$two" ;;
    -) left=; for g in $groups; do [ "${g%%:*}" = "$one" ] || left="$left $g"; done; groups=$left ;;
    dir) set -- "$@" "$one" ;;
    bye) exit 0 ;;
  esac
done
living() {
  left=; for g in $groups; do kill -s 0 -- "-${g%%:*}" 2>/dev/null && left="$left $g"; done; groups=$left
  [ -n "$groups" ]
}
while [ "$patience" -gt 0 ] && living; do
  # Only those that end by a signal are left: nothing to wait for any more.
  waiting=; for g in $groups; do case $g in *:SELF) waiting=1 ;; esac; done
  [ -n "$waiting" ] || break
  sleep 0.1; patience=$((patience - 1))
done
for g in $groups; do s=${g##*:}; [ "$s" = SELF ] && s=SIGKILL; kill -s "${s#SIG}" -- "-${g%%:*}" 2>/dev/null; done
patience=20
while [ "$patience" -gt 0 ] && living; do sleep 0.1; patience=$((patience - 1)); done
for g in $groups; do kill -s KILL -- "-${g%%:*}" 2>/dev/null; done
[ $# -eq 0 ] || rm -rf "$@"
