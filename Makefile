# Everything a newcomer needs: `make demo` and `make test` set themselves up on a machine with python3 and a package index.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Many tests wait for processes, so one more than there are cores; more than four gain nothing.
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores < 4 ? cores + 1 : 4)))

.PHONY: help setup demo test test-quick test-stories test-faults test-scenarios test-uneven test-images simulate-many check-model check format schemas bench figures lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "runner-pool needs Python 3.11 or newer; $(PYTHON) is older. Name another: make setup PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(READY) ## make .venv with the locked dependencies

demo: $(READY) ## one machine, the whole system: a burst of jobs on a stand-in GitHub and a stand-in Cloud Run
	@$(BIN)/runner-pool demo

test: $(READY) ## every room but the long ones: some eight minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-quick: $(READY) ## the rooms that take seconds: unit, property, model, simulation, vendor_failures, repository
	$(BIN)/python -m pytest tests/unit tests/property tests/model tests/simulation tests/vendor_failures tests/repository

check-model: $(READY) ## every order of the protocol's steps in larger settings than `make test` has: some minutes
	$(BIN)/python -m tests.model

test-stories: $(READY) ## rollouts, rotations, direct mode, vendors' faults: some six minutes
	$(BIN)/python -m pytest tests/stories -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-faults: $(READY) ## the grid: a burst under each fault and 200 mixtures of them, half an hour; prints a table
	$(BIN)/python -m tests.faults

test-scenarios: $(READY) ## hundreds of jobs, a day's webhooks: some ten minutes
	$(BIN)/python -m pytest tests/scenarios --ignore tests/scenarios/test_uneven_jobs.py

test-uneven: $(READY) ## twenty runs of two hundred uneven jobs, half an hour and more; prints a line for each
	$(BIN)/python -m pytest --quiet --capture=no tests/scenarios/test_uneven_jobs.py

simulate-many: $(READY) ## ten thousand worlds in virtual time, a quarter of an hour; fails when the scaler has stopped a job
	$(BIN)/python -m tests.worlds

check: $(READY) ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(READY) ## rewrite the code in the house format
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

schemas: $(READY) ## extract what we use from the published descriptions of GitHub (needs npm) and of Terraform's providers
	$(BIN)/python -m tests.schemas.extract
	$(BIN)/python -m tests.schemas.extract_terraform

bench: $(READY) ## small benches of the real programs; each prints what it measured in this run
	@$(BIN)/python -m bench

figures: $(READY) ## draw the figures and tables of docs/explanation/decision.md anew, from simulations: some minutes
	$(BIN)/python -m figures

LOCKING := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --no-annotate

lock: ## refresh requirements.lock, and of the same versions those of the images (needs uv)
	$(LOCKING) --group dev pyproject.toml --output-file requirements.lock
	$(LOCKING) --constraint requirements.lock pyproject.toml --output-file requirements-run.lock
	$(LOCKING) --constraint requirements.lock --group build --output-file requirements-build.lock
	$(LOCKING) --constraint requirements.lock --group direct --output-file requirements-direct.lock

test-images: $(READY) ## build the images and run them in the stand-in world: some minutes (needs root, podman, buildah, runc, debootstrap)
	$(BIN)/python -m pytest tests/images

clean: ## remove what setup and tests have made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
