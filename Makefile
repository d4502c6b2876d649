# Two commands do all set-up on a fresh Debian with Python 3.11 and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .uv/bin/uv
SYNC := $(UV) sync --quiet --locked

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@echo "Setting up uv in .uv (once)"
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'
