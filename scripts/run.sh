#!/usr/bin/env bash
# Starts the server that `make run` has built, with its data under ./data.
source "$(dirname "$0")/lib.sh"

exec target/debug/lyceum serve --dev "$@"
