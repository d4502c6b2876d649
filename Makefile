# Two commands do all set-up on a fresh Debian with Python 3.11 and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help demo test tests lint fmt bench audit packages sync-demo sync-all clean

PYTHON ?= python3
UV := .uv/bin/uv
RUN := $(UV) run --no-sync
DEMO ?=
export UV_PYTHON_DOWNLOADS := never

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: sync-demo ## The whole journey on a synthetic health system (options: make demo DEMO="--no-serve --seed 7")
	@$(RUN) careplane demo $(DEMO)

test: packages lint tests ## Everything that has to pass: lint, types, layers, all tests

lint: sync-all ## Lint, format, types, layers, dependencies
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) deptry src

tests: sync-all ## All tests, the slow ones too
	$(RUN) pytest -q -n 2 --dist loadgroup

fmt: sync-all ## Fix and format the code
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: sync-all ## Run all benchmarks; results go to bench/results
	$(RUN) python bench/run

audit: sync-all ## Known vulnerabilities of what is installed (needs the network)
	$(RUN) pip-audit --skip-editable

packages:
	@scripts/debian-packages

sync-demo: .venv
	@$(UV) sync --quiet --locked --no-dev --inexact --extra sandbox --extra pdf

# all extras but presidio, which is large and only needed where it is in use
sync-all: .venv
	@$(UV) sync --quiet --locked --all-extras --no-extra presidio

.venv: | $(UV)
	@$(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv

$(UV):
	@scripts/bootstrap-uv $(PYTHON)

clean: ## Remove what was built and installed here, never data
	rm -rf .venv .uv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
