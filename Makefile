# Two commands: `make demo` shows what minimill does, `make test` proves it. `make help` lists the rest.
# Everything is built by CMake (see CMakePresets.json); this file only strings the steps together.

PREFIX ?= /usr/local
PRESET ?= dev
CONFIG ?=
CHAOS ?=
FUZZ_SECONDS ?= 60
RELEASE := build/release/src/minimill

.DEFAULT_GOAL := build
.PHONY: build demo test build-tests test-chaos test-clients test-web serve bench bench-router bench-lanes bench-distill fuzz format lint lint-changed style install clean help llama

build: llama ## build the release binary (and llama-server, where there is none)
	@scripts/bootstrap build
	@scripts/build release minimill

demo: build ## install what is missing, build, pull a small model, run a week of tasks, print the report
	@scripts/demo $(RELEASE)

test: llama ## build and run all tests, unit and end to end (PRESET=asan or tsan: under a sanitizer)
	@scripts/bootstrap build test
	@scripts/build $(PRESET)
	@scripts/run-tests $(PRESET)

test-chaos: llama ## 1,000 tasks while daemon, engines and cloud are killed: none lost, every effect outside once (CHAOS=options)
	@scripts/bootstrap build test
	@scripts/build $(PRESET) minimill minimill-tiny-gguf
	@MINIMILL_LLAMA_SERVER=$$(scripts/build-llama) MINIMILL=build/$(PRESET)/src/minimill MINIMILL_TINY_GGUF=build/$(PRESET)/tests/support/minimill-tiny-gguf tests/chaos/run $(CHAOS)

test-clients: llama ## other people's client libraries against the binary, on both lanes: prints a table
	@scripts/bootstrap build test clients
	@scripts/build $(PRESET) minimill minimill-tiny-gguf
	@MINIMILL=build/$(PRESET)/src/minimill MINIMILL_TINY_GGUF=build/$(PRESET)/tests/support/minimill-tiny-gguf tests/clients/run

test-web: llama ## the page in a real browser against the real daemon; screenshots in build/screens
	@scripts/bootstrap build test web
	@scripts/build $(PRESET) minimill minimill-tiny-gguf
	@MINIMILL_LLAMA_SERVER=$$(scripts/build-llama) MINIMILL=$(CURDIR)/build/$(PRESET)/src/minimill MINIMILL_TINY_GGUF=$(CURDIR)/build/$(PRESET)/tests/support/minimill-tiny-gguf tests/web/run

serve: build ## run the daemon in the foreground (CONFIG=path for a configuration file)
	@$(RELEASE) serve $(if $(CONFIG),--config $(CONFIG))

bench: llama ## build and run every benchmark beside its peers
	@scripts/bootstrap build bench
	@scripts/build bench
	@bench/run

bench-router: ## the router beside its peers on the shared data (MINIMILL_DATA, default ../shared/data): takes minutes
	@scripts/bootstrap build bench
	@scripts/build bench router_quality router_speed
	@build/bench/bench/router_speed --benchmark_counters_tabular=true
	@build/bench/bench/router_quality

bench-lanes: ## scheduling: one queue, two lanes, ours and known times, simulated and live; hedging: takes 8 minutes
	@scripts/bootstrap build bench
	@scripts/build bench minimill lanes_quality lanes_speed
	@build/bench/bench/lanes_speed --benchmark_counters_tabular=true
	@build/bench/bench/lanes_quality --svg build/bench/lanes.svg
	@bench/lanes_live
	@bench/hedging

bench-distill: ## a week learnt day by day, Banking77, bookings, unseen templates (MINIMILL_DATA, default ../shared/data): takes a minute
	@scripts/bootstrap build bench
	@scripts/build bench distill_quality
	@build/bench/bench/distill_quality

fuzz: ## run each fuzz target for a minute from its kept corpus (FUZZ_SECONDS=20)
	@scripts/bootstrap build fuzz
	@scripts/build fuzz fuzzers
	@scripts/run-fuzz $(FUZZ_SECONDS)

format: ## reformat our sources
	@scripts/bootstrap lint
	@scripts/lint format

lint: ## check formatting, run clang-tidy and the rules of tests/tidy
	@scripts/bootstrap build lint
	@scripts/lint check

lint-changed: ## clang-tidy on the sources changed since main
	@scripts/bootstrap build test lint
	@scripts/build dev minimill
	@scripts/lint changed

style: ## formatting and the rules of tests/tidy: seconds
	@scripts/bootstrap style
	@scripts/lint style

build-tests:
	@scripts/bootstrap build test
	@scripts/build $(PRESET)

install: build ## install to PREFIX (default /usr/local): binary, llama-server, completions, service unit
	@cmake --install build/release --prefix $(PREFIX)
	@scripts/install-llama $(PREFIX)

clean: ## remove what was built here (llama-server's cache stays)
	@rm -rf build

llama:
	@scripts/build-llama >/dev/null

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
