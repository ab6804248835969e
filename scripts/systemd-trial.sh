#!/bin/sh
# Tries the units of the Debian package under a systemd of their own, in a container of systemd-nspawn: a group is started and is ready
# when it serves, its launcher is stopped (SIGSTOP) and ended by the watchdog, it serves again, it is stopped; then its members as
# services. Not a part of `npm test`: it needs root, mmdebstrap and systemd-container, and takes four minutes.
#
#   npm run deb && sh scripts/systemd-trial.sh
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
deb=$(ls "$root"/dist/evenkeel_*.deb | head -1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
base=${1:-}
if [ -z "$base" ]; then
  base=$folder/base.tar
  mmdebstrap --quiet --variant=essential --include=passwd,libstdc++6,systemd,systemd-sysv,dbus "${EVENKEEL_SUITE:-bookworm}" "$base"
fi
empty=$folder/root
mkdir "$empty"
tar xf "$base" -C "$empty" --exclude './dev/*'
cp "$deb" "$empty/evenkeel.deb"
chroot "$empty" dpkg -i /evenkeel.deb >/dev/null 2>&1

cat >"$empty/trial.sh" <<'TRIAL'
set -u
say() { printf '\n== %s, at %s\n' "$1" "$(date +%T)"; }
wait_for() {
  for _ in $(seq 120); do
    [ "$(systemctl show evenkeel -p "$1" --value)" = "$2" ] && return
    sleep 1
  done
  echo "FAILED: $1 is not $2"
}
say 'a group is started'
systemctl start evenkeel || echo FAILED
systemctl show evenkeel -p ActiveState -p StatusText
evenkeel status || echo FAILED
say 'its launcher is stopped: the watchdog ends it, and it is started again'
kill -STOP "$(systemctl show evenkeel -p MainPID --value)"
wait_for NRestarts 1
journalctl -u evenkeel --no-pager -o cat | grep -i watchdog
wait_for ActiveState active
evenkeel status || echo FAILED
say 'it is stopped'
systemctl stop evenkeel
systemctl show evenkeel -p ActiveState -p Result
say 'its members are started, each as a service'
for n in 1 2 3; do
  cat >"/etc/evenkeel/m$n.yaml" <<MEMBER
memberId: m$n
dataFolder: /var/lib/evenkeel/m$n
coordinationFile: /var/lib/evenkeel/coordination.sqlite
founders: [m1, m2, m3]
portal: { port: 326$n }
api: { port: $((3270 + n)) }
MEMBER
done
systemctl start evenkeel@m1 evenkeel@m2 evenkeel@m3 || echo FAILED
systemctl show 'evenkeel@*' -p Id -p ActiveState -p StatusText
evenkeel --api http://127.0.0.1:3271 status || echo FAILED
say 'and stopped'
systemctl stop 'evenkeel@*'
systemctl list-units --all --failed --plain --no-legend 'evenkeel*'
TRIAL
cat >"$empty/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /trial.sh
StandardOutput=file:/trial.out
StandardError=file:/trial.out
ExecStopPost=/bin/systemctl --no-block exit
UNIT
ln -s /etc/systemd/system/trial.service "$empty/etc/systemd/system/multi-user.target.wants/trial.service" 2>/dev/null ||
  { mkdir -p "$empty/etc/systemd/system/multi-user.target.wants" && ln -s ../trial.service "$empty/etc/systemd/system/multi-user.target.wants/trial.service"; }
timeout 500 systemd-nspawn --quiet -D "$empty" --register=no --keep-unit --private-network -b >"$folder/boot.log" 2>&1 || true
cat "$empty/trial.out"
! grep -q FAILED "$empty/trial.out" && grep -q 'and stopped' "$empty/trial.out"
