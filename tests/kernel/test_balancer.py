"""Load balancers and PrivateLink with real packets."""

import pytest

from tests.kernel.ground import SOON_SECONDS, alive, lay_ground
from tests.network.lab import Lab
from tests.network.test_trace_balancer import balanced

pytestmark = pytest.mark.kernel


@pytest.fixture
def ground():
    yield from lay_ground()


def reach(ground, here, there, address, port, listens):
    """Connect through a balancer; return both ends, and whom the target sees."""
    with ground.listen(there, listens) as listener:
        near = ground.open(here)
        near.connect((address, port))
        far, seen = listener.accept()
    far.settimeout(SOON_SECONDS)
    ground.sockets.append(far)
    return near, far, seen[0]


def test_a_target_is_reached_through_a_balancer_and_sees_its_address(ground):
    lab = balanced(Lab())
    lab.balancer("web", "v0", "v1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "web", "tcp 80", "10.0.0.20:6379")
    ground.apply(lab.world)
    near, far, seen = reach(ground, "v-client", "v-one", "10.0.0.100", 80, 6379)
    assert seen == "10.0.0.100"
    assert alive(near, far)
    assert not ground.connects("v-client", "10.0.0.100", 81)


def test_a_consumer_reaches_a_provider_with_the_same_range(ground):
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", "p1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379")
    lab.service("s", "cache")
    lab.endpoint("e", "s", "c0", groups=["c-open"], ips=["10.0.0.100"])
    ground.apply(lab.world)
    near, far, seen = reach(ground, "c-client", "p-one", "10.0.0.100", 6379, 6379)
    assert seen == "10.0.0.100"
    assert alive(near, far)


def test_a_node_asks_a_target_whether_it_is_well(ground):
    lab = balanced(Lab())
    lab.balancer("web", "v0", "v1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "web", "tcp 80", "10.0.0.20:6379")
    ground.apply(lab.world)
    _, _, seen = reach(ground, "web-v0", "v-one", "10.0.0.20", 6379, 6379)
    assert seen == "10.0.0.100"
