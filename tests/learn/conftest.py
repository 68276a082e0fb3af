"""One daemon for all lessons: each has an account of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.atoll import Atoll, running

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.name in ("test_lessons.py", "test_labs.py", "test_command.py"):
            item.add_marker(pytest.mark.scenario)


@pytest.fixture(scope="module")
def atoll() -> Iterator[Atoll]:
    with running() as started:
        yield started
