#!/usr/bin/env bash
# Puts synthetic learners on an optimised server of its own and reports how it did: `make bench ARGS="--subscribers 50"`, see
# `--help` for what can be said. The server has its data in a folder that is gone afterwards, and any free media ports.
source "$(dirname "$0")/lib.sh"

say "Building the server and the learners, optimised"
cargo build --release --package lyceum --bin lyceum --package lyceum-load

port=7980
data=$(mktemp -d)
LYCEUM_HTTP_BIND=127.0.0.1:$port LYCEUM_MEDIA_UDP_PORT=0 LYCEUM_MEDIA_TCP_BIND=127.0.0.1:0 LYCEUM_STORE_DIR=$data \
  LYCEUM_LOG_FILTER=warn target/release/lyceum serve --dev >/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" || true; rm -rf "$data"' EXIT

for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$server" || die "The server did not start." "Is something else on port $port?"
  sleep 0.1
done
target/release/lyceum-load --url "ws://127.0.0.1:$port" "$@"
