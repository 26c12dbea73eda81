# Two commands are all that a newcomer needs: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
CRM := .crm
SEEDS ?= 300
JOBS ?= 2

.PHONY: demo demo-reset demo-crm run test test-crm test-pages lint simulate simulate-each bench weights locks tryton-locks clean help

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

$(CRM)/.server: deploy/tryton/requirements.lock deploy/tryton/pyproject.toml $(wildcard deploy/tryton/escalation/*) $(wildcard deploy/tryton/escalation/*/*) | $(VENV)/.python
	@echo "Installing Tryton into $(CRM)/venv (its own, hash-pinned) ..."
	@test -x $(CRM)/venv/bin/python || $(PYTHON) -m venv $(CRM)/venv
	@$(CRM)/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/tryton/requirements.lock
	@$(CRM)/venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps --no-build-isolation --no-index ./deploy/tryton
	@rm -f $(CRM)/*.sqlite; touch $@

$(CRM)/.page: deploy/tryton/package.json deploy/tryton/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for Tryton's web page: on Debian and Ubuntu: apt install npm"; exit 1; }
	@echo "Installing Tryton's web page into $(CRM)/page ..."
	@mkdir -p $(CRM)/page && cp deploy/tryton/package.json deploy/tryton/package-lock.json $(CRM)/page/
	@npm ci --prefix $(CRM)/page --no-audit --no-fund --ignore-scripts --loglevel=error
	@ln -sfn .. $(CRM)/page/node_modules/tryton-sao/node_modules; touch $@

$(CRM)/.browser:
	@mkdir -p $(CRM); command -v chromium >/dev/null || test "$$(id -u)" = 0 || { echo "Chromium is needed: apt install chromium"; exit 1; }
	@command -v chromium >/dev/null || { echo "Installing Chromium ..."; apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null; }
	@touch $@

test-crm: $(VENV)/.dev $(CRM)/.server $(CRM)/.page $(CRM)/.browser  ## the same on a real Tryton and in its own web page, in Chromium
	@REAL_TRYTON=$(CRM) $(BIN)/python -m pytest tests/tryton

test-pages: $(VENV)/.dev $(CRM)/.browser  ## the status page and the report in Chromium: screen sizes, no scripts, accessibility
	@$(BIN)/python -m pytest tests/browser/pages.py

demo-crm: $(VENV)/.dev $(CRM)/.server $(CRM)/.page  ## a real Tryton with a portfolio and the worker at work, to click through
	@$(BIN)/python -m tests.tryton $(CRM)

lint: $(VENV)/.dev  ## style, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

simulate: $(VENV)/.dev  ## SEEDS=10000 histories of two workers under faults
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS)

simulate-each: $(VENV)/.dev  ## every operation of a reference history fails once, in every flavour
	@$(BIN)/python -m tests.simulation --exhaustive 1 --jobs $(JOBS)

bench: $(VENV)/.dev  ## CPU, memory and rows against a bare read-and-decode floor; a backtest of 10,000 accounts
	@$(BIN)/python -m tests.bench

weights: $(VENV)/.dev  ## what words weigh in detection, learned again from the labelled texts of tests/core
	@$(BIN)/python -m worker.learning tests/core/detection_texts.jsonl tests/core/detection_texts_fresh.jsonl > weights.new
	@mv weights.new config/phrases/weights.tsv

locks: $(VENV)/.python  ## renew the lock files
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --group pyproject.toml:build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --group pyproject.toml:build --group pyproject.toml:dev pyproject.toml -c requirements.lock -o requirements-dev.lock

tryton-locks: $(VENV)/.python  ## renew the lock files of the Tryton that test-crm and demo-crm run
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header deploy/tryton/requirements.in -o deploy/tryton/requirements.lock
	@cd deploy/tryton && rm -f package-lock.json && npm install --package-lock-only --no-audit --no-fund --ignore-scripts --loglevel=error
	@$(BIN)/python -m tests.tryton.hostless deploy/tryton/package-lock.json

clean:  ## remove everything that make made
	@rm -rf $(VENV) $(CRM) demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
