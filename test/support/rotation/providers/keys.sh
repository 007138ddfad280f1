#!/bin/sh
# A service that makes one key, and refuses none.
read -r asked
case "$asked" in
  *'"call":"create"'*) echo '{"id":"key-1","value":"made-by-a-command-0123456789"}' ;;
  *'"call":"find-orphans"'*) echo '{"keys":[]}' ;;
  *) echo '{}' ;;
esac
