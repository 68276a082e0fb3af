"""One paper daemon for a file of tests, and somebody who visits its console."""

from collections.abc import Iterator

import pytest

from tests.console.visitor import Visitor
from tests.daemon.atoll import Atoll, running


@pytest.fixture(scope="module")
def atoll() -> Iterator[Atoll]:
    with running("paper") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def visitor(atoll: Atoll) -> Visitor:
    return Visitor(atoll).enter()
