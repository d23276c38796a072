# The two commands are `make run` and `make test`; each does all its own set-up.

SHELL := /bin/bash
CACHE ?= $(HOME)/.cache/coderoom
export CARGO_TARGET_DIR ?= $(CACHE)/target
PROFILE := release-lite

.PHONY: run build test test-kubernetes web languages bench bench-web check screenshots

## Builds and starts the server on 127.0.0.1:7878 and prints a sign-in link. Settings: make run ARGS="--listen 127.0.0.1:9000"
run: build
	@exec $(CARGO_TARGET_DIR)/$(PROFILE)/coderoom serve $(ARGS)

build: web
	@scripts/install run
	cargo build --profile $(PROFILE) -p coderoom-server -p coderoom-worker --bins

## The page, into web/dist, from where the server binary takes it.
web:
	@scripts/install web
	@scripts/build-web

## R and Scala beside Python, so that tasks of all three languages run.
languages:
	@scripts/install languages

## Installs what is missing, runs every test, stops what it started; the last line is `N passed, N failed`.
test:
	@scripts/install run web test
	@scripts/build-web
	@python3 scripts/test.py $(ONLY)

## The executor's suite on a real cluster, in a namespace of its own that is removed afterwards. It needs KUBECONFIG, a bucket
## that pods reach (CODEROOM_TEST_KUBERNETES_S3, CODEROOM_TEST_KUBERNETES_BUCKET, CODEROOM_TEST_S3_ACCESS_KEY and
## CODEROOM_TEST_S3_SECRET_KEY), and at least one image with the supervisor (CODEROOM_TEST_IMAGE_PYTHON, _SCALA, _R).
test-kubernetes:
	@test -n "$$KUBECONFIG" || { echo "KUBECONFIG names no cluster"; exit 2; }
	cargo build --workspace --bins
	$(CARGO_TARGET_DIR)/debug/coderoom-kubernetes-namespace \
		cargo nextest run -p coderoom-tests --test kubernetes --test-threads 2 runs::

## Every benchmark of docs/benchmarks.md, release build. One of them: make bench ONLY=fan_out
bench: web
	@scripts/install run test
	cargo build --profile $(PROFILE) -p coderoom-server -p coderoom-worker -p coderoom-tests --bins
	$(CARGO_TARGET_DIR)/$(PROFILE)/coderoom-bench $(ONLY)

## Pictures of every page in light and dark, into docs/screenshots.
screenshots: web
	@scripts/install run test
	cargo build --workspace --all-features --bins --quiet
	@cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
	@cd tests/browser && CODEROOM_BIN=$(CARGO_TARGET_DIR)/debug/coderoom node screenshots.mjs

## Key to paint and frames while a log comes, measured in a browser; part of docs/benchmarks.md.
bench-web: web
	@scripts/install run test
	cargo build --profile $(PROFILE) -p coderoom-server -p coderoom-worker --bins
	@cd tests/clients && npm ci --no-audit --no-fund --loglevel=error
	@cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
	@cd tests/browser && CODEROOM_BIN=$(CARGO_TARGET_DIR)/$(PROFILE)/coderoom node bench.mjs

## Format, lints, dependencies (deny.toml), and that generated files are current: what .ci/run does before the tests.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	scripts/check-dependencies
	cargo run -q -p coderoom-protocol --bin generate-types -- --check
	cd web && npx tsc --noEmit
