#!/bin/sh
# /usr/bin/evenkeel of the Debian package. What Node.js makes of the sources is kept by whoever runs it, for the next start.
set -eu
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/evenkeel}"
if [ "$(id -u)" = 0 ]; then
  # For root the group is the service's.
  export EVENKEEL_DATA="${EVENKEEL_DATA:-/var/lib/evenkeel}"
  # What these write there must belong to the service.
  case "${1:-}" in
    up | serve | recover)
      if [ "$EVENKEEL_DATA" = /var/lib/evenkeel ]; then
        export NODE_COMPILE_CACHE=/var/cache/evenkeel
        cd /
        exec setpriv --reuid evenkeel --regid evenkeel --init-groups /usr/lib/evenkeel/bin/evenkeel "$@"
      fi
      ;;
  esac
fi
exec /usr/lib/evenkeel/bin/evenkeel "$@"
