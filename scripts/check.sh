#!/usr/bin/env bash
# Everything that can be said about the code without running it. Stops at the first complaint.
source "$(dirname "$0")/lib.sh"

say "Formatting: Rust, web, tests of browsers and Node.js"
cargo fmt --all -- --check
(cd web && npm run --silent format:check && npx prettier --config .prettierrc.json --log-level warn --check '../tests/{browser,node}/*.mjs')

say "Types and lints: web"
(cd web && npm run --silent typecheck && npm run --silent lint && npm run --silent size)

say "Lints: Rust"
cargo clippy --workspace --all-targets --locked -- --deny warnings

say "Generated types: what the SDK has is what the Rust types give"
cargo clippy --package lyceum-session --features schema --examples --locked -- --deny warnings
cargo run --quiet --package lyceum-session --features schema --example typescript --locked |
  diff web/sdk/src/generated/class.ts - || { echo "They differ: run \`make types\`." >&2 && exit 1; }

say "Mutations: each rule that is broken on purpose is still where it was"
scripts/mutations.sh --check >/dev/null

say "Fuzz corpora, replayed"
cargo test --package lyceum-fuzz --locked

say "Dependencies: licences, bans, sources"
cargo deny --log-level error check --hide-inclusion-graph licenses bans sources

say "Dependencies: known vulnerabilities"
if cargo deny --log-level off fetch db >/dev/null 2>&1; then
  cargo deny check advisories
else
  echo "Not checked: the advisory database cannot be reached from here."
fi

say "Everything checked is in order"
