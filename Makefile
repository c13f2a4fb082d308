# `make demo` and `make test` need nothing but Python 3.10 or newer, pip and a network that reaches the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CSRC := $(wildcard csrc/*/*.h csrc/*/*.cpp csrc/include/longshort/*.h)

# The core alone needs only cmake and g++.
CORE := cmake -S . -DLONGSHORT_TESTS=ON
NARROW := OFF
# What was compiled for the package is kept, so that it compiles anew only what has changed.
KEPT := --config-setting build-dir=build/package
ENGINE_BENCH := build/core/engine_bench

.PHONY: help demo test check format bench bench-engine wheel runtime core-test core-sanitize core-race core-bench clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(INSTALLED): pyproject.toml constraints.txt CMakeLists.txt $(CSRC)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt scikit-build-core nanobind
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation $(KEPT) --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## train a forecaster on Seattle's weather, compare it, draw the report
	$(BIN)/longshort demo --overwrite

test: $(INSTALLED)  ## all tests
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

check: $(INSTALLED)  ## style, types, exported names
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CSRC)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_public.py

format: $(INSTALLED)  ## write the code as the style wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CSRC)

bench: $(INSTALLED)  ## every figure of the tasks: days on two cores; what is finished is kept, and each runs alone too
	$(BIN)/python benchmarks/forecasting.py all
	for part in sst2 japanese-vowels; do $(BIN)/python benchmarks/classification.py $$part || exit; done
	for part in ptb-words ptb-characters shakespeare generation; do $(BIN)/python benchmarks/language.py $$part || exit; done
	for part in multi30k aeslc sgd decoding; do $(BIN)/python benchmarks/seq2seq.py $$part || exit; done
	for part in fsdd fsdd-speakers digit-strings an4 live; do $(BIN)/python benchmarks/speech.py $$part || exit; done
	for part in jsb nottingham-rolls nottingham-tunes; do $(BIN)/python benchmarks/music.py $$part || exit; done
	for part in batching sessions overload stop schema; do $(BIN)/python benchmarks/serve.py $$part || exit; done
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/tables.py

bench-engine: $(INSTALLED) $(ENGINE_BENCH)  ## the engine beside PyTorch (some fifteen minutes on two idle cores)
	$(BIN)/python benchmarks/engine.py

wheel: $(INSTALLED)  ## build the wheel, install it alone into a fresh environment, and use it there
	rm -rf dist
	$(BIN)/python -m build --no-isolation $(KEPT) --wheel --sdist
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd .venv-wheel && bin/longshort --version && bin/python ../examples/forecast.py

runtime: $(INSTALLED)  ## install that wheel without PyTorch, and compare the runtime there with the full package
	rm -rf build/runs && mkdir -p build/runs
	$(BIN)/python tests/runtime/runtime_runs.py build/runs
	$(PYTHON) -m venv --clear .venv-runtime
	.venv-runtime/bin/python -m pip install --quiet --no-deps dist/*.whl
	.venv-runtime/bin/python -m pip install --quiet --constraint constraints.txt numpy safetensors tokenizers polars narwhals soundfile soxr
	cd .venv-runtime && bin/python ../tests/runtime/runtime_answers.py ../build/runs

core-test:  ## the core's tests, from C++ alone
	$(CORE) -B build/core
	cmake --build build/core --target engine_test --parallel 2
	build/core/engine_test

core-sanitize:  ## the same, watched for wrong addresses and undefined behaviour (NARROW=ON leaves out AVX-512)
	$(CORE) -B build/sanitize -DLONGSHORT_SANITIZE=address,undefined -DLONGSHORT_NARROW=$(NARROW)
	cmake --build build/sanitize --target engine_test --parallel 2
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 build/sanitize/engine_test --quick

core-race:  ## the same, watched for races between threads
	$(CORE) -B build/race -DLONGSHORT_SANITIZE=thread -DLONGSHORT_NARROW=ON
	cmake --build build/race --target engine_test --parallel 2
	TSAN_OPTIONS=halt_on_error=1:die_after_fork=0 build/race/engine_test --race

$(ENGINE_BENCH): CMakeLists.txt $(CSRC)
	$(CORE) -B build/core
	cmake --build build/core --target engine_bench --parallel 2

core-bench: $(ENGINE_BENCH)  ## the core's speed beside the machine's
	$(ENGINE_BENCH)

clean:  ## remove what was made
	rm -rf $(VENV) .venv-wheel .venv-runtime dist build runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
