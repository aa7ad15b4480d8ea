# `make run` starts a class, `make test` runs every test, `make check` reads the code. `make help` lists the rest.
# Each installs what it needs first and builds only what has changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# A fresh rustup puts cargo here before the shell has been told.
export PATH := $(HOME)/.cargo/bin:$(PATH)

WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -name '*.tsbuildinfo')

.PHONY: help run test check sim mutate bench types lrs-conformance fmt clean web server

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build what has changed, start a server with a demo class, print its address
	@scripts/setup.sh run
	@$(MAKE) web server
	@scripts/run.sh

test: ## Every test: Rust, web, simulated classes, real browsers, LiveKit's SDKs
	@scripts/setup.sh test
	@$(MAKE) web server tests/browser/node_modules tests/node/node_modules target/python/.installed
	@scripts/test.sh

check: ## Formatting, lints as errors, types, licences and sources of dependencies
	@scripts/setup.sh check
	@$(MAKE) web
	@scripts/check.sh

sim: ## Only the simulated classes, in virtual time; SIM_SEEDS=100000..101000 searches
	@scripts/setup.sh run
	cargo test -p lyceum-sim

mutate: ## Break the rules of a class one at a time, in a copy: the tests must notice; ARGS=part-of-a-name
	@scripts/setup.sh run
	@scripts/mutations.sh $(ARGS)

crash: ## Kill the store and cut its power, for some minutes: what was acknowledged must be there; TIMES=20
	@scripts/setup.sh run
	LYCEUM_TEST_CRASHES=$(or $(TIMES),20) cargo test -p lyceum --test it -- crashes::

bench: ## Synthetic learners on an optimised server; ARGS="--help" says what can be asked
	@scripts/setup.sh run
	@$(MAKE) web
	@scripts/bench.sh $(ARGS)

types: ## Write the SDK's types of commands, events and entities anew from the Rust types
	@mkdir -p web/sdk/src/generated
	cargo run --quiet --package lyceum-session --features schema --example typescript > web/sdk/src/generated/class.ts.new
	mv web/sdk/src/generated/class.ts.new web/sdk/src/generated/class.ts

lrs-conformance: ## ADL's tests of record stores, fetched for the run, on SQLite and PostgreSQL
	@scripts/lrs-conformance.sh $(ARGS)

fmt: ## Format everything that `make check` looks at
	cargo fmt --all
	cd web && npm run --silent format
	cd web && npx prettier --config .prettierrc.json --log-level warn --write '../tests/{browser,node}/*.mjs'

clean: ## Remove everything that was built; classes under data/ stay
	rm -rf target web/node_modules web/app/dist web/sdk/dist tests/{browser,node}/node_modules
	find web -name '*.tsbuildinfo' -not -path '*/node_modules/*' -delete

web: web/app/dist/index.html
	@:

server: web
	@printf '\033[1m==> Building the server\033[0m\n'
	cargo build --package lyceum --bin lyceum

web/node_modules/.package-lock.json: web/package.json web/package-lock.json web/sdk/package.json web/app/package.json
	@printf '\033[1m==> Installing the npm packages of the web app\033[0m\n'
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/app/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	@printf '\033[1m==> Building the web app\033[0m\n'
	cd web && npm run --silent build
	@touch $@

tests/browser/node_modules: tests/browser/package.json tests/browser/package-lock.json
	@printf '\033[1m==> Installing the npm packages of the browser tests\033[0m\n'
	cd tests/browser && npm ci --no-audit --no-fund
	@touch $@

tests/node/node_modules: tests/node/package.json tests/node/package-lock.json
	@printf '\033[1m==> Installing the npm packages of the Node.js tests\033[0m\n'
	cd tests/node && npm ci --no-audit --no-fund
	@touch $@

target/python/.installed: tests/python/requirements.txt
	@printf '\033[1m==> Installing the Python packages of the tests\033[0m\n'
	@scripts/python.sh
	@touch $@
