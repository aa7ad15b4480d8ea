# What the other scripts share: saying what happens, and making sure that the tools are there. Sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUST_MIN=1.89
NODE_MIN=20.19

# One line that stands out between the output of the tools.
say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

# Ends the script with what is wrong and what to do about it.
die() {
  printf '\033[1;31merror:\033[0m %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# at_least FOUND WANTED: dotted version numbers.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Rust and Node.js come from their own projects, since Debian's packages are too old; so they are asked for, not installed.
need_rust() {
  local how="Get it from https://rustup.rs, open a new terminal, and run this again."
  command -v cargo >/dev/null && command -v rustc >/dev/null || die "Rust $RUST_MIN or newer is needed, and none was found." "$how"
  local found
  found=$(rustc --version | awk '{print $2}')
  at_least "$found" "$RUST_MIN" || die "Rust $RUST_MIN or newer is needed, and $found was found ($(command -v rustc))." \
    "With rustup: rustup update stable. Otherwise: $how"
}

need_node() {
  local how="Get the LTS release from https://nodejs.org/en/download and run this again."
  command -v node >/dev/null || die "Node.js $NODE_MIN or newer is needed, and none was found." "$how"
  local found
  found=$(node --version)
  found=${found#v}
  at_least "$found" "$NODE_MIN" || die "Node.js $NODE_MIN or newer is needed, and $found was found ($(command -v node))." "$how"
  command -v npm >/dev/null || die "npm is needed, which comes with Node.js, and was not found." "$how"
}

# need_packages PACKAGE... : installs those Debian packages that are missing, in one go.
need_packages() {
  local missing=() package
  for package in "$@"; do
    package_is_there "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null ||
    die "These are missing: ${missing[*]} (Debian's names for them)." "Install them with your system's package manager and run this again."
  say "Installing from Debian: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# What counts is the program, so that a system without Debian's packages passes if it has them.
package_is_there() {
  case "$1" in
    build-essential) command -v cc >/dev/null && command -v make >/dev/null ;;
    chromium) [ -n "$(chromium_path)" ] ;;
    firefox-esr) [ -n "$(firefox_path)" ] ;;
    fonts-dejavu-core) command -v fc-list >/dev/null && [ -n "$(fc-list 2>/dev/null | head -n 1)" ] ;;
    postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
    python3-venv) [ -n "$(python_path)" ] ;;
    *) dpkg -s "$1" >/dev/null 2>&1 ;;
  esac
}

chromium_path() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }

firefox_path() { command -v firefox-esr || command -v firefox || true; }

# A Python that can make a virtual environment with pip; Debian's own first.
python_path() {
  local python
  for python in /usr/bin/python3 python3; do
    if command -v "$python" >/dev/null && "$python" -c 'import venv, ensurepip' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "Installing packages needs root, and there is no sudo." "As root: apt-get install ${missing[*]}"
  fi
}
