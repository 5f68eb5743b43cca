# Commands for people and CI; `make` alone lists them. None of them needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("falhook needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || { echo "Creating $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the locked requirements in $(VENV) …"
	@$(BIN)/python infra/setup.py
	@touch $(READY)

setup: $(READY) ## create the virtual environment from the hash-pinned lock

demo: $(READY) ## run three jobs end to end with a simulated fal and an embedded Redis; needs no key
	@exec $(BIN)/python -m infra.local demo

local: $(READY) ## run the whole stack with a simulated fal until Ctrl-C
	@exec $(BIN)/python -m infra.local up

test: $(READY) ## run all tests in parallel, then failed ones alone [TESTS=tests/worker/jobs]
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS) || { \
	  test $$? -eq 1 && echo "Running the failed tests again, one at a time …" \
	  && $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 5; }

faults: $(READY) ## run jobs while every part fails at random [SEED= JOBS= MINUTES=]
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS)) $(if $(MINUTES),--minutes $(MINUTES))

soak: $(READY) ## run many small jobs with a SIGKILL every KILLS seconds [JOBS= KILLS= SEED=]
	@$(BIN)/python -m tests.soak $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## compare receiver, media and pipeline with alternatives, and scale; writes bench.json
	@missed=0; for bench in receiver media scale pipeline api api_events console notifications; do $(BIN)/python -m tests.bench.$$bench || missed=1; done; exit $$missed

check: $(READY) ## check lint, formatting, strict types and the import contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/repository/test_imports.py

lock: ## regenerate the requirement locks, of the images too (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv, which is not on PATH: install it from https://docs.astral.sh/uv/" >&2; exit 2; }
	@uv pip compile --quiet --universal --generate-hashes --all-extras --python-version 3.11 --no-header pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --generate-hashes --extra otel --extra provenance --python-version 3.11 --no-header --constraint requirements.lock pyproject.toml -o requirements-runtime.lock
	@cd infra/container && for image in receiver api; do uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --constraint ../../requirements-runtime.lock $$image.in -o $$image.lock || exit; done
	@cd infra/container && uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --constraint ../../requirements.lock build.in -o build.lock

derived: $(READY) ## write the lists of settings and endpoints that follow from their declarations
	@$(BIN)/python -m infra.derived

diagram: $(READY) ## draw docs/job.svg from docs/job.dot (needs Graphviz)
	@$(BIN)/python -m infra.diagram

clean: ## remove generated files, including the virtual environment
	@rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help setup demo local test faults soak bench check lock derived diagram clean
