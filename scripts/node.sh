#!/bin/sh
# Runs a script of the project on its own Node, with its packages installed: sh scripts/node.sh FILE [ARGUMENTS …]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/packages.sh"
have_packages "$root"
node=$(find_node "$root")
PATH=$root/node_modules/.bin:$PATH
export PATH
cd "$root"
exec "$node" "$@"
