# The same targets serve people and .ci/run. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
# as many processes as cores test at a time, so each computes with one thread
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --quiet -n auto
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed  ## make .venv and install metaqnn with its development tools

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

run: .venv/installed  ## search networks for the embedded digits, print the five best
	$(BIN)/metaqnn run

test: .venv/installed  ## the tests that take seconds
	$(PYTEST) -m 'not slow'

test-all: .venv/installed  ## all tests
	$(PYTEST)

format: .venv/installed  ## format the code and sort its imports
	$(BIN)/ruff check --quiet --select I --fix .
	$(BIN)/ruff format .

lint: .venv/installed  ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed  ## check the types
	$(BIN)/mypy

check: lint types test-all  ## all that CI checks

clean:  ## remove .venv and caches, keep results
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help install run test test-all format lint types check clean
