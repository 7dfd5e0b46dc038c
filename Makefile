# Every target works on a fresh Debian machine with python3.11 and make; `make help` lists them.

PYTHON ?= python3.11
BIN := .venv/bin
# Most tests wait for a line, a broker or a process most of their time. Those alone that judge the time of the whole way
# want the machine for themselves. Quick ones first: a mistake shows in seconds.
SIDE_BY_SIDE := tests/unit tests/property tests/contract tests/fuzz tests/integration
ALONE := tests/e2e tests/browser

.DEFAULT_GOAL := help
.PHONY: run test check fmt lint type arch bench browser chaos fuzz docs lock venv vendor system wheel wheelhouse clean help

run: venv vendor  ## start everything in one command: broker, simulated devices, gateway, centre, console
	$(BIN)/petrel up

test: venv vendor system check  ## all that a change must pass: check, then every test but chaos
	$(BIN)/pytest -n 3 --dist loadfile $(SIDE_BY_SIDE)
	$(BIN)/pytest $(ALONE)

check: lint type arch  ## what needs no running code: lint, types, layers

lint: venv  ## style and format, changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: venv  ## format, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

type: venv  ## mypy
	$(BIN)/mypy

arch: venv  ## who may import whom
	$(BIN)/lint-imports --no-logo

bench: venv  ## the numbers of the design, each beside a peer or a limit
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

browser: venv vendor system  ## the console in Debian's Chromium
	$(BIN)/pytest tests/browser

chaos: venv system  ## kill processes at random for a long time
	$(BIN)/pytest tests/chaos -m chaos --timeout 0

fuzz: venv  ## a million bad inputs for each reader, 100,000 exchanges with devices on unruly lines
	PETREL_FUZZ_INPUTS=1000000 PETREL_LINE_EXCHANGES=100000 \
		$(BIN)/pytest tests/fuzz tests/integration/edge/test_edge_unruly.py --timeout 0 -q

docs: venv  ## generated reference pages: commands, settings, devices, rules, scenarios, routes, metrics
	$(BIN)/python -m tools.reference

lock: venv  ## pin what setup.cfg asks for, by hash, into constraints.txt; UPGRADE=NAME or UPGRADE=all raises pins
	$(BIN)/python tools/lock.py $(UPGRADE)

venv: .venv/.stamp  ## .venv with everything of constraints.txt and the project in place

.venv/.stamp: constraints.txt constraints-source.txt setup.cfg pyproject.toml tools/venv.py
	@test -e $@ || echo "Setting up .venv; the first time this takes some minutes."
	@$(PYTHON) tools/venv.py

vendor: venv  ## the console's browser libraries, from npm
	@test -d alerting/console/static/vendor || echo "Fetching the console's libraries."
	@$(BIN)/python tools/vendor.py

system:  ## Debian packages that the tests use
	@$(PYTHON) tools/system_packages.py

wheel: venv vendor  ## dist/*.whl, with the console's libraries inside
	@rm -rf build
	$(BIN)/python -m build --wheel --no-isolation

wheelhouse: wheel  ## dist/wheelhouse, from which a gateway installs without a network; ARCH=aarch64 for another processor
	$(BIN)/python tools/wheelhouse.py

clean:  ## everything that the targets made
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf alerting/console/static/vendor alerting/console/.vendor-*

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  */\1\t/p' Makefile | expand -t 12
