# Front door. `make` or `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PATHS := schemas connectors streams tests benchmarks

.PHONY: help
help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  \033[1m%-13s\033[0m %s\n", $$1, $$2}'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q -e '.[dev,bench]'
	@touch $(READY)

.PHONY: setup
setup: $(READY) ## Virtual environment with everything for development

.PHONY: demo
demo: $(READY) ## The whole path on a real local Kafka, with faults and a verdict (KEEP=1 leaves it running)
	$(BIN)/sluice demo $(if $(KEEP),--keep) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS_OF_LOAD),--seconds $(SECONDS_OF_LOAD))

.PHONY: test
test: lint types unit integration deploy ## Everything that must be green: lint, types, all tests, coverage of the pure core

.PHONY: unit
unit: $(READY) ## Unit, property, contract and docs tests, with the coverage gate of the pure core
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests/unit $(filter-out $(WHOLE),$(wildcard tests/property/test_*.py)) -q
	$(BIN)/coverage report --include='$(PURE)' --fail-under=95 --skip-covered
	$(BIN)/pytest $(WHOLE) tests/contract tests/docs -q

# Laws of whole roles: tracing makes them take twice as long and adds nothing to what is measured of the core.
WHOLE := $(addprefix tests/property/test_,$(addsuffix .py,resolver resolver_machine seeded_bugs merging refold oversell \
	echoes commands explain state cutting telling))
PURE := streams/core/*,schemas/identity.py,schemas/headers.py,schemas/compat.py,schemas/plan.py,connectors/kit/pacing.py,connectors/kit/gcra.py,connectors/kit/level.py,connectors/kit/backoff.py,connectors/kit/signatures.py,connectors/kit/golden.py

.PHONY: integration
integration: $(READY) ## Integration, end-to-end and chaos tests on a real broker, and the scored scenarios
	$(BIN)/pytest tests/integration tests/e2e tests/chaos tests/score -q

.PHONY: deploy
deploy: $(READY) ## Kubernetes manifests: build, schemas, policies
	deploy/k8s/install-kustomize.sh
	$(BIN)/pytest tests/deploy -q

.PHONY: lint
lint: $(READY) ## ruff, format and import direction
	$(BIN)/ruff check --output-format concise $(PATHS)
	$(BIN)/ruff format --check -q $(PATHS)
	$(BIN)/lint-imports

.PHONY: types
types: $(READY) ## mypy --strict over everything, tests included
	$(BIN)/mypy $(PATHS)

.PHONY: fmt
fmt: $(READY) ## Format and fix what can be fixed
	$(BIN)/ruff format -q $(PATHS)
	$(BIN)/ruff check --fix -q $(PATHS)

.PHONY: stack-up
stack-up: $(READY) ## A local Kafka and schema registry, without Docker
	$(BIN)/sluice stack up

.PHONY: stack-down
stack-down: $(READY) ## Stop them; the data stays
	$(BIN)/sluice stack down

.PHONY: chaos
chaos: $(READY) ## kill -9 at random points under load: KILLS=20 SEED=1; the last line is JSON
	$(BIN)/python -m streams.testing.chaos --kills $(or $(KILLS),20) --seed $(or $(SEED),1)

.PHONY: chaos-courier
chaos-courier: $(READY) ## kill -9 of couriers, replies lost after the fact: KILLS=50 SEED=1; the last line is JSON
	$(BIN)/python -m streams.testing.courierchaos --kills $(or $(KILLS),50) --seed $(or $(SEED),1)

.PHONY: storm
storm: $(READY) ## Resolvers join and leave every 2 to 5 s under load: SECONDS=180 SEED=1; the last line is JSON
	$(BIN)/python -m streams.testing.storm --seconds $(or $(SECONDS),180) --seed $(or $(SEED),1)

.PHONY: score
score: $(READY) ## The courier's shaping of calls in virtual time, gated: SCENARIO=steady SEED=1; one JSON line per scenario
	$(BIN)/python -m streams.testing.score --seed $(or $(SEED),1) $(if $(SCENARIO),--scenario $(SCENARIO))

.PHONY: bench
bench: $(READY) ## A workload on a real broker, checked by the oracle: W=W2a, W=W6, ...; the last line is JSON
	$(BIN)/python -m benchmarks.run $(or $(W),W2a) $(if $(N),--events $(N)) $(if $(SECONDS),--seconds $(SECONDS))
