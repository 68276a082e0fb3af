"""Atoll beside what people would pick instead: the same calls to each, in turns, in one run."""
