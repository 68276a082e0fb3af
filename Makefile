# `make` is what to run before each commit: under a minute, without root and without engines.

bin := .venv/bin

.PHONY: fast test bench docs demo

fast: .venv/setup-stamp
	$(bin)/ruff check -q .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/python -m pytest -q -m "not kernel and not engines and not scenario"

test:
	bin/test

bench: .venv/setup-stamp
	bin/bench

docs: .venv/setup-stamp
	$(bin)/python docs/coverage.py

demo:
	bin/demo

.venv/setup-stamp: pyproject.toml
	bin/setup
	touch $@
