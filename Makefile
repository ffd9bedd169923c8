# Everything here sets itself up on a machine that has python3 with venv, git and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test check bench docs lock clean

setup: $(READY)

$(READY): requirements.lock requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: $(READY)  ## a company that does not exist, three vendors on this machine, no network
	$(BIN)/headrace demo --once

test: $(READY)  ## every test; loopback only
	$(BIN)/pytest -n 2 -q

check: $(READY)  ## what CI checks beside the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.build --check

bench: $(READY)  ## figures of this machine against the raw limit and a peer
	$(BIN)/python -m bench

docs: $(READY)  ## the generated pages of docs/reference
	$(BIN)/python -m docs.build

lock: $(READY)  ## new locks: hashes, and no address
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade pyproject.toml --group dev --output-file requirements-dev.lock

clean:
	rm -rf .venv build dist
