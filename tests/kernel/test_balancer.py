"""Load balancers and PrivateLink with real packets."""

import socket
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from atoll.model.balancer import TargetGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.route import Route, RouteTable
from atoll.network.plan import compile
from tests.kernel.ground import NEVER_SECONDS, SOON_SECONDS, alive, lay_ground, soon
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


def marked(ground, *places, port=6379):
    """Listen in places; return a function that tells who got a connection."""
    listeners = {place: ground.listen(place, port) for place in places}
    for one in listeners.values():
        one.settimeout(0.5)

    def who(here, address, dport, *, source=0):
        near = ground.open(here)
        near.settimeout(NEVER_SECONDS)
        if source:
            near.bind(("0.0.0.0", source))
        try:
            near.connect((address, dport))
        except (TimeoutError, ConnectionError):
            return None
        for place, one in listeners.items():
            one.setblocking(False)
            with suppress(BlockingIOError):
                far, _ = one.accept()
                ground.sockets.append(far)
                return place, near, far
        raise AssertionError("somebody got it")

    return who


def pair(lab, first="healthy", second="healthy", **more):
    """Have a balancer use two targets, one in each zone."""
    lab.balancer("web", "v0", "v1", ips=["10.0.0.100", "10.0.1.100"], **more)
    lab.targets("t", "web", "tcp 80", f"10.0.0.20:6379 {first}", f"10.0.1.20:6379 {second}")
    return lab


def spread(who, address, flows=24):
    return {found[0] for n in range(flows) if (found := who("v-client", address, 80, source=41000 + n))}


def test_flows_are_spread_over_the_zones_if_it_may_cross_them(ground):
    ground.apply(pair(balanced(Lab()), cross_zone=True).world)
    who = marked(ground, "v-one", "v-two")
    assert spread(who, "10.0.0.100") == {"v-one", "v-two"}


def test_a_node_keeps_to_its_zone(ground):
    ground.apply(pair(balanced(Lab())).world)
    who = marked(ground, "v-one", "v-two")
    assert spread(who, "10.0.0.100") == {"v-one"}
    assert spread(who, "10.0.1.100") == {"v-two"}


@pytest.mark.parametrize(
    ("first", "second", "used"),
    [
        ("healthy", "unhealthy", {"v-one"}),
        ("initial", "healthy", {"v-two"}),
        ("unhealthy", "unhealthy", {"v-one", "v-two"}),
        ("draining", "unhealthy", {"v-two"}),
    ],
)
def test_only_healthy_targets_get_flows_or_all_if_none_is(ground, first, second, used):
    ground.apply(pair(balanced(Lab()), first, second, cross_zone=True).world)
    assert spread(marked(ground, "v-one", "v-two"), "10.0.0.100") == used


def test_the_flows_of_a_target_end_when_it_becomes_unhealthy_and_go_on_while_it_drains(ground):
    lab = pair(balanced(Lab()), cross_zone=True)
    ground.apply(lab.world)
    who = marked(ground, "v-one", "v-two")
    flows = [who("v-client", "10.0.0.100", 80, source=42000 + n) for n in range(12)]
    at = {place: (near, far) for place, near, far in flows}
    group = lab.world[TargetGroup, "tg-t"]
    for state, ends in (("draining", False), ("unhealthy", True)):
        lab.put(group, targets=(replace(group.targets[0], state=state), group.targets[1]))
        ground.apply(lab.world)
        near, far = at["v-one"]
        assert soon(lambda near=near, far=far, ends=ends: is_cut(near, far) is ends), state
        assert alive(*at["v-two"])


def is_cut(near, far):
    try:
        return not alive(near, far)
    except ConnectionError:
        return True


def test_all_flows_of_a_client_go_to_one_target_if_it_sticks(ground):
    lab = balanced(Lab())
    lab.balancer("web", "v0", "v1", ips=["10.0.0.100", "10.0.1.100"], cross_zone=True)
    lab.targets("t", "web", "tcp 80", "10.0.0.20:6379", "10.0.1.20:6379", sticky=True)
    ground.apply(lab.world)
    assert len(spread(marked(ground, "v-one", "v-two"), "10.0.0.100")) == 1


def test_datagrams_are_balanced_and_answered(ground):
    lab = balanced(Lab())
    lab.balancer("web", "v0", ips=["10.0.0.100"])
    lab.targets("t", "web", "udp 53", "10.0.0.20:5353")
    ground.apply(lab.world)
    server, client = ground.open("v-one", socket.SOCK_DGRAM), ground.open("v-client", socket.SOCK_DGRAM)
    server.bind(("10.0.0.20", 5353))
    client.connect(("10.0.0.100", 53))
    client.send(b"question")
    said, whom = server.recvfrom(99)
    server.sendto(b"answer", whom)
    assert (said, whom[0], client.recv(99)) == (b"question", "10.0.0.100", b"answer")
    assert not ground.connects("v-client", "10.0.0.100", 53)


def test_a_balancer_that_faces_the_internet_is_reached_from_there(ground):
    lab = balanced(Lab())
    lab.gateway("v"), lab.outside("198.51.100.27")
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["v0"], vpc="v")
    lab.balancer("web", "v0", ips=["10.0.0.100"], scheme="internet-facing")
    lab.targets("t", "web", "tcp 80", "10.0.0.20:6379")
    lab.elastic_ip("203.0.113.9", "web-v0")
    ground.apply(lab.world)
    near, far, seen = reach(ground, "198.51.100.27", "v-one", "203.0.113.9", 80, 6379)
    assert seen == "10.0.0.100"
    assert alive(near, far)


def test_a_provider_opens_nothing_towards_a_consumer(ground):
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", ips=["10.0.0.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379")
    lab.service("s", "cache")
    endpoint = lab.endpoint("e", "s", "c0", groups=["c-open"], ips=["10.0.0.50"])
    ground.apply(lab.world)
    near, far, _ = reach(ground, "c-client", "p-one", "10.0.0.50", 6379, 6379)
    known = f"169.254.128.{endpoint.number}"
    ground.listen("e-c0", 6379), ground.listen("c-client", 6379)
    assert not ground.connects("cache-p0", known, 6379), "the balancer itself"
    assert not ground.connects("p-one", known, 6379), "its target"
    assert alive(near, far)

    lab.put(endpoint, state="rejected")
    ground.apply(lab.world)
    assert not alive(near, far), "a rejected endpoint is cut at once"
    assert not ground.connects("c-client", "10.0.0.50", 6379)
    assert ground.fabric.verify() == []


def test_a_gateway_endpoint_is_reached_by_its_route_and_opens_nothing(ground):
    lab = balanced(Lab())
    endpoint = lab.gateway_endpoint("v", "s3", ["rtb-v"])
    table = lab.world[RouteTable, "rtb-v"]
    lab.put(table, routes=(*table.routes, Route(prefix_list_id="pl-63a5400a", target=endpoint.id)))
    ground.apply(lab.world)
    near, far, seen = reach(ground, "v-client", endpoint.id, "52.216.0.1", 443, 443)
    assert seen == "10.0.0.10", "it sees who asks"
    assert alive(near, far)
    assert not ground.connects("v-client", "52.216.0.1", 22)
    assert not ground.connects("v-client", "52.216.0.2", 443)
    ground.listen("v-client", 8080)
    assert not ground.connects(endpoint.id, "10.0.0.10", 8080)
    lab.put(table, routes=table.routes)
    ground.apply(lab.world)
    assert not ground.connects("v-client", "52.216.0.1", 443)


def linked():
    """Return a consumer and a provider that share a range, and a gateway endpoint."""
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", "p1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379")
    lab.service("s", "cache")
    lab.endpoint("e", "s", "c0", "c1", groups=["c-open"], ips=["10.0.0.100", "10.0.1.100"])
    lab.gateway_endpoint("c", "s3", ["rtb-c"])
    return lab


def test_the_next_daemon_finds_everything_and_open_flows_live_on(ground):
    lab = linked()
    ground.apply(lab.world)
    near, far, _ = reach(ground, "c-client", "p-one", "10.0.0.100", 6379, 6379)
    ground.fabric.close()
    ground.fabric = ground.another()
    assert ground.fabric.apply(compile(lab.world)) == []
    assert ground.fabric.verify() == []
    assert alive(near, far)


@pytest.mark.parametrize("victim", ["eni-cache-p0", "eni-e-c0", "vpce-c-s3", "vpc-p"])
def test_what_somebody_destroys_is_made_again(ground, victim):
    ground.apply(linked().world)
    reach(ground, "c-client", "p-one", "10.0.0.100", 6379, 6379)
    ground.namespaces.delete(victim)
    assert ground.fabric.verify() != []
    for _ in range(3):
        if ground.fabric.verify() == []:
            break
    assert ground.fabric.verify() == []
    near, far, seen = reach(ground, "c-client", "p-one", "10.0.0.100", 6379, 6379)
    assert seen == "10.0.0.100"
    assert alive(near, far)


def test_nothing_is_left_of_what_is_deleted(ground):
    lab = linked()
    ground.apply(lab.world)
    for id in ("vpce-e", "vpce-c-s3"):
        endpoint = lab.world[VpcEndpoint, id]
        for foot in endpoint.feet:
            lab.tx.delete(lab.world[Interface, foot.interface_id])
        lab.tx.delete(endpoint)
    ground.apply(lab.world)
    assert not [name for name in ground.namespaces.names() if name.startswith(("eni-e-", "vpce-"))]
    assert ground.fabric.verify() == []
    assert "n" not in {line.split()[1][:1] for line in ground.run("eni-cache-p0", "ip", "-o", "link").splitlines()}


@pytest.mark.parametrize("appliance", ["eni-cache-p0", "eni-e-c0"])
def test_who_continues_after_the_idle_timeout_is_reset(ground, appliance):
    ground.apply(linked().world)
    setting = "net.netfilter.nf_conntrack_tcp_timeout_established"
    assert ground.run(appliance, "sysctl", "-n", setting).strip() == "350"
    assert ground.run(appliance, "sysctl", "-n", "net.netfilter.nf_conntrack_udp_timeout").strip() == "120"
    ground.set(appliance, setting, 1)
    near, far, _ = reach(ground, "c-client", "p-one", "10.0.0.100", 6379, 6379)
    far.settimeout(NEVER_SECONDS)
    near.send(b"x")
    assert far.recv(9) == b"x"
    time.sleep(1.3)  # idle, for as long as it remembers: nothing else tells that it forgot
    near.send(b"again")
    with pytest.raises(ConnectionResetError):
        near.recv(9)
    with pytest.raises(TimeoutError):
        far.recv(9)
