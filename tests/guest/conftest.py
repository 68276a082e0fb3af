"""Fixtures: an instance on paper that asks for its metadata."""

import pytest

from tests.api.conftest import ec2, paper, subnet, vpc  # noqa: F401
from tests.guest.metadata import Guest, rich


@pytest.fixture
def web(paper, ec2, vpc, subnet) -> Guest:  # noqa: F811
    return rich(paper, ec2, vpc=vpc, subnet=subnet)
