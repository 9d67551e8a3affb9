# Everything happens in .venv, made by the first target that needs it; a second call reuses it.
#   make demo                      with python3
#   make test PYTHON=python3.12    with another Python (after `make clean`)
#   make test ARGS="-k poisson"    ARGS goes to pytest (and to the benchmarks)

PYTHON ?= python3
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
INSTALL := $(PY) -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help demo test test-all conformance lint notebooks bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       fit a model to bundled data and print its summary"
	@echo "make test       run the tests"
	@echo "make test-all   run the slow tests too"
	@echo "make conformance  run statsmodels' own tests on our models"
	@echo "make lint       ruff and mypy"
	@echo "make notebooks  run the notebooks in place"
	@echo "make bench      run the benchmarks (on a quiet machine)"
	@echo "make clean      remove .venv and caches"

demo: $(VENV)/ready-demo
	@$(PY) -m torchmle.demo

test: $(VENV)/ready-test
	@$(PY) -m pytest $(ARGS)

test-all: $(VENV)/ready-test
	@$(PY) -m pytest -m "not benchmark" $(ARGS)

conformance: $(VENV)/ready-test
	@$(PY) tests/conformance/run.py $(ARGS)

lint: $(VENV)/ready-lint
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

notebooks: $(VENV)/ready-docs
	$(VENV)/bin/jupyter execute --inplace notebooks/*.ipynb

bench: $(VENV)/ready-test
	@$(PY) benchmarks/run.py $(ARGS)

# One pip run for each set of extras; an interrupted one leaves no mark and is done again.
$(VENV)/ready-demo: EXTRAS =
$(VENV)/ready-test: EXTRAS = [test]
$(VENV)/ready-lint: EXTRAS = [test,lint]
$(VENV)/ready-docs: EXTRAS = [docs]
$(VENV)/ready-%: pyproject.toml constraints.txt | $(VENV)/made
	@echo "Installing torchmle$(EXTRAS) and what it needs into $(VENV) (once; torch is large)"
	@$(INSTALL) ".$(EXTRAS)"
	@touch $@

$(VENV)/made:
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
