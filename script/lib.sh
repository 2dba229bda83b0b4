# shellcheck shell=bash
# What script/run, script/test and .ci/run share: installing what is missing, and building.
# Sourced with `root` set to the top of the source tree. Messages go to stderr.

say() { printf 'lucio: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# Runs a command quietly; shows what it printed only when it fails.
quietly() {
  local what=$1 log status=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    say "$what failed (exit status $status)"
  fi
  rm -f "$log"
  return "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }
have_header() { printf '#include <%s>\n' "$1" | gcc -x c -E - >/dev/null 2>&1; }
have_pkg() { have pkg-config && pkg-config --exists "$1"; }

# The formatter's output depends on its version, so one version is used everywhere.
clang_format() {
  if have clang-format-14; then
    echo clang-format-14
  elif have clang-format && clang-format --version | grep -q 'version 14\.'; then
    echo clang-format
  else
    return 1
  fi
}

# Prints the Debian packages that dpkg-buildpackage wants and does not find.
missing_for_packages() {
  local name
  for name in build-essential $(sed -n '/^Build-Depends:/,/^$/s/^ \([a-z0-9.-]*\).*,$/\1/p' \
    "$root/script/debian/control"); do
    [ "$name" != debhelper-compat ] || name=debhelper
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# Prints the Debian packages that are missing: for the build, and for the tests too with `test`;
# for the packages of lucio with `package`, and for trying these out with `package-check`.
missing_packages() {
  case ${1:-} in
  package | package-check)
    missing_for_packages
    [ "$1" = package ] || have lintian || echo lintian
    return
    ;;
  esac
  have gcc && have_header stdio.h || echo build-essential
  have meson || echo meson
  have ninja || echo ninja-build
  have pkg-config || echo pkg-config
  have lua5.4 || echo lua5.4
  have_pkg lua5.4 && have_header lua5.4/lua.h || echo liblua5.4-dev
  have_header ev.h || echo libev-dev
  have_pkg libedit || echo libedit-dev
  have_pkg openssl || echo libssl-dev
  [ "${1:-}" = test ] || return 0
  busted_script >/dev/null || echo lua-busted
  have luacheck || echo lua-check
  clang_format >/dev/null || echo clang-format-14
  have_pkg cmocka || echo libcmocka-dev
  have_pkg glib-2.0 || echo libglib2.0-dev
  have_pkg libuv || echo libuv1-dev
  have openssl || echo openssl
  have mandoc || echo mandoc
  have valgrind || echo valgrind
  have unshare && have setpriv || echo util-linux
  have ip || echo iproute2
}

# The path of Busted's script, which has to be Lua and not a shell wrapper round it.
busted_script() {
  local path
  for path in "$(command -v busted || true)" /usr/bin/busted; do
    if [ -f "$path" ] && grep -q 'busted\.runner' "$path" && head -n 1 "$path" | grep -q lua; then
      echo "$path"
      return 0
    fi
  done
  return 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 "$@"
}

# Installs what is missing; does nothing, and needs no network, when nothing is.
install_packages() {
  local packages
  mapfile -t packages < <(missing_packages "$@")
  [ "${#packages[@]}" -gt 0 ] || return 0
  have apt-get || die "these Debian packages are needed, and there is no apt-get: ${packages[*]}"
  if [ "$(id -u)" -ne 0 ] && ! have sudo; then
    die "these packages are needed, install them as root: ${packages[*]}"
  fi
  say "installing ${packages[*]}"
  quietly "apt-get update" apt_get update || die "cannot install: ${packages[*]}"
  quietly "apt-get install" apt_get install --no-install-recommends "${packages[@]}" \
    || die "cannot install: ${packages[*]}"
  mapfile -t packages < <(missing_packages "$@")
  [ "${#packages[@]}" -eq 0 ] || die "still missing after the installation: ${packages[*]}"
}

# build_project DIR [MESON OPTION...]: configures with the options, then brings the build up to date.
# Configures again when packages have come or gone since: meson itself would not look for them.
# One build at a time for each directory.
build_project() {
  local dir=$1 status=0 packages
  shift
  packages=$(pkg-config --list-package-names | sort | cksum)
  exec 9>"$dir.lock"
  flock 9
  if [ ! -f "$dir/build.ninja" ]; then
    quietly "meson setup" meson setup "$dir" "$root" "$@" 9>&- || status=$?
  elif [ "$packages" != "$(cat "$dir/package-names" 2>/dev/null)" ]; then
    quietly "meson setup" meson configure "$dir" --clearcache 9>&- || status=$?
    quietly "meson setup" meson setup --reconfigure "$dir" "$root" 9>&- || status=$?
  fi
  if [ "$status" -eq 0 ]; then
    echo "$packages" >"$dir/package-names"
    quietly "the build" ninja -C "$dir" 9>&- || status=$?
  fi
  exec 9>&-
  return "$status"
}
