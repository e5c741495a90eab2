# s3gateway. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: test-adversary test-oracles test-slow test-faults test-faults-minio test-faults-short test-model test-model-minio measure-store bench-store test-large test-rates redis help run build test test-minio test-clients test-conformance check minio fuzz bench clean

GO      ?= go
BIN     := bin/s3gateway
MINIO   := .cache/minio
# Long suites print what they do; a stuck one ends by itself.
TIMEOUT ?= 15m
# Random programs: how many test-model runs, and the seed of the first. CI runs
# a part of them, about 30 s.
PROGRAMS ?= 20000
SEED     ?= 1
# The packages whose tests talk to a store.
STORE_TESTS := ./api/... ./cmd/... ./internal/testbed/... ./verify/...

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## start the gateway on local disk, on http://127.0.0.1:8000
	$(BIN)

build: ## build bin/s3gateway
	$(GO) build -trimpath -o $(BIN) ./cmd/s3gateway

test: ## all tests on the embedded store, with the race detector
	$(GO) test -race -timeout $(TIMEOUT) ./...

test-minio: minio ## the same tests with a real MinIO server as the backend
	S3GATEWAY_TEST_STORE=minio S3GATEWAY_TEST_MINIO=$(CURDIR)/$(MINIO) \
	$(GO) test -race -timeout $(TIMEOUT) $(STORE_TESTS)

test-clients: build minio ## real S3 clients directly and through the gateway, on MinIO and the embedded store
	@tests/clients/install.sh
	S3GATEWAY_TEST_STORE=minio S3GATEWAY_TEST_MINIO=$(CURDIR)/$(MINIO) \
	$(GO) test -timeout $(TIMEOUT) -run 'Application|AGoClient|Tus|Uppy' ./cmd/s3gateway
	@tests/clients/run.py --gateway $(BIN) --minio $(MINIO)

test-model: ## random programs against a model of S3's rules on the embedded store (PROGRAMS=n SEED=n)
	S3GATEWAY_MODEL_PROGRAMS=$(PROGRAMS) S3GATEWAY_MODEL_SEED=$(SEED) \
	$(GO) test -count=1 -v -timeout 2h -run 'EmbeddedStore|Programs' ./tests/model

test-model-minio: minio ## the same programs on MinIO, with the departures that are known
	S3GATEWAY_TEST_STORE=minio S3GATEWAY_TEST_MINIO=$(CURDIR)/$(MINIO) \
	S3GATEWAY_MODEL_PROGRAMS=$(PROGRAMS) S3GATEWAY_MODEL_SEED=$(SEED) \
	$(GO) test -count=1 -v -timeout 2h -run 'MinIO' ./tests/model

test-large: build ## a file of 5 GiB by each way of the upload API, with peak memory (needs 16 GB of disk)
	@tests/large/run.py --gateway $(BIN)

test-conformance: build minio ## public S3 suites directly and through the gateway (ten minutes)
	@tests/conformance/run.py --gateway $(BIN) --minio $(MINIO)

FAULTS := cd tests/faults && $(GO) test -mod=mod ./disk ./workload && $(GO) test -mod=mod -count=1 -v
FAULTS_ARGS := -gateway $(CURDIR)/$(BIN)

test-faults-short: build ## power cuts, disk faults, flipped bits and kills: five minutes of them (root, /dev/fuse)
	$(FAULTS) -timeout 30m . -args $(FAULTS_ARGS)

test-faults: build ## all of them: each sync, 2,000 writes, each operation that fails, 1,000 kills (two hours)
	$(FAULTS) -timeout 6h . -args $(FAULTS_ARGS) -syncs 0 -cuts 2000 -ops 0 -flips 1000 -kills 1000

test-faults-minio: build minio ## the gateway before MinIO: 500 kills, and a network that flips, cuts and stalls (ten minutes)
	$(FAULTS) -timeout 2h -run BeforeMinIO . -args $(FAULTS_ARGS) -minio $(CURDIR)/$(MINIO) -remote-kills 500

minio: $(MINIO) ## build the MinIO server that test-minio uses (about five minutes, once)
$(MINIO): tools/minio/go.mod tools/minio/go.sum
	@echo "building MinIO from its Go module; this takes about five minutes, once"
	cd tools/minio && $(GO) build -mod=readonly -o ../../$(MINIO) github.com/minio/minio

test-rates: ## configured rates against achieved ones, with one replica and with three (four minutes)
	S3GATEWAY_MEASURE=1 $(GO) test -count=1 -v -timeout $(TIMEOUT) -run TestMeasured ./cmd/s3gateway

# The tests that SECURITY.md names, and how many changes of valid requests they try.
CHANGES ?= 100000
ADVERSARY = ^($(shell grep -oE '\b(Test|Fuzz)[A-Za-z0-9]+' SECURITY.md | sort -u | paste -sd'|' -))$$
test-adversary: ## each attack of SECURITY.md, and CHANGES changes of valid requests (half an hour)
	S3GATEWAY_CHANGES=$(CHANGES) $(GO) test -race -count=1 -parallel 12 -timeout 2h -run '$(ADVERSARY)' ./cmd/s3gateway ./proxy ./policy ./quota ./signer ./internal/...

test-oracles: ## random policies and uploads against an oracle of the policy, and of what the store holds (PROGRAMS=n, ten minutes for 10,000)
	S3GATEWAY_PROGRAMS=$(PROGRAMS) $(GO) test -count=1 -v -timeout 2h -run 'TestTheGatewayFollowsAnOracle|TestWhatIsCountedIsWhatIsStored' ./cmd/s3gateway

test-slow: ## 7,000 slow clients: p99 of the others, memory of each (one minute, 15,000 open files)
	S3GATEWAY_MEASURE=1 $(GO) test -count=1 -v -timeout $(TIMEOUT) -run 'TestMeasuredSlowClients|TestAnUnreadAnswer' ./cmd/s3gateway

redis: ## install Debian's redis-server, which the tests of replicas use
	@command -v redis-server >/dev/null || { \
	  SUDO=; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	  $$SUDO apt-get update -qq && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null; }
	@redis-server --version

check: ## format, vet, staticcheck, known vulnerabilities
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt -w needed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	cd tests/faults && $(GO) vet -mod=mod ./...
	$(GO) tool staticcheck ./...
	@if out=$$($(GO) tool govulncheck ./... 2>&1); then echo "$$out"; \
	elif echo "$$out" | grep -qiE 'no such host|connection refused|dial tcp|fetching vulnerabilities|i/o timeout|forbidden'; then echo "govulncheck: SKIPPED, its vulnerability database cannot be reached from here"; \
	else echo "$$out"; exit 1; fi

fuzz: ## a minute of each fuzz target
	@for pkg in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	  echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$pkg || exit 1; done; done

bench-store: build minio ## the embedded store against MinIO on the same disk: ratios in one run (three minutes)
	$(GO) run ./bench/store --gateway $(BIN) --minio $(MINIO)

measure-store: ## a million keys in the embedded store: listings, starts, PUT after mass deletes (ten minutes)
	S3GATEWAY_MEASURE=1 $(GO) test -count=1 -v -timeout 1h -run TestMillion ./internal/localstore

bench: ## the benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./signer ./policy ./cache ./proxy

clean: ## remove what was built (the data folder stays)
	rm -rf bin .cache
