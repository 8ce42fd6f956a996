# Every target makes and uses .venv in this checkout; a stamp makes the second call instant.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY = PASSIVE
export TOKENIZERS_PARALLELISM = false

.PHONY: setup demo test test-gpu check bench evals docs clean

setup: $(STAMP)
	$(BIN)/litrag setup

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	touch $(STAMP)

demo: setup
	$(BIN)/litrag review examples/abstract.txt --library examples/library.jsonl -o demo-review --force

# a process a core, one thread each: two threads on a busy core wait for each other
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile --durations=25

test-gpu: setup
	$(BIN)/python -m pytest -q -m gpu -rs tests/gpu

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p litrag
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_packaging.py -k "ceiling or listed"

bench: setup
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

evals: setup
	$(BIN)/python -m litrag.evals

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) build dist *.egg-info demo-review site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
