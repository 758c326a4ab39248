# `make help` lists what there is. `make serve` and `make test` set up all they need first.
SHELL := /bin/bash
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .build/uv/bin/uv
PYTHON := .venv/bin/python
PORT ?= 5000
ARGS ?=

.PHONY: help setup serve test check format generate lock bench conformance clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: .build/dev ## Prepare the environment; afterwards the CLI is .venv/bin/tracklane

serve: .build/dev ## Serve the API on 127.0.0.1:5000 (PORT=…, ARGS='--backend-store-uri sqlite:///x.db')
	.venv/bin/tracklane server --port $(PORT) $(ARGS)

test: .build/dev .build/mlflow check ## Set up, check, and run every test
	$(PYTHON) -m pytest server/tests
	cd conformance-tests && ../$(PYTHON) -m pytest

conformance: .build/dev .build/mlflow ## Only the black-box tests (TARGET=http://… for a server that runs already)
	cd conformance-tests && ../$(PYTHON) -m pytest

check: .build/dev ## Format, lint, types, import contracts, spec lint, generated files
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --config pyproject.toml
	.venv/bin/openapi-spec-validator spec/openapi.yaml
	$(PYTHON) spec/codegen/generate.py --check

format: .build/dev ## Put the code into its format
	.venv/bin/ruff check --fix --quiet .
	.venv/bin/ruff format --quiet .

generate: .build/dev ## Write what is generated from spec/openapi.yaml
	$(PYTHON) spec/codegen/generate.py

bench: .build/dev .build/mlflow .build/fasttrackml ## Measure beside mlflow and fasttrackml, write docs/performance.md
	$(PYTHON) bench/run.py $(ARGS)

lock: $(UV) ## Renew requirements/*.lock from the *.in files
	for name in dev mlflow bench-fasttrackml; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-package tracklane-server --output-file requirements/$$name.lock requirements/$$name.in || exit 1; done

clean: ## Remove what make made
	rm -rf .build .venv .venvs

$(UV):
	@mkdir -p .build
	@python3 -c 'import ensurepip' 2>/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv)
	python3 -m venv .build/uv
	.build/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.build/dev: $(UV) requirements/dev.lock server/pyproject.toml
	test -x $(PYTHON) || $(UV) venv --quiet --python python3 .venv
	$(UV) pip sync --quiet --python $(PYTHON) requirements/dev.lock
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable server
	@touch $@

.build/mlflow: $(UV) requirements/mlflow.lock
	test -x .venvs/mlflow/bin/python || $(UV) venv --quiet --python python3 .venvs/mlflow
	$(UV) pip sync --quiet --python .venvs/mlflow/bin/python requirements/mlflow.lock
	@touch $@

.build/fasttrackml: $(UV) requirements/bench-fasttrackml.lock
	test -x .venvs/fasttrackml/bin/python || $(UV) venv --quiet --python python3 .venvs/fasttrackml
	$(UV) pip sync --quiet --python .venvs/fasttrackml/bin/python requirements/bench-fasttrackml.lock
	@touch $@
