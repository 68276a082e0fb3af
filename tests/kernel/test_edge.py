"""Real packets at the edge of a VPC and through its middle: gateway tables, replaced local routes, prefix lists."""

import pytest

from atoll.model.route import RouteTable
from tests.kernel.ground import alive, lay_ground
from tests.network.edges import BOX, CLIENT, PUBLIC, edge_lab
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel


@pytest.fixture
def ground():
    yield from lay_ground()


def inspect(ground):
    """Let the box forward, and count what passes it."""
    ground.set("box", "net.ipv4.ip_forward", 1)
    for way in ("-s", "-d"):
        ground.run("box", "iptables", "-A", "FORWARD", way, "10.0.1.20")


def seen(ground):
    """Return how many packets from the server, and how many to it, the box has inspected."""
    lines = ground.run("box", "iptables", "-vxnL", "FORWARD").splitlines()[2:4]
    return [int(line.split()[0]) for line in lines]


def test_what_comes_from_the_internet_and_goes_there_passes_the_middlebox(ground):
    ground.apply(edge_lab().world)
    inspect(ground)
    near, far = ground.flow(CLIENT, "web", PUBLIC, 443)
    assert alive(near, far)
    assert far.getpeername()[0] == CLIENT, "a middlebox does not translate"
    assert all(count >= 3 for count in seen(ground)), "it inspects both directions"
    before = seen(ground)
    _, far = ground.flow("web", CLIENT, CLIENT, 8080)
    assert far.getpeername()[0] == PUBLIC
    assert all(now > was for now, was in zip(seen(ground), before, strict=True))


def test_a_middlebox_can_refuse(ground):
    ground.apply(edge_lab().world)
    inspect(ground)
    flow = ground.flow(CLIENT, "web", PUBLIC, 443)
    ground.run("box", "iptables", "-I", "FORWARD", "1", "-p", "tcp", "--dport", "443", "-j", "DROP")
    assert not alive(*flow)
    assert not ground.connects(CLIENT, PUBLIC, 443)
    assert alive(*ground.flow(CLIENT, "web", PUBLIC, 8443))


def test_a_gateway_sends_nothing_to_a_middlebox_without_a_public_address(ground):
    lab = edge_lab(box_is_public=False)
    ground.apply(lab.world)
    inspect(ground)
    with ground.listen("web", 443):
        assert not ground.connects(CLIENT, PUBLIC, 443)
        assert seen(ground) == [0, 0]
        lab.elastic_ip(BOX, "box")
        ground.apply(lab.world)
        assert ground.connects(CLIENT, PUBLIC, 443)


def test_a_local_route_can_lead_every_subnet_through_the_middlebox_and_be_restored(ground):
    lab = edge_lab({})
    table = lab.world[RouteTable, "rtb-edge"]
    (local,) = table.routes
    lab.put(table, routes=())
    lab.route("edge", "10.0.0.0/16", "i-box")
    ground.apply(lab.world)
    with ground.listen("web", 443):
        assert not ground.connects(CLIENT, PUBLIC, 443), "it does not forward yet"
        inspect(ground)
        assert ground.connects(CLIENT, PUBLIC, 443)
        assert seen(ground)[1] > 0
        lab.put(lab.world[RouteTable, "rtb-edge"], routes=(local,))
        ground.apply(lab.world)
        was = seen(ground)[1]
        assert ground.connects(CLIENT, PUBLIC, 443)
        assert seen(ground)[1] == was, "what comes in does not pass it any more"


def test_a_gateway_without_a_table_leads_straight_to_the_destination(ground):
    lab = edge_lab()
    lab.put(lab.world[RouteTable, "rtb-edge"], associations=())
    ground.apply(lab.world)
    inspect(ground)
    assert alive(*ground.flow(CLIENT, "web", PUBLIC, 443))
    assert seen(ground)[1] == 0
    assert seen(ground)[0] > 0, "the subnet's own table still leads answers through it"


def test_a_middlebox_stands_between_two_subnets(ground):
    ground.apply(edge_lab().world)
    with ground.listen("db", 5432):
        assert not ground.connects("web", "10.0.2.30", 5432), "it does not forward yet"
    inspect(ground)
    near, far = ground.flow("web", "db", "10.0.2.30", 5432)
    assert alive(near, far)
    assert far.getpeername()[0] == "10.0.1.20"
    assert all(count >= 3 for count in seen(ground))


def test_a_list_opens_a_route_and_a_rule_and_its_change_is_in_force_at_once(ground):
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.prefix_list("out", "198.51.100.0/24"), lab.prefix_list("who", "198.51.100.27/32")
    lab.subnet("a", "10.0.1.0/24")
    lab.table("a", {"pl-out": "igw-v"}, subnets=["a"])
    lab.group("web", ingress=["tcp 443 pl-who"])
    lab.instance("web", "a", groups=["web"], ip="10.0.1.20", public=PUBLIC)
    lab.outside(CLIENT, "198.51.100.28")
    ground.apply(lab.world)
    with ground.listen("web", 443):
        assert ground.connects(CLIENT, PUBLIC, 443)
        assert not ground.connects("198.51.100.28", PUBLIC, 443), "the list of the rule does not have it"
        lab.prefix_list("who", "198.51.100.28/32")
        ground.apply(lab.world)
        assert not ground.connects(CLIENT, PUBLIC, 443)
        assert ground.connects("198.51.100.28", PUBLIC, 443)
        lab.prefix_list("out", "198.51.100.27/32")
        ground.apply(lab.world)
        assert not ground.connects("198.51.100.28", PUBLIC, 443), "no route leads its answers back"
