# `make` is what to run before each commit: under a minute, without root, engines, sockets and long random walks.
# `make check` adds everything else that needs no root.  `make test` is all of it, twice: as root and not.

bin := .venv/bin
core := tests/model tests/store tests/cache tests/control tests/network tests/aws tests/tidy
here := not kernel and not engines and not scenario

.PHONY: fast check test bench docs demo

fast: .venv/setup-stamp
	$(bin)/ruff check -q .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/python -m pytest -q -m "$(here)" -k "not mutants and not worlds" $(core)

check: .venv/setup-stamp
	$(bin)/python -m pytest -q -m "$(here)"

test:
	bin/test

bench: .venv/setup-stamp
	bin/bench

docs: .venv/setup-stamp
	$(bin)/python docs/coverage.py
	$(bin)/python packaging/written.py

demo:
	bin/demo

.venv/setup-stamp: pyproject.toml
	bin/setup
	touch $@
