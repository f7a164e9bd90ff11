# FerroLB. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
KEEP ?=
API ?= dev
ARGS ?=

.PHONY: help setup run test test-rootless envtest envtest-build check bench schemas deploy docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install what the project needs into .venv (as root on Debian also missing system packages)

$(STAMP): pyproject.toml requirements/dev.txt requirements/kubectl.txt scripts/setup.sh
	scripts/setup.sh $(VENV)
	@touch $@

run: $(STAMP) ## the main job: a lab, the requirement's Services, traffic, a failover; KEEP=1 stays up, API=real
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ferrolb demo --api $(API) $(if $(KEEP),--keep) $(ARGS)

test: check ## every check and every test
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test.sh $(ARGS)

test-rootless: $(STAMP) ## the tests that make networks, without any right (root gives all of them up)
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test_rootless.sh $(ARGS)

envtest-build: ## build the real API server, once (needs Go)
	scripts/build_envtest.sh

envtest: $(STAMP) envtest-build ## the same tests on a real API server, traffic and roles included
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/envtest.sh $(ARGS)

check: $(STAMP) ## format, lint, import contracts, types, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/python scripts/generate_deploy.py --check
	$(BIN)/python scripts/generate_conformance.py --check

bench: $(STAMP) ## measure; writes docs/benchmarks.md (takes minutes)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m bench $(ARGS)

docs: $(STAMP) ## write docs/conformance.md from the names of the tests
	$(BIN)/python scripts/generate_conformance.py

deploy: $(STAMP) ## write the generated files below deploy/
	$(BIN)/python scripts/generate_deploy.py

schemas: $(STAMP) ## make the built-in schemas of the dev API server again (needs Go)
	$(BIN)/python scripts/generate_schemas.py

lock: ## resolve the dependencies again into requirements/ (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra dev --no-emit-package ferrolb pyproject.toml -o requirements/dev.txt

clean: ## remove everything that make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* .run dist build
