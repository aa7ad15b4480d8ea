#!/usr/bin/env bash
# Runs every suite, even after one has failed, and adds up what their runners counted. Expects `make test` to have built
# everything.
source "$(dirname "$0")/lib.sh"

passed=0
failed=0
broken=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# suite NAME PASSED-PATTERN FAILED-PATTERN COMMAND... : the patterns are extended regular expressions whose one number is a count.
suite() {
  local name=$1 passed_pattern=$2 failed_pattern=$3
  shift 3
  say "$name"
  if "$@" 2>&1 | tee "$log"; then :; else broken+=("$name"); fi
  passed=$((passed + $(count "$passed_pattern")))
  failed=$((failed + $(count "$failed_pattern")))
}

count() {
  sed 's/\x1b\[[0-9;]*m//g' "$log" | { grep -oE "$1" || true; } | sed -E "s/$1/\1/" | awk '{ sum += $1 } END { print sum + 0 }'
}

# Go's runner does not count. It fetches a newer Go by itself if the SDK wants one.
go_sdk() {
  go -C tests/go test -count=1 -v ./... |
    awk '!/"level"/; /^--- PASS/ { passed++ } /^--- FAIL/ { failed++ } END { print passed + 0 " passed; " failed + 0 " failed" }'
}

suite "Rust" 'test result: .* ([0-9]+) passed;' ' passed; ([0-9]+) failed;' \
  cargo test --workspace --locked --no-fail-fast
suite "Web" '^ *Tests .*[^0-9]([0-9]+) passed' '^ *Tests .*[^0-9]([0-9]+) failed' \
  npm --prefix web run --silent test
suite "Python SDK" '([0-9]+) passed' '([0-9]+) (failed|error)' \
  target/python/bin/pytest --quiet tests/python
suite "Node.js SDK" "ℹ pass ([0-9]+)" "ℹ fail ([0-9]+)" \
  node --test --test-reporter=spec tests/node/*.test.mjs
if command -v go >/dev/null; then
  suite "Go SDK" '([0-9]+) passed;' ' passed; ([0-9]+) failed' go_sdk
else
  say "Go SDK: not run, since Go was not found"
fi
suite "Browsers" "ℹ pass ([0-9]+)" "ℹ fail ([0-9]+)" \
  node --test --test-reporter=spec tests/browser/*.test.mjs

for name in "${broken[@]}"; do echo "The suite failed: $name" >&2; done
[ ${#broken[@]} -eq 0 ] || [ "$failed" -gt 0 ] || failed=${#broken[@]}
echo
echo "$passed passed, $failed failed"
[ ${#broken[@]} -eq 0 ]
