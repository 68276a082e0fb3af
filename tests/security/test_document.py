"""docs/security.md names for each claim a test that attacks it: that test is there."""

import re

from tests.tidy.tree import ROOT

NAMED = re.compile(r"`(test_\w+)`|`(tests/[\w/]+(?:\.py)?)`")


def test_every_test_that_the_page_names_exists():
    text = (ROOT / "docs/security.md").read_text()
    there = {
        name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    named = NAMED.findall(text)

    assert len(named) > 15
    assert [name for name, _ in named if name and name not in there] == []
    assert [path for _, path in named if path and not (ROOT / path).exists()] == []


def test_every_attack_here_is_named_by_the_page():
    text = (ROOT / "docs/security.md").read_text()
    own = {"test_document.py"}
    attacks = {
        name
        for file in (ROOT / "tests/security").glob("test_*.py")
        if file.name not in own
        for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    # Of the filter itself, not of what it refuses.
    assert attacks - set(re.findall(r"test_\w+", text)) <= {
        "test_every_jump_of_a_filter_stays_inside_and_its_last_word_is_an_answer"
    }
