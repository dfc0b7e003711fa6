# The habits of this project. `make demo` and `make test` need nothing but Python 3.11+.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TOGETHER ?= -n 2 --dist loadfile  # files of tests in two processes; each starts a broker of its own
EVERYDAY := "not kafka and not chaos and not browser and not slow and not compose and not thorough"
LOCK := --quiet --upgrade --universal --generate-hashes --python-version 3.12 --custom-compile-command 'make lock'

.PHONY: help demo test test-fast test-long test-oldest test-newest lint format lock images reference docs chaos \
	compose-test clean .bounds-oldest .bounds-newest

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.usable: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "streamrnn needs Python 3.11 or newer; run: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[live]'
	@touch $@

$(VENV)/.installed: $(VENV)/.usable
	@echo "installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/.usable  ## see it work: a simulated fleet and a real water flow, live
	@$(BIN)/streamrnn demo $(ARGS)

test: $(VENV)/.installed  ## all but the slow tests, with a real Kafka broker, a cluster of Flink and Chromium where they can be had
	@$(BIN)/python -m tests.broker fetch || true
	@$(BIN)/python -m tests.flink.environment || true
	@$(BIN)/python -m tests.tools || true
	$(BIN)/python -m pytest $(TOGETHER) -m "not slow and not compose" $(ARGS)

test-long: $(VENV)/.installed  ## the tests that take minutes each
	@$(BIN)/python -m tests.broker fetch || true
	@$(BIN)/python -m tests.tools || true
	$(BIN)/python -m pytest -m slow $(ARGS)

chaos: $(VENV)/.installed  ## the long form of the chaos suite: 100 kills
	@$(BIN)/python -m tests.broker fetch
	STREAMRNN_CHAOS=long $(BIN)/python -m pytest tests/chaos $(ARGS)

compose-test: $(VENV)/.installed  ## docker-compose.yml from a clean clone to killed brokers, with the engine of this machine
	$(BIN)/python -m pytest -m compose tests/deploy $(ARGS)

test-fast: $(VENV)/.installed  ## the everyday loop, a minute on two cores once kernels are compiled: no broker, no browser, no other processes
	$(BIN)/python -m pytest $(TOGETHER) -m $(EVERYDAY) $(ARGS)

test-oldest: RESOLUTION := --resolution lowest-direct
test-oldest: .bounds-oldest  ## the everyday loop with the oldest versions that pyproject.toml allows

test-newest: RESOLUTION := --upgrade
test-newest: .bounds-newest  ## the everyday loop with the newest versions that pyproject.toml allows

.bounds-oldest .bounds-newest: .bounds-%:
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv-$*/bin/uv pip install --quiet --python .venv-$* $(RESOLUTION) -e '.[dev]'
	.venv-$*/bin/python -m pytest $(TOGETHER) -m $(EVERYDAY) $(ARGS)

lint: $(VENV)/.installed  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed  ## the image's dependencies anew: deploy/image/*.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile $(LOCK) --extra live -o deploy/image/requirements.lock pyproject.toml
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile $(LOCK) -o deploy/image/build.lock -

images:  ## the newest digests of the image's bases: deploy/Dockerfile
	@$(PYTHON) deploy/image/digests.py

reference: $(VENV)/.installed  ## write docs/reference anew from the code
	$(BIN)/python docs/reference.py

docs: $(VENV)/.usable  ## the documentation as a site, in site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/python -m mkdocs build --strict

clean:  ## remove what the targets above made
	rm -rf $(VENV) .venv-oldest .venv-newest .pytest_cache .mypy_cache .ruff_cache
