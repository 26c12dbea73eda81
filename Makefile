# Two commands are all that a newcomer needs: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 300
JOBS ?= 2

.PHONY: demo demo-reset run test lint simulate simulate-each bench locks clean help

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with  make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { echo "This Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.python
	@echo "Installing the hash-pinned libraries (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime  ## the main job on the embedded CRM; run it twice to see that nothing is done twice
	@$(BIN)/escalation-worker demo

demo-reset:  ## forget the demo's CRM, state and messages
	@rm -rf demo

test: $(VENV)/.dev lint  ## every check and every test
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS)
	@$(BIN)/python -m tests.simulation --exhaustive 12 --jobs $(JOBS)

lint: $(VENV)/.dev  ## style, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

simulate: $(VENV)/.dev  ## SEEDS=10000 histories of two workers under faults
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS)

simulate-each: $(VENV)/.dev  ## every operation of a reference history fails once, in every flavour
	@$(BIN)/python -m tests.simulation --exhaustive 1 --jobs $(JOBS)

bench: $(VENV)/.dev  ## CPU, memory and rows against a bare read-and-decode floor
	@$(BIN)/python -m tests.bench

locks: $(VENV)/.python  ## renew the lock files
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --group pyproject.toml:build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --group pyproject.toml:build --group pyproject.toml:dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean:  ## remove everything that make made
	@rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
