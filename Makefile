# Every target sets up what it needs: an environment in .venv with the extras of that target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.PHONY: report test slow bench reproduce docs paper lint notebook clean

report: $(VENV)/.report
	$(BIN)/drainstats report -o build/report.html

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py $(ARGS)

reproduce: $(VENV)/.report
	$(BIN)/python -m drainstats.reproduce $(ARGS)

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W -b html docs build/docs
	@echo build/docs/index.html

paper: $(VENV)/.paper
	mkdir -p build
	$(BIN)/python paper/build.py build/paper.pdf

notebook: $(VENV)/.dev
	$(BIN)/python notebooks/execute.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.report: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[report,cli]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[bench]'
	touch $@

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[docs,report,cli]'
	touch $@

$(VENV)/.paper: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[paper]'
	touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
