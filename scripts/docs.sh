#!/bin/sh
# Builds the guides into dist/docs: npm run docs:build. Their packages are installed the first time, into docs/node_modules: nothing else
# needs them (docs/decisions/0014).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/packages.sh"
have_packages "$root"
node=$(find_node "$root")
[ -d "$root/docs/node_modules/vitepress" ] || (cd "$root/docs" && npm install --no-audit --no-fund --loglevel=error)
cd "$root/docs"
exec "$node" node_modules/vitepress/bin/vitepress.js "${1:-build}" .
