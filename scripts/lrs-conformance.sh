#!/usr/bin/env bash
# Runs ADL's conformance tests of Learning Record Stores, unpatched, for xAPI 2.0.0 and 1.0.3, on SQLite and on PostgreSQL. The tests are
# fetched into target/ (or LRS_SUITE says where they are) and are no part of this repository. What counts is their JSON log: their exit
# code says nothing. `sqlite` or `postgres` as argument runs that database alone;
# `server` runs them against /xapi of the whole server, on SQLite. SERVER_BINARY names a server that is built already.
source "$(dirname "$0")/lib.sh"
need_rust
need_node

suite=$(realpath -m "${LRS_SUITE:-target/lrs-suite}")
if [ ! -d "$suite" ]; then
  say "Fetching ADL's tests"
  git clone --quiet https://github.com/adlnet/lrs-conformance-test-suite "$suite"
  git -C "$suite" checkout --quiet 2ec25f2eb8ccfcb7cb63ec2679dbd965f9f6ffdc
fi
[ -d "$suite/node_modules" ] || (cd "$suite" && npm install --no-audit --no-fund --silent)

if [ "${1:-all}" = server ]; then
  serve=${SERVER_BINARY:-$PWD/target/debug/lyceum}
  if [ -z "${SERVER_BINARY:-}" ]; then
    say "Building the server"
    cargo build --package lyceum --bin lyceum
  fi
else
  say "Building the record store"
  cargo build --package lyceum-lrs --example serve
  serve=$PWD/target/debug/examples/serve
fi

work=$(mktemp -d)
chmod 755 "$work"
server='' postgres=''
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }

# PostgreSQL does not run as root.
as_postgres() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

start_postgres() {
  need_packages postgresql
  postgres=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1 || command -v initdb)")
  pg_port=$(free_port)
  mkdir "$work/pg"
  [ "$(id -u)" -ne 0 ] || chown postgres "$work/pg"
  (cd "$work/pg" && as_postgres "$postgres/initdb" -D "$work/pg/data" -A trust -U lyceum >/dev/null &&
    as_postgres "$postgres/pg_ctl" -D "$work/pg/data" -o "-p $pg_port -k $work/pg -c listen_addresses=127.0.0.1" \
      -l "$work/pg/log" -w start >/dev/null)
}

failures=0
# run NAME DATABASE VERSION EXPECTED
run() {
  local port log user ready
  port=$(free_port)
  if [ "$2" = server ]; then
    user=devkey ready='Lyceum is running'
    "$serve" serve --dev --bind "127.0.0.1:$port" --udp-port 0 --set media.tcp_bind=127.0.0.1:0 --data "$work/$3" \
      >"$work/serve.log" 2>&1 &
  else
    user=tester ready=listening
    "$serve" "127.0.0.1:$port" "$2" >"$work/serve.log" 2>&1 &
  fi
  server=$!
  for _ in $(seq 100); do
    grep -q "$ready" "$work/serve.log" && break
    kill -0 "$server" || die "The record store did not start: $(cat "$work/serve.log")"
    sleep 0.1
  done
  rm -rf "$suite/logs"
  (cd "$suite" && node bin/console_runner.js --endpoint "http://127.0.0.1:$port/xapi" --basicAuth --authUser "$user" \
    --authPassword secret --xapiVersion "$3" >"$work/suite.log" 2>&1) || true
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=''
  log=$(ls "$suite"/logs/*.log 2>/dev/null | head -n 1)
  [ -n "$log" ] || die "ADL's tests left no log." "$(tail -n 5 "$work/suite.log")"
  NAME="$1" EXPECTED="$4" node scripts/lrs-conformance.mjs "$log" || failures=$((failures + 1))
}

if [ "${1:-all}" = server ]; then
  say "The server, SQLite"
  run "/xapi of the server, 2.0.0" server 2.0.0 1442
  run "/xapi of the server, 1.0.3" server 1.0.3 1365
  exit "$failures"
fi
if [ "${1:-all}" != postgres ]; then
  say "SQLite"
  run "SQLite, 2.0.0" "$work/v2.sqlite" 2.0.0 1442
  run "SQLite, 1.0.3" "$work/v1.sqlite" 1.0.3 1365
fi
if [ "${1:-all}" != sqlite ]; then
  say "PostgreSQL"
  start_postgres
  for database in v2 v1; do "$postgres/createdb" -h 127.0.0.1 -p "$pg_port" -U lyceum "$database"; done
  run "PostgreSQL, 2.0.0" "postgresql://lyceum@127.0.0.1:$pg_port/v2" 2.0.0 1442
  run "PostgreSQL, 1.0.3" "postgresql://lyceum@127.0.0.1:$pg_port/v1" 1.0.3 1365
fi
exit "$failures"
