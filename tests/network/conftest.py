"""Fixtures of the network's tests."""

import pytest

from tests.network.worlds import Lab, prod_lab


@pytest.fixture
def prod() -> Lab:
    """The world of the documents."""
    return prod_lab()
