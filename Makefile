PYTHON ?= python3.11
BIN := .venv/bin

TYPED := tsea_db cli migrations tests benchmarks examples/demo.py
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
# Where numbers could depend on the processor's BLAS, or on whether there is a C compiler.
NUMERICAL := $(addprefix tests/kernels/test_,logit_weights.py moments.py ranking.py running_sum.py scoring.py)

.PHONY: arm-test check clean demo format lint test test-haswell test-without-c

# What it is for: README.md. `make demo` and `make test` do all their own set-up.
demo: .venv/installed
	$(BIN)/python examples/demo.py demo.duckdb

test: lint
	$(PYTEST)
	$(MAKE) --jobs=2 test-haswell test-without-c

test-haswell: .venv/installed
	OPENBLAS_CORETYPE=Haswell $(BIN)/python -m pytest -m "not slow" $(NUMERICAL)

test-without-c: .venv/installed
	TSEA_DB_NO_EXTENSION=1 $(BIN)/python -m pytest -m "not slow" $(NUMERICAL)

# Before every commit: all but the tests marked slow, which fill stores or start processes.
check: lint
	$(PYTEST) -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)

# The same bits on 64-bit Arm as here. Needs Debian's gcc-aarch64-linux-gnu and qemu-user.
BITS := -O3 -ffp-contract=off -Wall -Wextra -Werror -Itsea_db/kernels tests/native/bits.c $(wildcard tsea_db/kernels/*.c)
arm-test:
	mkdir -p build/bits
	cc $(BITS) -o build/bits/here -lm
	aarch64-linux-gnu-gcc -static $(BITS) -o build/bits/arm -lm
	for level in 0 1 2; do build/bits/here $$level > build/bits/level-$$level; done
	qemu-aarch64 build/bits/arm 0 | tee build/bits/level-arm
	for level in 1 2 arm; do cmp build/bits/level-0 build/bits/level-$$level || exit 1; done

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: pyproject.toml constraints.txt setup.py $(wildcard tsea_db/kernels/*.[ch])
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info demo.duckdb demo.duckdb.weights
