# Sourced by scripts/test.sh: the real initiators, and the browser, that the tests use. Installs what is missing with apt where it may, and
# says so; else names the command and fails.

debian_packages='libiscsi-bin qemu-utils qemu-block-extra fio chromium'

missing_packages() {
  for package in $debian_packages; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

have_system_packages() {
  if ! command -v dpkg-query >/dev/null; then
    for command in iscsi-ls qemu-img qemu-io qemu-nbd fio chromium; do
      command -v "$command" >/dev/null || {
        echo "The tests need $command: install what your system has for Debian's $debian_packages." >&2
        return 1
      }
    done
    return 0
  fi
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ]; then
    as_root=''
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
  else
    echo "The tests need these packages: sudo apt-get update && sudo apt-get install -y $missing" >&2
    return 1
  fi
  echo "Installing with apt for the tests: $missing" >&2
  $as_root apt-get update -qq >&2 &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
  missing=$(missing_packages | tr '\n' ' ')
  [ -z "$missing" ] || {
    echo "apt did not install $missing; install them by hand: sudo apt-get install -y $missing" >&2
    return 1
  }
}
