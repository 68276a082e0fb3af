"""Fuzzing: generated requests, valid, nearly valid and hostile, and what must hold after each.

`python -m tests.fuzz --requests N --seed S` runs it by hand; docs/reliability.md, "Fuzzing", says what it proves.
"""
