#!/usr/bin/env bash
# Makes sure that the tools for a job are there: `setup.sh run` for building and running, `setup.sh test` for the tests too,
# `setup.sh check` for the checks too. Says what it installs; says nothing when there is nothing to do.
source "$(dirname "$0")/lib.sh"

CARGO_DENY_VERSION=0.20.2

need_rust
need_node
# The C compiler builds the cryptography library and SQLite.
need_packages build-essential

case "${1:?run, test or check}" in
  run) ;;
  test) need_packages chromium firefox-esr fonts-dejavu-core postgresql python3-venv ;;
  check)
    for component in rustfmt clippy; do
      cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || {
        say "Adding Rust's $component"
        rustup component add "$component"
      }
    done
    found=$(cargo deny --version 2>/dev/null | awk '{print $2}' || true)
    if [ -z "$found" ] || ! at_least "$found" "$CARGO_DENY_VERSION"; then
      say "Installing cargo-deny $CARGO_DENY_VERSION, once (a few minutes)"
      # It runs for a second or two: unoptimised is quick enough, and builds much sooner.
      cargo install cargo-deny --locked --debug --version "$CARGO_DENY_VERSION"
    fi
    ;;
  *) die "setup.sh knows run, test and check, not $1." ;;
esac
