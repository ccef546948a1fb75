# make run    JupyterLab and nbgate in front of it (nbgate launch); prints link and password; Ctrl-C ends both
# make test   everything CI checks: lint, types, floors, all tests; installs what they need, asks first
# make test-servers  a person's work in the notebook servers that `make test` leaves out (nbclassic, marimo, ...)
# make lint   ruff, mypy, import-linter only
# make docs   write the reference pages and the man page anew from the program
# make bench  nbgate beside other proxies, one table (bench/README.md)
# make soak   a gateway under load, attack and a change of certificates for many minutes (tests/soak/bounds.py)
# make fuzz   hostile bytes without end: atheris FUZZ_SECONDS for each parser, FUZZ_MUTATIONS beside nginx and HAProxy
# make clean  remove the virtual environment and everything made here
#
# Needs Python 3.11 or newer with venv, make and git. No root for `run`; the tests, `bench` and `soak` install Debian packages.

PYTHON ?= python3
# The bench compares builds of one maker: nginx and Caddy are Debian's, so is this Python where there is one.
BENCH_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))
BIN := .venv/bin
JUPYTERLAB := "jupyterlab>=4.6.6,<4.7"
# Other notebook servers that tests run, each in `.make/NAME-venv` (nbgate/testing/jupyter.py finds them).
SERVER_notebook7 := "notebook>=7.6,<7.7"
SERVER_notebook6 := "notebook==6.5.*"
SERVER_voila := "voila>=0.5.13,<0.6" "ipywidgets>=8.1,<9" ipykernel
SERVER_nbclassic := "nbclassic>=1.3.3,<1.4"
SERVER_marimo := "marimo>=0.25.2,<0.26"
SERVER_collaboration := $(JUPYTERLAB) "jupyter-collaboration>=5.0.4,<5.1" "jupyterlab-lsp>=5.3,<5.4" "python-lsp-server>=1.15,<2"
SERVERS := notebook7 notebook6 voila
MORE_SERVERS := nbclassic voila marimo collaboration
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

.PHONY: run test test-servers lint docs bench soak fuzz clean

run: .make/run-ready
	@$(BIN)/python -m nbgate.testing.demo $(if $(PORT),--port $(PORT))

test: .make/test-ready $(SERVERS:%=.make/%-venv-ready)
	@.ci/debian-packages $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory .make/chp-ready .make/services-ready
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

test-servers: .make/test-ready $(MORE_SERVERS:%=.make/%-venv-ready)
	@.ci/debian-packages chromium
	$(BIN)/python -m pytest -m servers
	NBGATE_TEST_RESTARTS=10 $(BIN)/python -m pytest tests/e2e/test_busy_day.py

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

.make/%-venv-ready:
	@mkdir -p .make
	$(PYTHON) -m venv .make/$*-venv
	.make/$*-venv/bin/python -m pip install --quiet $(SERVER_$*)
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
