# The README's commands. A machine needs Python 3.11 or newer, make and sh; the rest goes into .venv.

# The first Python that is new enough; `make test PYTHON=/path/to/python3` chooses another.
PYTHON = $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)

# More for pytest, as in `make test FLAGS='-x tests/core'`.
FLAGS =

.PHONY: demo test check big bench clean

demo: .venv/.installed
	@.venv/bin/capsa demo

test: .venv/.installed-dev
	@.venv/bin/pytest -n 2 $(FLAGS)

check: .venv/.installed-dev
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

big: .venv/.installed-dev
	@.venv/bin/pytest -m big $(FLAGS)

bench: .venv/.installed-dev
	@.venv/bin/python -m benchmarks.put_get
	@.venv/bin/python -m benchmarks.command_line

clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

.venv/.installed: pyproject.toml | .venv/bin/python
	@echo "Installing capsa into .venv ..."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml | .venv/bin/python
	@echo "Installing capsa and its development tools into .venv ..."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/.installed $@

.venv/bin/python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "capsa needs Python 3.11 or newer: install it, or name it with 'make PYTHON=/path/to/python3'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: install it (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
