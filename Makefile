# make run    JupyterLab and nbgate in front of it (nbgate launch); prints link and password; Ctrl-C ends both
# make test   everything CI checks: lint, types, floors, all tests; installs what they need, asks first
# make lint   ruff, mypy, import-linter only
# make docs   write the reference pages and the man page anew from the program
# make bench  nbgate beside other proxies, one table (bench/README.md)
# make soak   a gateway under load, attack and a change of certificates for many minutes (tests/soak/bounds.py)
# make fuzz   hostile bytes without end: atheris FUZZ_SECONDS for each parser, FUZZ_MUTATIONS beside nginx and HAProxy
# make clean  remove the virtual environment and everything made here
#
# Needs Python 3.11 or newer with venv, make and git. No root for `run`; `test`, `bench` and `soak` install Debian packages.

PYTHON ?= python3
# The bench compares builds of one maker: nginx and Caddy are Debian's, so is this Python where there is one.
BENCH_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))
BIN := .venv/bin
JUPYTERLAB := "jupyterlab>=4.6.6,<4.7"
NOTEBOOK7 := "notebook>=7.6,<7.7"
NOTEBOOK6 := "notebook==6.5.*"
CHP := "configurable-http-proxy@~5.1"
# What an editor brings along to reach a notebook server.
SERVICES := "@jupyterlab/services@~7.6" "ws@^8"
NPM := $(if $(shell command -v npm),,npm)
TEST_PACKAGES := chromium nginx-light caddy haproxy wrk sslscan faketime $(NPM)
BENCH_PACKAGES := nginx-light caddy haproxy wrk python3-venv $(NPM)
SOAK_PACKAGES := nginx-light wrk
FUZZ_PACKAGES := nginx-light haproxy
# Tests with real browsers, faults and floods have the machine to themselves; the others run two at a time.
ALONE := tests/e2e tests/faults tests/soak
FUZZ_SECONDS ?= 600
FUZZ_MUTATIONS ?= 100000

.PHONY: run test lint docs bench soak fuzz clean

run: .make/run-ready
	@$(BIN)/python -m nbgate.testing.demo $(if $(PORT),--port $(PORT))

test: .make/test-ready .make/notebooks-ready
	@.ci/debian-packages $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory .make/chp-ready .make/services-ready
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

lint: .make/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .make/test-ready
	$(BIN)/python -m nbgate.cli.manual docs

bench: .make/bench-ready
	@$(MAKE) --no-print-directory .make/chp-ready
	@.make/bench-venv/bin/python -m bench --json .make/bench.json $(BENCH_OPTIONS)

soak: .make/test-ready
	@.ci/debian-packages $(SOAK_PACKAGES)
	@PYTHONPATH=tests $(BIN)/python -m soak --json .make/soak.json $(SOAK_OPTIONS)

fuzz: .make/fuzz-ready
	@.ci/debian-packages $(FUZZ_PACKAGES)
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)
	NBGATE_TEST_MUTATIONS=$(FUZZ_MUTATIONS) $(BIN)/python -m pytest -q -k mutations tests/wire

clean:
	rm -rf .venv .make

.make/venv:
	@mkdir -p .make
	$(PYTHON) -m venv .venv
	@touch $@

.make/run-ready: pyproject.toml | .make/venv
	$(BIN)/python -m pip install --quiet --editable . $(JUPYTERLAB)
	@touch $@

.make/test-ready: pyproject.toml | .make/venv
	$(BIN)/python -m pip install --quiet --editable ".[test]" $(JUPYTERLAB)
	@touch $@

# Other notebook servers that tests run, each with an environment of its own (nbgate/testing/jupyter.py finds them).
.make/notebooks-ready:
	@mkdir -p .make
	$(PYTHON) -m venv .make/notebook7-venv
	.make/notebook7-venv/bin/python -m pip install --quiet $(NOTEBOOK7)
	$(PYTHON) -m venv .make/notebook6-venv
	.make/notebook6-venv/bin/python -m pip install --quiet $(NOTEBOOK6)
	@touch $@

.make/bench-ready: pyproject.toml
	@.ci/debian-packages $(BENCH_PACKAGES)
	@mkdir -p .make
	$(BENCH_PYTHON) -m venv .make/bench-venv
	.make/bench-venv/bin/python -m pip install --quiet --editable . trustme
	@touch $@

.make/fuzz-ready: pyproject.toml | .make/test-ready
	$(BIN)/python -m pip install --quiet --editable ".[fuzz]"
	@touch $@

# Needs npm: `bench` and `test` have installed Debian's by then, where there was none.
.make/chp-ready:
	@mkdir -p .make
	npm install --prefix .make/npm --no-save --no-audit --no-fund --loglevel=error $(CHP)
	@touch $@

.make/services-ready:
	@mkdir -p .make
	npm install --prefix .make/services --no-save --no-audit --no-fund --loglevel=error $(SERVICES)
	@touch $@
