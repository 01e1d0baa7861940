PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test format clean

# What it is for: README.md. `make demo` and `make test` do all their own set-up.
demo: .venv/installed
	$(BIN)/python examples/demo.py demo.duckdb

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy tsea_db cli migrations tests benchmarks examples/demo.py
	$(BIN)/python -m pytest

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info demo.duckdb demo.duckdb.weights
