# Sourced by bin/evenkeel, scripts/test.sh and scripts/check.sh: the project's packages, and its own Node 24. Needs only a
# POSIX shell, npm, and whatever Node npm itself runs on.

# The packages are as package-lock.json has them if npm wrote its record of them after it.
packages_are_fresh() {
  record=$1/node_modules/.package-lock.json
  [ -f "$record" ] || return 1
  [ ! "$1/package-lock.json" -nt "$record" ] || [ ! "$1/package-lock.json" -nt "$1/node_modules/.evenkeel-installed" ]
}

# Installs once; a second process that comes meanwhile waits for the first.
have_packages() {
  packages_are_fresh "$1" && return 0
  lock=$1/node_modules/.evenkeel-installing
  mkdir -p "$1/node_modules"
  until mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null || echo "$$")
    if ! kill -0 "$holder" 2>/dev/null; then
      rm -rf "$lock"
      continue
    fi
    sleep 1
  done
  npm_pid=
  trap 'rm -rf "$lock"' EXIT
  trap 'rm -rf "$lock"; [ -z "$npm_pid" ] || kill "$npm_pid"; trap - EXIT; exit 143' INT TERM
  echo $$ >"$lock/pid"
  if ! packages_are_fresh "$1"; then
    command -v npm >/dev/null || {
      echo 'evenkeel: npm is needed to install the packages: install Node.js 20 or newer, with npm.' >&2
      exit 1
    }
    echo 'evenkeel: installing the packages (npm install), once' >&2
    # In the background, so that a signal is not kept waiting until npm ends. `npm install`, not `npm ci`: the lock file
    # may lack optional packages of platforms that the registry at hand does not have.
    (cd "$1" && exec npm install --no-audit --no-fund --loglevel=error) >&2 &
    npm_pid=$!
    wait "$npm_pid" || {
      echo "evenkeel: npm install failed in $1; run it there to see why." >&2
      exit 1
    }
    : >"$1/node_modules/.evenkeel-installed"
  fi
  rm -rf "$lock"
  trap - EXIT INT TERM
}

# Prints the path of a Node that is new enough: the project's own, one that npm installed beside it, else the one on the PATH. What was found to run is
# remembered as long as the packages stay as they are, since asking it costs as much as a whole short command.
find_node() {
  known=$1/node_modules/.evenkeel-node
  if [ "$known" -nt "$1/node_modules/.package-lock.json" ]; then
    read -r candidate <"$known" && [ -x "$candidate" ] && [ ! "$candidate" -nt "$known" ] && echo "$candidate" && return 0
  fi
  for candidate in "$1/node_modules/.bin/node" "$1/../.bin/node" "$(command -v node || true)"; do
    [ -x "$candidate" ] || continue
    major=$("$candidate" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    if [ "$major" -ge 24 ]; then
      # A checkout may belong to somebody else: then it is asked each time.
      (echo "$candidate" >"$known") 2>/dev/null || true
      echo "$candidate"
      return 0
    fi
  done
  echo 'evenkeel: Node.js 24 is needed, and none was found that runs here: install Node.js 24 or newer.' >&2
  return 1
}
