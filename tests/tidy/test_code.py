"""The page of style (STYLE.md), as far as a program can read it."""

import ast
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, name, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

# A longer file or function needs a reason here.  The numbers may only fall.
LONGER_FILES: dict[str, tuple[int, str]] = {}
LONGER_FUNCTIONS: dict[str, tuple[int, str]] = {}

# `process` is missing on purpose: here a process is a thing, not an act.
VAGUE_PARTS = {"helper", "helpers", "manager", "util", "utils", "utility", "utilities", "mixin"}
VAGUE_WORDS = {"data", "info", "handle", "misc", "stuff"}
NOT_VAGUE = {"src/atoll/host/engine/resp.py": {"info"}}  # the engine's own command is called INFO


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names_of(tree: ast.Module) -> list[str]:
    return [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def words(identifier: str) -> set[str]:
    spaced = "".join(f"_{c.lower()}" if c.isupper() else c for c in identifier)
    return {part for part in spaced.split("_") if part}


def is_vague(identifier: str) -> bool:
    return bool(words(identifier) & VAGUE_PARTS) or identifier.strip("_").lower() in VAGUE_WORDS


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_module_says_what_it_is(path):
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(parse(path)), "a module opens with one sentence that says what it is"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_names_say_something(path):
    vague = {n for n in (path.stem, *names_of(parse(path))) if is_vague(n)} - NOT_VAGUE.get(name(path), set())
    assert not vague, f"{sorted(vague)}: name the thing or the act"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_is_one_subject(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    allowed, _ = LONGER_FILES.get(name(path), (FILE_LINES_MAX, ""))
    assert lines <= allowed, "split it by subject"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_function_fits_on_a_screen(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            key = f"{name(path)}:{node.name}"
            allowed, _ = LONGER_FUNCTIONS.get(key, (FUNCTION_LINES_MAX, ""))
            # Without its head: the parameters of an operation are as many as AWS has and we support.
            lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            assert lines <= allowed, f"{node.name} has {lines} lines: give its parts names"


def test_the_lists_of_exceptions_are_not_older_than_the_code():
    for key in [*LONGER_FILES, *(f.partition(":")[0] for f in LONGER_FUNCTIONS)]:
        assert (ROOT / key).exists(), f"{key} has gone: remove it from the list"


def test_nothing_is_left_to_do():
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
    found = [f"{name(p)}: {mark}" for p in sources() for mark in marks if mark in p.read_text(encoding="utf-8")]
    assert not found
