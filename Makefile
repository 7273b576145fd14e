# Every way of building and checking avbeacon. `make help` lists them.

GO ?= go
# A fuzz target's share of `make fuzz`.
FUZZTIME ?= 30s
# The captures with truth that `make conformance` runs over.
CORPUS ?= ../shared/corpora
# `make bench`: SIZE=full makes the captures that the targets of speed are stated for, RUNS is how often each command runs.
SIZE ?= small
RUNS ?= 3
SEED ?= 1
# `make lines`: the most lines allowed (0: any), and how many elements of a path a sum is for.
MAX ?= 0
BY ?= 1
# How long `make soak` runs.
SOAK ?= 45s
# `make geo`: where the databases lie that cmd/mkgeo reads (feeds/geo/SOURCES names each with its hash).
GEO ?= .cache/geo

.PHONY: build help test test-long race check hints lines dead fuzz golden testdata catalog catalog-coverage geo soak bench-live bench-beacon bench-siem bench conformance clean

build: ## Build ./avbeacon (the default)
	CGO_ENABLED=0 $(GO) build -trimpath -o avbeacon ./cmd/avbeacon

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Run all tests
	$(GO) test ./...

test-long: ## Run all tests, with property and kill tests repeated ROUNDS (10) times as often
	ROUNDS=$${ROUNDS:-10} $(GO) test -timeout 1h ./...

race: ## Run all tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

check: ## Formatting, vet, import table; staticcheck and golangci-lint where they are installed
	@unformatted=$$(gofmt -l capture classify cmd feeds internal); \
	if [ -n "$$unformatted" ]; then echo "not gofmt's form:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) test -count=1 ./internal
	@if command -v staticcheck >/dev/null; then echo staticcheck ./...; staticcheck ./...; \
	else echo "staticcheck: not installed, left out"; fi
	@if command -v golangci-lint >/dev/null; then echo golangci-lint run; golangci-lint run; \
	else echo "golangci-lint: not installed, left out"; fi

hints: ## List long functions and files, and what else golangci-lint suggests; nothing has to follow
	golangci-lint run --enable-only funlen,revive --issues-exit-code 0

lines: ## Count the lines of code by folder, without comments, blank lines, tests and generated files (MAX=N fails above N)
	@$(GO) run .ci/lines.go -max $(MAX) -by $(BY) capture classify cmd feeds internal

dead: ## List functions that no command can reach
	.ci/dead

fuzz: ## Run every fuzz target for FUZZTIME (30s)
	GO=$(GO) .ci/fuzz $(FUZZTIME)

golden: ## Write the golden files again from what the program prints now; look at the difference before committing
	UPDATE_GOLDEN=1 $(GO) test -count=1 ./...

testdata: ## Make testdata/pcap again; the same captures each time
	$(GO) run ./cmd/mktestdata

catalog: ## Write feeds/catalog.snapshot from the files in feeds/vendors
	$(GO) run ./cmd/mkcatalog -o feeds/catalog.snapshot

catalog-coverage: ## Count by vendor which documented names the catalogue knows
	$(GO) run ./cmd/avbeacon feeds coverage feeds/testdata/documented-names.tsv

geo: ## Make the embedded place data again from the databases in GEO (.cache/geo)
	$(GO) run ./cmd/mkgeo -from $(GEO)

soak: ## Millions of packets of ever-new hosts, flows and names, for SOAK (45s): memory is flat, tables are full
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -run TestSoak -v ./cmd/avbeacon

bench-live: ## The daemon on a veth pair beside a bare counter, at growing rates (root)
	@mkdir -p .cache/bin .cache/bench
	$(GO) build -o .cache/bin/ ./cmd/mkbench
	.cache/bin/mkbench -size 400 -profile hs -seed 1 -o .cache/bench/live-hs.pcap >/dev/null
	.cache/bin/mkbench -size 800 -profile bulk -seed 1 -o .cache/bench/live-bulk.pcap >/dev/null
	AVBEACON_BENCH='$(CURDIR)/.cache/bench/live-*.pcap' $(GO) test -run '^$$' -bench BenchmarkLive -benchtime 2x -timeout 0 ./internal/daemon

bench-beacon: ## Precision and recall of our beacon score and of the reference on made timelines
	$(GO) run ./cmd/bench-beacon

bench-siem: ## Alerts a second per format and through the durable store to each kind of receiver, on one core
	$(GO) test -run '^$$' -bench BenchmarkEncode -benchtime 0.3s -cpu 1 ./internal/siem
	$(GO) test -run '^$$' -bench BenchmarkDeliver -benchtime 30000x -cpu 1 -timeout 0 ./internal/outbox

bench: build $(patsubst %,.cache/bench/%-$(SIZE)-$(SEED).pcap,bulk hs flows) ## Speed, allocations and memory beside a bare read loop and tcpdump (SIZE=full for the large captures)
	AVBEACON_BINARY=$(CURDIR)/avbeacon AVBEACON_BENCH='$(CURDIR)/.cache/bench/*-$(SIZE)-$(SEED).pcap' \
		$(GO) test -run '^$$' -bench BenchmarkFiles -benchtime $(RUNS)x -timeout 0 ./cmd/avbeacon
	AVBEACON_BENCH='$(CURDIR)/.cache/bench/*-$(SIZE)-$(SEED).pcap' $(GO) test -run '^$$' -bench BenchmarkCommands -benchtime 1x ./cmd/avbeacon
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 0.3s ./capture/files ./capture/decode ./capture/observe ./capture/wire ./feeds ./classify ./classify/beacon ./internal/pipeline

# mkbench's arguments by SIZE: MiB, or a number of flows.
small_bulk = -size 256
small_hs = -size 128
small_flows = -flows 250000
full_bulk = -size 1700
full_hs = -size 512
full_flows = -flows 1000000
.DELETE_ON_ERROR:
.cache/bench/%-$(SIZE)-$(SEED).pcap:
	@mkdir -p .cache/bin .cache/bench
	$(GO) build -o .cache/bin/ ./cmd/mkbench
	.cache/bin/mkbench $($(SIZE)_$*) -profile $* -seed $(SEED) -o $@ >$(basename $@).json

conformance: build ## Recall and precision over the real captures in CORPUS, and whom analyze accuses there
	@test -x $(CORPUS)/compare || { echo "no captures with truth in $(CORPUS); say CORPUS=DIR"; exit 1; }
	@status=0; \
	echo "== observe, every kind"; \
	$(CORPUS)/compare --captures $(CORPUS)/dev --truth $(CORPUS)/truth-dev --observe './avbeacon observe' || status=1; \
	echo "== analyze, real captures"; \
	$(CORPUS)/judge-real ./avbeacon $(CORPUS)/dev $(CORPUS)/verdicts-dev.tsv || status=1; \
	echo "== analyze, a real Kaspersky client and its re-enactment"; \
	$(CORPUS)/judge-real ./avbeacon $(CORPUS)/kaspersky $(CORPUS)/kaspersky/verdicts.tsv || status=1; \
	exit $$status

clean: ## Remove what was built and cached
	rm -rf avbeacon bin .cache
