"""Garbage at the sockets that guests reach.  More of it: `python -m tests.fuzz --sockets 20000`."""

import pytest

from tests.api.conftest import ec2, paper, subnet, vpc  # noqa: F401
from tests.fuzz import sockets
from tests.guest.conftest import web  # noqa: F401

VISITS = 240


@pytest.mark.parametrize("name", sockets.HOUSES)
def test_whatever_a_guest_sends_he_is_the_only_one_who_suffers(name, web, tmp_path):  # noqa: F811
    assert sockets.run(name, web, tmp_path, VISITS, "in CI") > 0, "some of it is answered"
