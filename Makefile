# Everything a newcomer runs. Needs only Python 3.11 or newer with venv, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
INSTANCE ?= instance
PORT ?= 8000

.DEFAULT_GOAL := install
.PHONY: demo run install test test-spark lint check browser tools bench audit lock clean

# ---- environments: locked versions, every file checked by its hash
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@echo "Making the virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages (about 40 seconds) …"
	@$(PIP) install --require-hashes -r requirements/run.lock
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages and the test tools (about a minute) …"
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(PIP) install --require-hashes -r requirements/dev.lock # by the pip of run.lock: older ones stumble over coverage[toml]
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run.stamp

# The extra [spark]: the same versions and Spark itself (about 450 MB).
$(VENV)/spark.stamp: requirements/spark.lock $(VENV)/dev.stamp
	@echo "Installing Spark …"
	@$(PIP) install --require-hashes -r requirements/spark.lock
	@touch $@

# ---- what people run
demo: $(VENV)/run.stamp
	@$(BIN)/sipas --instance $(INSTANCE)/demo demo --port $(PORT)

run: $(VENV)/run.stamp
	@test -e $(INSTANCE)/config.toml || $(BIN)/sipas --instance $(INSTANCE) init
	@$(BIN)/sipas --instance $(INSTANCE) serve --development-http --port $(PORT)

install: $(VENV)/run.stamp
	@echo "The command is $(BIN)/sipas. To call it sipas: source $(BIN)/activate"

# The long files stand first (tests/browser): none of them is left for the end.
test: $(VENV)/dev.stamp browser tools
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# Large tables on Spark in local mode; needs Java 17 or newer.
test-spark: $(VENV)/spark.stamp
	@command -v java >/dev/null \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	       && echo "Installing Java …" && apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openjdk-17-jre-headless >/dev/null; } \
	  || { echo "Spark needs Java; install it with: sudo apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	@$(BIN)/python -m pytest -m spark tests/test_engine_spark.py

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test

# Browser tests drive Debian's Chromium: most of them its form without windows, where it can be had.
browser:
	@{ command -v chromium && command -v chromium-headless-shell; } >/dev/null \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	       && echo "Installing Chromium …" && apt-get update -qq >/dev/null \
	       && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-headless-shell >/dev/null; } \
	  || { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
	  || { echo "The browser tests need Chromium; install it with: sudo apt-get install chromium chromium-headless-shell" >&2; exit 1; }

# The tests of the server's promises slow the disk down (a C compiler) and read its system calls (strace).
tools:
	@{ command -v cc && command -v strace; } >/dev/null \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	       && echo "Installing gcc and strace …" && apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev strace >/dev/null; } \
	  || { echo "The tests need a C compiler and strace; install them with: sudo apt-get install gcc libc6-dev strace" >&2; exit 1; }

# ---- for maintainers
bench: $(VENV)/dev.stamp tools
	@$(BIN)/python -m benchmarks.chain_40000
	@$(BIN)/python -m benchmarks.reliability --write
	@$(BIN)/python -m benchmarks.fuzz
	@$(BIN)/python -m benchmarks.one_writer
	@$(BIN)/python -m benchmarks.backup
	@$(BIN)/python -m benchmarks.sample_waves
	@$(BIN)/python -m benchmarks.simulation_study
	@$(BIN)/python -m benchmarks.odd_answers --write
	@$(BIN)/python -m benchmarks.coverage --write
	@$(BIN)/python -m benchmarks.speed --write
	@$(BIN)/python -m benchmarks.hundred_million --write

# Known holes in the locked packages. Asks the package index, so it stays apart from the tests; a package that could
# not be looked up fails the audit (--strict), for silence about it would read as "nothing known".
AUDIT := $(VENV)/audit
audit: | $(VENV)/bin/python
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) \
	  && $(AUDIT)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/audit.lock; }
	@$(AUDIT)/bin/pip-audit --requirement requirements/run.lock --require-hashes --disable-pip --strict --progress-spinner off

LOCK := uv pip compile setup.cfg --extra build --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q
lock:
	$(LOCK) -o requirements/run.lock
	$(LOCK) --extra dev -c requirements/run.lock -o requirements/dev.lock
	$(LOCK) --extra dev --extra spark -c requirements/dev.lock -o requirements/spark.lock
	uv pip compile requirements/audit.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q -o requirements/audit.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
