#!/bin/sh
# Everything that must hold, from a fresh clone: sets up what it needs, runs every check and every test, and ends with one
# line `N passed, N failed`.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. scripts/packages.sh
. scripts/system-packages.sh

give_up() {
  echo '0 passed, 1 failed'
  exit 1
}

have_system_packages || give_up
(have_packages "$root") || give_up
node=$(find_node "$root") || give_up
PATH=$root/node_modules/.bin:$PATH
export PATH
exec "$node" scripts/test.ts "$@"
