# Everything that one does with swapcast by hand. `make` alone lists it.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOLS    := .tools

# Knobs, to be set on the command line: make bench PKG=./market BENCH=Apply
ARGS     ?=
PKG      ?= ./...
FUZZTIME ?= 20s
FUZZ     ?=
BENCH    ?= .
COUNT    ?= 6
SWAPS    ?= 1000000
PROFILE  ?= short
MODE     ?= full
CONNECTIONS ?= 10000

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build and start the server with the built-in market (ARGS="--source ..." for another)
	@exec bin/swapcast serve $(ARGS)

.PHONY: build
build: ## Build bin/swapcast, a static binary
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/swapcast ./cmd/swapcast

.PHONY: test
test: test-deps docs-lint k6 ## Install what the tests need, then run all of them: vet, race and leak checks, browser, npm client, k6
	$(GO) vet ./...
	$(GO) test -race -timeout 15m ./...
	$(MAKE) drill-short

.PHONY: race
race: ## Run the Go tests under the race detector, installing nothing
	$(GO) test -race -timeout 15m $(PKG)

.PHONY: lint
lint: ## Run golangci-lint, formatting included
	@scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint run $(PKG)

.PHONY: fmt
fmt: ## Format the Go files with gofumpt and goimports
	@scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint fmt

.PHONY: docs-lint
docs-lint: test-deps ## Lint the OpenAPI and AsyncAPI documents
	@scripts/docslint/lint.sh

.PHONY: k6
k6: test-deps ## Run the old k6 script unchanged against a server of its own
	@scripts/k6-test.sh loadtest/k6/old_style.js

.PHONY: load
load: ## Load a server with k6 and swapcast load (PROFILE=short, full, tokens, most, ...: loadtest/README.md)
	@scripts/load.sh $(PROFILE)

.PHONY: agreement
agreement: test-deps ## Show what vaults, events, other projects and solana-dex-parser say of the corpus's swaps
	@CI=true $(GO) test -count 1 -v -run 'TestCorpusAgreement|TestContractExchanges' ./parser
	@CI=true $(GO) test -count 1 -v -run 'TestSecondOpinion' ./parser/secondopinion

.PHONY: bench-parser
bench-parser: test-deps ## Measure the parser beside solana-dex-parser and solana-go's decoder, in processor time
	@CI=true $(GO) test -count 1 -v -run TestSpeed -timeout 30m ./parser/secondopinion -speed

.PHONY: accuracy
accuracy: ## Show how far prices are off the built-in market's true mids, with and without an attacker
	@$(GO) test -count 1 -v -run 'TestAccuracy|TestAdversarial$$' ./market | grep -v '^    --- PASS\|^=== '

.PHONY: quote-matrix
quote-matrix: ## Ask for quotes with every source in every fault, alone and in pairs, at 50 requests a second
	@$(GO) test -count 1 -v -run 'TestFaultMatrix' -timeout 20m ./quote -matrix | grep --line-buffered -v '^=== '

.PHONY: quote-silent
quote-silent: ## Ask one quote engine 50 times a second while Jupiter, then everybody, hangs: never an answer after 2 s
	@$(GO) test -count 1 -v -run 'TestHangReal' -timeout 10m ./quote -matrix | grep --line-buffered -v '^=== '

.PHONY: quote-breaker
quote-breaker: ## Open and close Jupiter's breaker in a running server, counting calls where they arrive
	@$(GO) test -count 1 -v -run 'TestBreakerOfRunningServer' ./cmd/swapcast | grep -v '^=== \|level='

.PHONY: drill
drill: build ## Play SWAPS (1000000) swaps under all faults and judge what four clients were told: lost 0, twice 0
	@mkdir -p dist
	@$(GO) run ./loadtest/drill -swaps $(SWAPS) -v -report dist/drill.txt

.PHONY: drill-short
drill-short: ## The drill of `make test`: 45,000 swaps under all faults, in a minute
	SWAPCAST_DRILL=1 $(GO) test ./loadtest/drill -count=1 -v -timeout 10m -run TestDrill

.PHONY: drill-silent
drill-silent: ## A filter that is silent for 15,000 slots, then a cut: nothing is skipped
	SWAPCAST_DRILL=1 $(GO) test ./loadtest/drill -count=1 -v -timeout 10m -run TestSilentFilter

.PHONY: drill-faults
drill-faults: build ## Show what each fault does by itself, and two endpoints' latency: loadtest/drill/RESULTS.md
	@$(GO) run ./loadtest/drill -table loadtest/drill/RESULTS.md

.PHONY: prometheus-test
prometheus-test: test-deps ## Check the alert rules with their unit tests, and each query of the dashboards against a running server
	@CI=true $(GO) test -count 1 -v -run 'TestAlerts|TestQueries|TestMetricLabels' ./cmd/swapcast | grep --line-buffered -v '^=== '

.PHONY: sentry-cost
sentry-cost: build ## Measure what --sentry-dsn costs a server with CONNECTIONS (10000) connections, in turns with and without
	@$(GO) run ./loadtest/sentrycost -connections $(CONNECTIONS)

.PHONY: dashboards
dashboards: ## Write the Grafana dashboards from deploy/grafana/dashboards.go
	@$(GO) run ./deploy/grafana

.PHONY: bench-cache
bench-cache: test-deps ## Measure the cache beside otter, ristretto, sturdyc, rueidis and BentoCache: loadtest/cachecompare/README.md
	@cd loadtest/cachecompare/node && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@cd loadtest/cachecompare && $(GO) test -count 1 -v -run TestCompare -timeout 30m . | grep --line-buffered -v '^=== '

.PHONY: cache-drill
cache-drill: test-deps ## Three server processes share a cache: 10,000 callers for one load, 100,000 invalidations, and Redis in every fault (half an hour)
	SWAPCAST_DRILL=1 $(GO) test ./cache -count 1 -v -run 'TestDrill|TestStaleLoadCannotBeStored' -timeout 60m | grep --line-buffered -v '^=== '

.PHONY: churn
churn: ## Open and close 100,000 connections, and compare heap, goroutines and files before and after
	SWAPCAST_CHURN=100000 $(GO) test ./stream -count 1 -v -run TestConnectionsReturnWhatTheyHeld -timeout 30m

.PHONY: slow-readers
slow-readers: ## Measure what others notice of 5% slow readers: p99 with them over p99 without, pairs in turns
	$(GO) test ./stream -run '^$$' -bench SlowReaders -benchtime 7x

.PHONY: compare
compare: ## Measure a message's cost beside other servers, pinned, in 10 minutes (MODE=short: 1): dist/compare.md
	@mkdir -p dist
	@$(GO) build -C loadtest/compare -o bin/compare .
	@cd loadtest/compare && bin/compare run -mode $(MODE) -out ../../dist/compare.md -raw ../../dist/compare.jsonl
	@cat dist/compare.md

.PHONY: drill-edges
drill-edges: build test-deps ## Two ingests, three edges, nginx, a Redis Cluster: kill each in turn under load; lost 0, twice 0
	@mkdir -p dist
	$(GO) run ./loadtest/edges -report dist/edges.txt $(ARGS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s) each, and list what each has executed (FUZZ="parser " for some)
	@scripts/fuzz.sh $(FUZZTIME) '$(FUZZ)'

.PHONY: fuzz-keep
fuzz-keep: ## Take the inputs that fuzzing found useful into testdata/fuzz, to be committed (FUZZ as above)
	@scripts/fuzz-keep.sh '$(FUZZ)'

.PHONY: bench
bench: ## Run the benchmarks COUNT (6) times into dist/bench.txt, ready for benchstat
	@mkdir -p dist
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 60m $(PKG) | tee dist/bench.txt

.PHONY: golden
golden: ## Rewrite the golden files; review the diff before you commit it
	@scripts/golden.sh

.PHONY: check
check: ## What a change must pass: format, vet, lint, race
	@scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint fmt --diff
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run
	$(GO) test -race -timeout 15m ./...

.PHONY: tools
tools: ## Install the pinned developer tools into ./.tools
	@scripts/tools.sh

.PHONY: test-deps
test-deps: ## Install what the tests need beyond Go: Chromium, Redis, npm packages, k6
	@scripts/test-deps.sh

.PHONY: clean
clean: ## Remove what the other targets built, tools apart
	@rm -rf bin dist
