#!/usr/bin/env bash
# Lays a fresh Python environment for tests/python under target/python.
source "$(dirname "$0")/lib.sh"

rm -rf target/python
"$(python_path)" -m venv target/python
target/python/bin/pip install --quiet --disable-pip-version-check --requirement tests/python/requirements.txt
