# `make` alone lists what there is.
PYTHON ?= python3
ARGS ?=
DEV = .venv
DEMO = .venv-demo
BIN = $(DEV)/bin
# torchvision's weight files, where they lie beside the repository and nobody says otherwise
WEIGHTS = $(if $(THORACLE_WEIGHTS_DIR),,$(if $(wildcard ../shared/weights),THORACLE_WEIGHTS_DIR=../shared/weights))
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo setup check fix test starter reproduce bench samples chaos loop pictures openapi clean
.DEFAULT_GOAL := help

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

##@ Use
demo: $(DEMO)/.ready ## Everything on this machine: engines, gateway, worker, page, one study per modality (ARGS="--once --json")
	@$(DEMO)/bin/thoracle demo $(ARGS)

samples: $(DEMO)/.ready ## One file for every outcome, for integrators, in ./samples
	@$(DEMO)/bin/thoracle samples samples

$(DEMO)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Thoracle needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@echo "Installing the service into $(DEMO) (once, a minute or two) ..." >&2
	@$(PYTHON) -m venv $(DEMO)
	@$(DEMO)/bin/pip install -q -c constraints.txt -e '.[api,worker,embedded]' >&2
	@touch $@

##@ Develop
setup: $(DEV)/.ready ## The development environment, with torch (7 GB)

$(DEV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(DEV)
	@$(BIN)/pip install -q -c constraints.txt torch torchvision
	@$(BIN)/pip install -q -c constraints.txt -e '.[api,worker,trainer,embedded,dev]'
	@touch $@

check: $(DEV)/.ready ## Format, lint, types, import law
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(DEV)/.ready ## Format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(DEV)/.ready ## Every test, on a real PostgreSQL and Valkey, in two processes (ARGS="-k name"; JOBS=0: in one)
	$(BIN)/pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder $(ARGS)

starter: $(DEV)/.ready ## Train the three starter versions again (DATA=folder with the development data)
	$(WEIGHTS) $(BIN)/thoracle train --starters --data $(or $(DATA),../shared/data)

reproduce: $(DEV)/.ready ## Train every documented recipe and write docs/reproduction.md and docs/results.md (hours; goes on where it stopped)
	$(WEIGHTS) $(BIN)/thoracle reproduce --data $(or $(DATA),../shared/data) $(ARGS)

bench: $(DEV)/.ready ## Measure against the limits and the peers, write docs/bench.md (ARGS="throughput latency": some of it)
	$(WEIGHTS) $(BIN)/python -m bench $(ARGS)

chaos: $(DEV)/.ready ## Faults on a real stack, judged by what it promises; writes docs/reliability.md (SEED=7 MINUTES=20)
	$(BIN)/python -m tests.chaos --keep --minutes $(or $(MINUTES),20) $(if $(SEED),--seed $(SEED)) $(ARGS)

loop: $(DEV)/.ready ## From verdicts to a retrained version and back, on a real stack with real coughs; writes docs/loop.md (DATA=folder)
	$(BIN)/python -m tests.loop --data $(or $(DATA),../shared/data) $(ARGS)

pictures: $(DEV)/.ready ## Pictures of every page in light and dark, and docs/pages.md (ARGS="worklist batch": some of them)
	$(BIN)/python -m tests.e2e.pictures $(ARGS)

openapi: $(DEV)/.ready ## Write docs/openapi.json again
	$(BIN)/python -m services.api.openapi

clean: ## Remove both environments and every cache
	rm -rf $(DEV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis samples
