"""Every row of the inventory has a test, or waits in one visible place."""

import ast
import re
from pathlib import Path

from tests.scenario.later import LATER, PARTLY

HERE = Path(__file__).parent
ROWS = range(1, 191)
NAME = re.compile(r"test_row_(\d{3})(?:_e\d)?_[a-z0-9_]+")


def titles() -> dict[int, str]:
    """Return the inventory: row number and claim."""
    lines = (HERE / "inventory.tsv").read_text().splitlines()
    return {int(number): claim for number, _, claim in (line.split("\t") for line in lines)}


def rows_with_tests() -> dict[int, list[str]]:
    """Return the rows that have tests, with the tests' names."""
    found: dict[int, list[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_"):
                match = NAME.fullmatch(node.name)
                assert match, f"{path.name}: {node.name} does not name its row: test_row_041_what_it_claims"
                found.setdefault(int(match[1]), []).append(node.name)
    return found


def test_every_row_is_tested_or_listed_for_later_and_never_both():
    known = set(rows_with_tests())
    assert known & set(LATER) == set()
    assert set(ROWS) - known - set(LATER) == set()


def test_what_is_tested_in_part_is_tested():
    assert set(PARTLY) <= set(rows_with_tests())


def test_rows_exist_and_titles_are_the_inventorys():
    claims = titles()
    assert sorted(claims) == list(ROWS)
    assert set(rows_with_tests()) <= set(claims)
    for number, later in {**LATER, **PARTLY}.items():
        assert later.title == claims[number]


def test_names_of_tests_are_unique():
    names = [name for row in rows_with_tests().values() for name in row]
    assert len(names) == len(set(names))
