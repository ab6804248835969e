#!/bin/sh
# The quick checks, before every commit: style, types, dead code and the tests beside the code.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. scripts/packages.sh
have_packages "$root"
node=$(find_node "$root")
PATH=$root/node_modules/.bin:$PATH
export PATH
exec "$node" scripts/test.ts src test/architecture.test.ts
