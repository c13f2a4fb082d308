# `make demo` and `make test` need nothing but Python 3.10 or newer, pip and a network that reaches the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test check format bench wheel clean

help:  ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## train a forecaster on Seattle's weather, compare it, draw the report
	$(BIN)/longshort demo --overwrite

test: $(INSTALLED)  ## all tests
	$(BIN)/python -m pytest

check: $(INSTALLED)  ## style, types, exported names
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_public.py

format: $(INSTALLED)  ## write the code as the style wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## every figure of the README (about an hour on two cores)
	$(BIN)/python benchmarks/forecasting.py all

wheel: $(INSTALLED)  ## build the wheel, install it alone into a fresh environment, and use it there
	rm -rf dist
	$(BIN)/python -m build --wheel --sdist
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd .venv-wheel && bin/longshort --version && bin/python ../examples/forecast.py

clean:  ## remove what was made
	rm -rf $(VENV) .venv-wheel dist build runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
