"""Fixtures: real daemons."""

from collections.abc import Iterator

import pytest

from tests.daemon.atoll import Atoll, running


@pytest.fixture
def atoll() -> Iterator[Atoll]:
    """A daemon of this user's mode."""
    with running() as daemon:
        yield daemon


@pytest.fixture
def paper() -> Iterator[Atoll]:
    """A daemon that runs nothing."""
    with running("paper") as daemon:
        yield daemon
