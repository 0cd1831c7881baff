# Two commands do everything: `make run` and `make test`. Each installs what it needs first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 4566
HOST   ?= 127.0.0.1
DATA   ?= $(if $(ATOLL_DATA),$(ATOLL_DATA),data)
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help run test check unit conformance fault property fuzz crash bench types format lock clean tools

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/run.stamp: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Atoll needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "install Python's venv first: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements-test.lock
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-test.lock
	@touch $@

run: $(VENV)/run.stamp  ## install what is missing and start the cloud on port $(PORT)
	@exec $(BIN)/atoll up --data $(DATA) --host $(HOST) --port $(PORT) $(ARGS)

types: $(VENV)/test.stamp  ## TypedDicts of requests and replies, generated from botocore's models
	@$(BIN)/python tools/make_types.py

check: types  ## format, lint, types, import rules, tidy, unit tests: under a minute
	@mkdir -p build
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >build/imports.log || { cat build/imports.log; exit 1; }
	@$(BIN)/python tools/make_support.py --check
	@$(BIN)/pytest tests/unit tests/property -m "not slow" -n 2 -p no:cacheprovider

tools: $(VENV)/test.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tools/install_test_tools.sh

test: tools  ## every test but the long ones (fuzz, crash with many kills)
	@$(BIN)/pytest tests/unit tests/property tests/conformance -n 2 --dist loadfile -p no:cacheprovider
	@$(BIN)/pytest tests/fault -p no:cacheprovider

unit property conformance fault: tools
	@$(BIN)/pytest tests/$@ -p no:cacheprovider

fuzz: $(VENV)/test.stamp  ## throw mutated requests at the HTTP core, and at DynamoDB
	@$(BIN)/python tools/fuzz_http.py --seconds 60
	@$(BIN)/python tools/fuzz_dynamodb.py --seconds 60

crash: tools  ## many kill -9 under load, with the history checker
	@ATOLL_KILLS=300 $(BIN)/pytest tests/fault/test_s3_crash.py tests/fault/test_store_crash.py tests/fault/test_dynamodb_crash.py -s -p no:cacheprovider

bench: $(VENV)/test.stamp  ## side-by-side benchmark with the peers that are installed
	@$(BIN)/python bench/s3.py --peers $(ARGS)
	@$(BIN)/python bench/dynamodb.py --peers $(ARGS)

format: $(VENV)/test.stamp
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

lock:  ## pin what was tested: run in a clean checkout
	@rm -rf build/lock && $(PYTHON) -m venv build/lock && build/lock/bin/pip install -q . && build/lock/bin/pip uninstall -qy atoll
	@build/lock/bin/pip freeze --exclude-editable > requirements.lock
	@build/lock/bin/pip install -q '.[test]' && build/lock/bin/pip uninstall -qy atoll
	@build/lock/bin/pip freeze --exclude-editable > requirements-test.lock

clean:
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
