# shellcheck shell=bash
# Functions that the scripts share. This file is sourced, never run, and must load in macOS's bash 3.2.
set -euo pipefail

# shellcheck disable=SC2034 # the sourcing scripts use it
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command and prints the end of its output only if it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 || status=$?
  [[ $status -eq 0 ]] || tail -n 20 "$log" >&2
  rm -f "$log"
  return "$status"
}

# step NAME COMMAND...: runs a command and prints how long it took.
step() {
  local name=$1 start=$SECONDS status=0
  shift
  printf '==> %s\n' "$name" >&2
  "$@" || status=$?
  if [[ $status -eq 0 ]]; then
    printf '<== %s: %d s\n' "$name" $((SECONDS - start)) >&2
  else
    printf '<== %s: failed with status %d after %d s\n' "$name" "$status" $((SECONDS - start)) >&2
  fi
  return "$status"
}

is_debian() { have apt-get && have dpkg-query; }

# need_apt WHAT HINT: ends the script unless it can install WHAT. HINT tells the user how to install it.
need_apt() {
  is_debian || die "$1 is missing, and this is not a Debian system: $2"
  [[ $EUID -eq 0 ]] || die "$1 is missing, and only root can install it: $2"
}

apt_install() {
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends
    -o DPkg::Lock::Timeout=300 "$@")
  quietly "${install[@]}" 2>/dev/null && return
  # The package lists may be missing or older than the mirror.
  quietly apt-get update -q || die 'apt-get update failed'
  quietly "${install[@]}" || die "apt-get could not install $*"
}

# Installs packages. The file policy-rc.d keeps Debian from starting their services.
install_without_starting() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [[ -e $policy ]]; then
    apt_install "$@"
    return
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  (apt_install "$@") || status=$?
  rm -f "$policy"
  return "$status"
}

known_packages() { apt-cache show --no-all-versions "$@" 2>/dev/null | sed -n 's/^Package: //p' || true; }

# Prints which of the given packages this system's archive has.
available_packages() {
  [[ -n $(known_packages "$@") ]] || quietly apt-get update -q || die 'apt-get update failed'
  known_packages "$@"
}

# rustup's cargo looks for its toolchains in the current user's home directory, which may not
# be the one that it was installed in.
need_cargo() {
  have cargo || PATH=$PATH:${HOME-}/.cargo/bin
  have cargo || die 'cargo is missing: install Rust, https://rustup.rs shows how'
  cargo --version >/dev/null 2>&1 && return
  local beside
  beside=$(dirname "$(command -v cargo)")/../../.rustup
  [[ ! -d $beside ]] || RUSTUP_HOME=$(cd "$beside" && pwd)
  export RUSTUP_HOME
  cargo --version >/dev/null || die 'cargo does not run'
}

# Builds the tests and all programs that they run. With any other command, cargo would build most of it again with other
# features. A script that has built them sets PG_EPHEMERAL_TESTS_ARE_BUILT for the scripts that it calls, because cargo
# allows only one build at a time in a folder, and they would wait for each other.
build_tests() { [[ -n ${PG_EPHEMERAL_TESTS_ARE_BUILT-} ]] || cargo test --workspace --no-run --quiet; }

need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  say 'installing cargo-nextest (this takes some minutes)'
  quietly cargo install --locked cargo-nextest || die 'cargo-nextest could not be installed'
  # cargo finds its subcommands on PATH and in its own home only.
  PATH=$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin
}

need_tmux() {
  have tmux && return
  need_apt tmux 'install the package tmux'
  say 'installing tmux'
  apt_install tmux
}

# Prints the shells to test completion with: bash, and also zsh and fish if they are installed or can be installed.
shells_to_test() {
  local shell shells=bash missing=()
  for shell in zsh fish; do have "$shell" || missing+=("$shell"); done
  if [[ ${#missing[@]} -gt 0 ]] && is_debian && [[ $EUID -eq 0 ]]; then
    say "installing ${missing[*]}"
    # If the archive is not reachable, the missing shells are skipped with the warning below.
    (apt_install "${missing[@]}") || true
  fi
  for shell in zsh fish; do
    if have "$shell"; then shells+=" $shell"; else say "warning: without $shell its completion is not tested"; fi
  done
  printf '%s\n' "$shells"
}

postgres_directories() {
  local server
  for server in "${PG_EPHEMERAL_BIN_DIR-}"/postgres /usr/lib/postgresql/*/bin/postgres \
    /opt/homebrew/opt/postgresql*/bin/postgres /usr/local/opt/postgresql*/bin/postgres \
    /Applications/Postgres.app/Contents/Versions/latest/bin/postgres; do
    [[ ! -x $server ]] || dirname "$server"
  done
}

# Installs PostgreSQL without the cluster that Debian's package would create and start.
install_postgres_without_cluster() {
  local config=/etc/postgresql-common/createcluster.conf saved status=0
  apt_install postgresql-common
  saved=$(mktemp)
  cp -p "$config" "$saved"
  printf '\ncreate_main_cluster = false\n' >>"$config"
  (apt_install postgresql) || status=$?
  cp -p "$saved" "$config"
  rm -f "$saved"
  return "$status"
}

# Makes sure that PostgreSQL's server programs are installed and that psql is on PATH.
need_postgres() {
  local directories
  directories=$(postgres_directories)
  if ! have postgres && [[ -z $directories ]]; then
    need_apt 'PostgreSQL' 'install the PostgreSQL server (apt-get install postgresql, brew install postgresql@17)'
    say 'installing PostgreSQL (no cluster is created or started)'
    install_postgres_without_cluster
    directories=$(postgres_directories)
  fi
  have psql || PATH=$PATH:$(tail -n 1 <<<"$directories")
  have psql || die 'psql is missing: install the PostgreSQL client'
}

# Makes sure that the default locale of PostgreSQL's official image is installed. Without it, the host backend and the
# fake engines use the nearest installed locale, and the tests of the sort order test that locale.
need_locale() {
  have locale || return 0
  ! locale -a 2>/dev/null | grep -qix 'en_US\.utf-\{0,1\}8' || return 0
  if [[ $EUID -ne 0 ]] || ! have localedef; then
    say 'warning: the locale en_US.UTF-8 is missing, and only root can create it: tests use the nearest locale'
    return
  fi
  if [[ ! -e /usr/share/i18n/locales/en_US ]] && is_debian; then
    say 'installing the locale sources'
    (apt_install locales) || true
  fi
  say 'creating the locale en_US.UTF-8'
  quietly localedef -i en_US -f UTF-8 en_US.UTF-8 ||
    say 'warning: the locale en_US.UTF-8 could not be created: tests use the nearest locale'
}

need_node() {
  if ! have npm; then
    need_apt 'npm' 'install Node.js 20 or newer, with npm'
    say 'installing Node.js and npm'
    apt_install nodejs npm
  fi
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
    die "Node.js $(node --version) is too old: install version 20 or newer"
}

need_python() {
  have python3 && python3 -c 'import ensurepip' 2>/dev/null && return
  need_apt 'Python or its venv module' 'install Python 3.10 or newer'
  say 'installing Python and its venv module'
  apt_install python3 python3-venv
}

# Runs a command with new folders for everything that pg-ephemeral stores, and removes them afterwards. If the tests of
# this run share a base layer, it is copied into the new state folder.
with_folders_of_its_own() {
  local place status=0
  place=$(mktemp -d "${TMPDIR:-/tmp}/pge-XXXXXX")
  chmod 755 "$place"
  mkdir -m 700 "$place"/{state,config,run,tmp}
  [[ -z ${PG_EPHEMERAL_TEST_BASE_LAYERS-} ]] || cp -a "$PG_EPHEMERAL_TEST_BASE_LAYERS/state/." "$place/state"
  env XDG_STATE_HOME="$place/state" XDG_CONFIG_HOME="$place/config" XDG_RUNTIME_DIR="$place/run" TMPDIR="$place/tmp" \
    "$@" || status=$?
  rm -rf "$place"
  return "$status"
}
