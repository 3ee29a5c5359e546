# What to run when: make quick while you work, make test before a commit. CI runs
# .ci/run, which is make test and make ci; make nightly is for a machine that
# nobody waits for. CONTRIBUTING.md says more.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
# Compares two files of benchmarks.
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# Clients and linters that nobody here wrote, against our doors: make ci runs these.
FOREIGN := ./test/openid-client ./test/openapi
# What takes longest begins first, so that no processor is idle in the end.
LONGEST := ./test/browser ./test/crash ./internal/ceremony ./internal/store/postgres ./test/attack ./cmd/liuma ./internal/server ./internal/rehearsal
# An authority and its keepers as processes, while they fail: make ci runs it as well.
FAULTS := ./test/faults
# An authority on a database of three nodes, while they fail: make nightly runs it, and make
# test only its model.
FAILOVER := ./test/failover
# The runbooks, played on real processes: make nightly runs them.
DRILLS := ./test/drills
# A test's heap is small and full of what is thrown away at once: collected a quarter as
# often, it is a twentieth of the time less. Four packages at once on two cores, because
# those that take longest wait for processes, databases and browsers half of their time.
HASTE = GOGC=400
AT_ONCE := 4
# Tests make their files in memory, the go command its own where it always does.
SCRATCH = GOTMPDIR=$${GOTMPDIR:-$${TMPDIR:-/tmp}} TMPDIR=$$(.ci/scratch)
# What has a part, or a test, that is built with -tags pkcs11 alone. Only the tests of these
# run with the tag: what its users do is the same with a token in memory.
HSM := ./internal/token/... ./internal/vault ./cmd/liuma ./cmd/liuma-keeper
# What works over keepers, whichever way they are reached; LIUMA_WIRED puts each behind a
# connection. A few of it for make ci: where connections come late, break or say less.
WIRED := ./test/attack ./internal/testkit/... ./internal/server ./internal/ceremony
WIRED_FEW := KeeperThatIsGone|PutBackKeeper|DeletedCard|CardIsDeleted|RowThatWasPutBack|ClockAhead|Witness
# Where goroutines meet over something that must not be lost. The demo plays one
# story over these rooms and has time limits that the detector would break.
RACED = ./internal/ceremony $$(go list ./internal/... ./client/... | grep -v -e '/internal/demo$$' -e '/internal/ceremony$$')
# Where neither the code nor a test does two things at once: the detector finds nothing
# there, and takes ten times as long. A test of the Makefile holds them to it.
ONE_BY_ONE := ./internal/door/holder ./internal/door/console ./internal/letter ./internal/policy ./internal/simulate ./internal/split/p256
RACED_FEWER = ./internal/ceremony $$(go list ./internal/... ./client/... | grep -v -e '/internal/demo$$' -e '/internal/ceremony$$' | grep -vxF "$$(go list $(ONE_BY_ONE))")
# Stories of one caller after another, which make test plays: the same calls as in
# other tests, again and again, over a world for each death, walk, month, place, way to
# a link or channel. A detector of races finds little in them, and they would be most
# of its time. make soak plays them under it. Neither does it in every PIN that there is, nor
# in a process that a test kills.
STORIES := DeathAtEveryStep|AcrossDeaths|SixtyHostileDays|MovesInAnyOrder|SingleFactorGets|TwoFactorsAreFound|StolenSessionStops|CardThatStopsEnds|WhenALinkIsKnown|StoppedChannelIsServed
UNRACED := $(STORIES)|AllMillion|DocumentSaysWhatIsMeasured|ListsAreUpToDate|StrongCoversBasic|TestDates$$|KilledImport
# What LIUMA_EVERY_STORY makes longer: each shape of keepers with each way to die, all seeds
# of the random walks, cuts of a connection close to one another.
STORIED := ./internal/ceremony ./test/attack ./internal/store/postgres
STORIED_TESTS := $(STORIES)|SurviveADeath|SurvivesADeath|AcrossADeath|UndecidedAfterADeath|LettersAreOfTheTransaction|NoMemberOfStaffAlone|AThousandPushes|IsPutBack|CutAtEveryByte
# The tests that -every-look makes longer.
LOOKS := TestAccessibility|TestScreenshots|TestSmallPhones|TestRightToLeft|TestFourAtTheCounter|TestCounterPages|TestAgentPages|TestConsolePages|TestKeepersInTheWindow|TestNumbersTextsAndRecordPages

# The detector, but not within SQLite: it is translated from C, touches no memory of
# ours but by calls that the detector sees, and would be half of the time of all.
DETECT := -race -gcflags='modernc.org/...=-race=false'

FUZZTIME ?= 30s
KILLS ?= 300
CARDS ?= 1000
FOR ?= 30s
ROUNDS ?= 3
FAULT_ROUNDS ?= 200
FAILOVERS ?= 50
MUTANTS_FOR ?= 6m
SHOTS ?= dist/screenshots
PAGES ?= dist/gallery

.PHONY: lighthouse help quick test test-hsm ci nightly prepare format vet unit race wired wired-all looks foreign lint faults fault-rounds failover drills alerts images demo changed-mutants test-store stories \
	mutants crash arithmetic spraying fuzz bench floods gallery screenshots soak update cover vulncheck build build-hsm release

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

quick: format vet ## formatting, vet, and the packages that you changed; under a minute once built
	@packages=$$(.ci/changed | go run ./test/changed) || exit 1; \
	if [ -z "$$packages" ]; then echo "make quick: no package changed"; else go test -short -timeout 5m $$packages; fi

test: prepare format vet unit test-hsm ## every behaviour once; at most 15 minutes on two cores
	@echo "make test: all passed"

ci: prepare race wired looks foreign lint faults images demo changed-mutants ## what CI runs after make test; at most 40 minutes more
	@echo "make ci: all passed"

nightly: prepare wired-all stories mutants crash fault-rounds failover drills alerts arithmetic spraying fuzz bench floods lighthouse screenshots soak ## all mutants, many kills, long fuzzing and soaking; hours
	@echo "make nightly: all passed"

prepare: ## install what is missing, and say what and why
	@.ci/prepare

format:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go' -not -path './web/*')); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...

unit: ## all tests but those of make ci, and then the ten slowest packages
	$(SCRATCH) $(HASTE) go test -json -vet=off -p $(AT_ONCE) -timeout 20m $(LONGEST) \
		$$(go list ./... | grep -vxF "$$(go list $(FOREIGN) $(FAULTS) $(LONGEST))") | go run ./test/slowest

test-hsm: ## what speaks PKCS#11, built with cgo, against SoftHSM
	CGO_ENABLED=1 go vet -tags pkcs11 $(HSM)
	$(SCRATCH) $(HASTE) CGO_ENABLED=1 go test -tags pkcs11 -vet=off -timeout 10m $(firstword $(HSM))
	$(SCRATCH) $(HASTE) CGO_ENABLED=1 go test -tags pkcs11 -vet=off -timeout 10m -run HSM $(wordlist 2,9,$(HSM))

race: ## the rooms under the race detector
	$(SCRATCH) $(HASTE) CGO_ENABLED=1 go test -json -vet=off $(DETECT) -timeout 30m -skip '$(UNRACED)' $(RACED_FEWER) | go run ./test/slowest

wired: ## a few stories with every keeper behind a connection, as on a machine of its own
	$(SCRATCH) LIUMA_WIRED=1 go test -vet=off -timeout 10m -run '$(WIRED_FEW)' ./test/attack ./internal/server

wired-all: ## the rooms over keepers and the attacks, with every keeper behind a connection
	$(SCRATCH) LIUMA_WIRED=1 go test -vet=off -timeout 60m $(WIRED)

stories: ## the stories of deaths, thieves and rows put back in their long forms
	$(SCRATCH) LIUMA_EVERY_STORY=1 go test -count=1 -vet=off -timeout 60m -run '$(STORIED_TESTS)' $(STORIED)

looks: ## the pages in every size, language and mode
	go test -count=1 -timeout 30m ./test/browser -run '^($(LOOKS))$$' -every-look

foreign: ## clients and linters that nobody here wrote, against our doors
	go test -timeout 12m $(FOREIGN)

faults: ## each fault of a keeper once, over four processes in network namespaces
	go test -count=1 -timeout 15m $(FAULTS)

lint: ## golangci-lint and actionlint, built from their modules at pinned versions
	go run $(GOLANGCI) run ./...
	go run $(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml

demo: ## play the demo once; fails unless every step went as it should
	go run ./cmd/liuma demo --once

changed-mutants: ## the mutants that your change concerns, for at most MUTANTS_FOR (6m)
	.ci/changed 20 | go run ./test/mutants -changed -for $(MUTANTS_FOR) -seed "$$(git rev-parse HEAD 2>/dev/null)"

mutants: ## break each invariant on purpose; each must be caught by its test
	go run ./test/mutants

crash: ## kill the real server KILLS (300) times
	LIUMA_CRASH_KILLS=$(KILLS) go test -count=1 -timeout 2h -v -run 'Killed|Releases' ./test/crash

fault-rounds: ## FAULT_ROUNDS (200) faults at random keepers; -seed of go test repeats one that failed
	go test -count=1 -timeout 5h -v -run TestRounds $(FAULTS) -rounds $(FAULT_ROUNDS)

failover: ## PostgreSQL with Patroni fails over FAILOVERS (50) times under load; 3 are a kill, a cut and a suspension of the primary
	test/failover/prepare
	$(SCRATCH) go test -count=1 -timeout 5h -v -run TestFailover $(FAILOVER) -failovers $(FAILOVERS) $(if $(SEED),-seed $(SEED)) $(if $(AUTHORITIES),-authorities $(AUTHORITIES)) $(if $(FAULT),-fault "$(FAULT)") $(if $(WITHIN),-within $(WITHIN))

drills: ## each runbook played by a script: cause, alarm, the commands that it prints, healed; DRILL=part of a name
	$(SCRATCH) go test -count=1 -timeout 90m -v -run TestDrills $(DRILLS) $(if $(DRILL),-drill $(DRILL),-drills)

images: ## build and start the container images, where Podman, Docker or Buildah runs
	go test -count=1 -timeout 30m -v -run TestImages ./test/deployment -images

alerts: ## each alert over series that make it ring and series that do not, by Debian's promtool
	.ci/promtool check rules deploy/prometheus/alerts.yml
	.ci/promtool test rules deploy/prometheus/alerts_test.yml

arithmetic: ## ten million field elements beside math/big, a million inputs beside circl
	go test -count=1 -timeout 3h -v ./internal/split/p256 -thorough

spraying: ## every guess of a day at 1,000 verifications a second, and a spray in it
	go test -count=1 -timeout 3h -v -run '^TestDay$$' ./internal/guard -whole-day

fuzz: ## every fuzz target for FUZZTIME (30s)
	.ci/fuzz $(FUZZTIME)

bench: ## measure parts and verifications, CARDS (1000) and FOR (15s), and compare with the baseline; RENEW=1 replaces that
	BENCHSTAT=$(BENCHSTAT) CARDS=$(CARDS) FOR=$(if $(filter file,$(origin FOR)),15s,$(FOR)) .ci/bench $(if $(RENEW),renew)

floods: ## measure what a normal load notices of floods: FOR (30s) for each
	go run ./cmd/liuma bench flood --for $(FOR)

screenshots: prepare ## all holder pages as PNG, into SHOTS (dist/screenshots), and the few of the READMEs
	mkdir -p $(SHOTS)
	go test -count=1 -timeout 20m ./test/browser -run TestScreenshots -screenshots $(abspath $(SHOTS))
	go test -count=1 ./test/browser -run TestReadmePictures -pictures $(abspath docs/images)

lighthouse: ## every holder page by Lighthouse, at least 90 of 100; on a machine that does nothing else
	go test -count=1 -timeout 60m ./test/browser -run TestLighthouse -v -lighthouse

gallery: ## all holder pages as files, into PAGES (dist/gallery); open its index.html
	go test -count=1 ./web -run TestGallery -gallery $(abspath $(PAGES))

soak: ## the rooms under the race detector, ROUNDS (3) times, each in another order
	CGO_ENABLED=1 go test -json $(DETECT) -shuffle=on -count=$(ROUNDS) -timeout 3h $(RACED) | go run ./test/slowest

update: prepare ## write anew every file that a test compares with what the code makes
	.ci/update

test-store: ## the conformance suite of the store on PostgreSQL: that of LIUMA_TEST_DSN, or one of its own
	$(SCRATCH) go test -count=1 -timeout 30m ./internal/store/postgres

cover: ## statements that the tests reach
	go test -timeout 20m -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

vulncheck: ## known vulnerabilities that our code can reach; needs the network
	go run $(GOVULNCHECK) ./...

build: ## the programs, at dist/liuma and dist/liuma-keeper
	CGO_ENABLED=0 go build -trimpath -o dist/ ./cmd/liuma ./cmd/liuma-keeper

build-hsm: ## the programs for machines with a hardware security module; it needs a C compiler
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o dist/liuma-hsm ./cmd/liuma
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o dist/liuma-keeper-hsm ./cmd/liuma-keeper

release: ## programs for every platform with checksums and SBOM, built twice and compared, into dist/release
	.ci/release
