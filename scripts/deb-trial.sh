#!/bin/sh
# Tries the Debian package in an empty root: installed, started as its unit starts it, upgraded with the volumes kept, removed,
# purged. Not a part of `npm test`: it needs root, mmdebstrap (which makes that root with apt), qemu-utils and qemu-block-extra.
#
#   npm run deb && sh scripts/deb-trial.sh
#
# All of it runs in name spaces of its own, without a network: the default ports are free there, and what it starts ends with it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
deb=$(ls "$root"/dist/evenkeel_*.deb | head -1)
if [ "${EVENKEEL_TRIAL:-}" = '' ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  base=${1:-}
  if [ -z "$base" ]; then
    base=$folder/base.tar
    mmdebstrap --quiet --variant=essential --include=passwd,libstdc++6 "${EVENKEEL_SUITE:-bookworm}" "$base"
  fi
  mkdir "$folder/root"
  tar xf "$base" -C "$folder/root" --exclude './dev/*'
  EVENKEEL_TRIAL=$folder unshare --net --mount-proc --pid --fork --kill-child sh "$0"
  exit
fi

empty=$EVENKEEL_TRIAL/root
say() { printf '\n== %s\n' "$*"; }
must() { "$@" || { echo "FAILED: $*" >&2; exit 1; }; }
must_not() { ! "$@" || { echo "FAILED, this holds: $*" >&2; exit 1; }; }
inside() { chroot "$empty" "$@"; }
# As the unit's User= has it.
member() { inside setpriv --reuid evenkeel --regid evenkeel --init-groups "$@"; }

ip link set lo up
mount -t proc proc "$empty/proc"
mount --rbind /dev "$empty/dev"
target=iscsi://127.0.0.1:3260/iqn.2026-11.dev.evenkeel:group-1/0

# The unit's own words, with what systemd puts into them.
start() {
  command=$(sed -n 's/^ExecStart=//p' "$empty/usr/lib/systemd/system/evenkeel.service" | sed 's/ \$EVENKEEL_OPTIONS//')
  : >"$EVENKEEL_TRIAL/said"
  (member env HOME=/var/lib/evenkeel NODE_COMPILE_CACHE=/var/cache/evenkeel $command >"$EVENKEEL_TRIAL/said" 2>&1) &
  started=$!
  tries=0
  until grep -q '^Ctrl-C' "$EVENKEEL_TRIAL/said"; do
    tries=$((tries + 1))
    if [ $tries -gt 120 ]; then
      cat "$EVENKEEL_TRIAL/said"
      exit 1
    fi
    sleep 0.5
  done
}
stop() {
  # Nobody else's: the processes here are ours alone.
  kill "$(pgrep -f 'main.js up' | head -1)"
  wait "$started" || true
  tail -1 "$EVENKEEL_TRIAL/said"
}

say "installs $(basename "$deb")"
cp "$deb" "$empty/old.deb"
inside dpkg -i /old.deb 2>&1
inside dpkg-query -W -f '${Package} ${Version} ${Status}, ${Installed-Size} KiB\n' evenkeel
echo "on the disk: $(du -sm --apparent-size "$empty/usr/lib/evenkeel" | cut -f1) MiB"
inside /usr/lib/evenkeel/node_modules/.bin/node --version
inside evenkeel --version
must inside sh -c '[ "$(stat -c "%U %a" /var/lib/evenkeel)" = "evenkeel 700" ]'

say 'starts, and a volume is written'
start
inside evenkeel status
qemu-io -f raw -c 'write -P 7 0 4M' "$target"
inside evenkeel volume create kept --size 64M
inside dpkg --verify evenkeel && echo 'no file of the package was changed'

say 'is upgraded while it runs'
dpkg-deb -R "$deb" "$EVENKEEL_TRIAL/new"
sed -i 's/^Version: .*/Version: 0.1.0+trial/' "$EVENKEEL_TRIAL/new/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$EVENKEEL_TRIAL/new" "$empty/new.deb" >/dev/null
inside dpkg -i /new.deb 2>&1
stop
start
inside dpkg-query -W -f '${Package} ${Version}\n' evenkeel
qemu-io -f raw -c 'read -P 7 0 4M' "$target"
must inside evenkeel volume show kept -o name
stop

say 'is removed: volumes, configuration and user stay'
echo 'memberId: m1' >"$empty/etc/evenkeel/m1.yaml"
inside dpkg -r evenkeel 2>&1
must_not test -e "$empty/usr/lib/evenkeel"
must_not test -e "$empty/var/cache/evenkeel"
must test -e "$empty/var/lib/evenkeel/coordination.sqlite"
must test -e "$empty/etc/evenkeel/m1.yaml"
echo 'left: '"$(cd "$empty" && find var/lib/evenkeel etc/evenkeel -maxdepth 1 | sort | tr '\n' ' ')"

say 'is installed again: the volume is there'
inside dpkg -i /new.deb >/dev/null 2>&1
start
qemu-io -f raw -c 'read -P 7 0 4M' "$target"
stop

say 'is purged: the configuration is gone, the volumes are not'
inside dpkg -P evenkeel 2>&1
must_not test -e "$empty/etc/evenkeel"
must test -e "$empty/var/lib/evenkeel/coordination.sqlite"
say 'all of it held'
