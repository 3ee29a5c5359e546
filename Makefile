# make test is what everybody runs before a commit; CI runs .ci/run.
SHELL := /bin/bash

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The rooms where two goroutines meet over something that must not be lost.
CORE := ./internal/pin/... ./internal/split/... ./internal/ledger/... ./internal/keeper/... \
	./internal/vault/... ./internal/store/... ./internal/evidence/... ./internal/authority/... \
	./internal/door/api/... ./internal/door/oidc/... ./client/...

FUZZTIME ?= 30s
KILLS ?= 300
CARDS ?= 1000
FOR ?= 30s

SHOTS ?= dist/screenshots
PAGES ?= dist/gallery

.PHONY: gallery screenshots help test prepare format vet unit race lint fuzz crash bench mutants cover demo build

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

test: prepare format vet unit race ## everything that must pass, under 15 minutes on two cores
	@echo "make test: all passed"

prepare: ## install what is missing, and say what and why
	@.ci/prepare

format:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go' -not -path './web/*')); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...

unit: ## all tests
	go test -timeout 12m ./...

race: prepare ## the core under the race detector
	CGO_ENABLED=1 go test -race -timeout 12m $(CORE)

lint: ## golangci-lint, built from its module at a pinned version
	go run $(GOLANGCI) run ./...

fuzz: ## every fuzz target for FUZZTIME (30s)
	.ci/fuzz $(FUZZTIME)

crash: ## kill the real server KILLS (300) times
	LIUMA_CRASH_KILLS=$(KILLS) go test -count=1 -timeout 2h -v -run Killed ./test/crash

mutants: ## break each invariant on purpose; each must be caught by its test
	go run ./test/mutants

bench: ## measure verifications: CARDS (1000) and FOR (30s)
	go run ./cmd/liuma bench verify --cards $(CARDS) --for $(FOR)

cover: ## statements that the tests reach
	go test -timeout 20m -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

screenshots: prepare ## all holder pages as PNG, into SHOTS (dist/screenshots), and the few of the READMEs
	mkdir -p $(SHOTS)
	go test -count=1 -timeout 20m ./test/browser -run TestScreenshots -screenshots $(abspath $(SHOTS))
	go test -count=1 ./test/browser -run TestReadmePictures -pictures $(abspath docs/images)

gallery: ## all holder pages as files, into PAGES (dist/gallery); open its index.html
	go test -count=1 ./web -run TestGallery -gallery $(abspath $(PAGES))

demo: ## play the demo once; fails unless every step went as it should
	go run ./cmd/liuma demo --once

build: ## the program, at dist/liuma
	CGO_ENABLED=0 go build -trimpath -o dist/liuma ./cmd/liuma
