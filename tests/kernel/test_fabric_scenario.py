"""The documented access from outside through a NAT instance, packet by packet.  Source: aws-semantics, section 1.10.

Client C = 198.51.100.27, Elastic IP 203.0.113.73, NAT instance N = 10.0.0.55, node K = 10.0.1.230 on 6379.
"""

import pytest

from atoll.model.acl import NetworkAcl
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from tests.kernel.ground import NEVER_SECONDS, SOON_SECONDS, alive, lay_ground
from tests.network.lab import acl_entry
from tests.network.worlds import prod_lab

pytestmark = pytest.mark.kernel
CLIENT, STRANGER, PUBLIC = "198.51.100.27", "198.51.100.28", "203.0.113.73"
DNAT = "-t nat -A PREROUTING -p tcp --dport 6379 -j DNAT --to-destination 10.0.1.230:6379"
SNAT = "-t nat -A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.55"


@pytest.fixture
def ground():
    yield from lay_ground()


@pytest.fixture
def lab():
    return prod_lab()


def nat(ground, *rules):
    ground.set("nat", "net.ipv4.ip_forward", 1)
    for rule in rules:
        ground.run("nat", "iptables", *rule.split())


def reaches(ground, place, listener):
    """Connect as the documents say; return whom the node saw, or None."""
    near = ground.open(place)
    near.settimeout(NEVER_SECONDS)
    try:
        near.connect((PUBLIC, 6379))
    except (TimeoutError, ConnectionRefusedError):
        return None
    listener.settimeout(SOON_SECONDS)
    far, seen = listener.accept()
    ground.sockets.append(far)
    assert alive(near, far)
    return seen[0]


def test_the_trusted_client_reaches_the_node_and_is_seen_as_the_nat_instance(ground, lab):
    ground.apply(lab.world)
    node = ground.listen("sessions-001-0001", 6379)
    assert reaches(ground, CLIENT, node) is None  # nothing forwards yet
    nat(ground, DNAT, SNAT)
    assert reaches(ground, CLIENT, node) == "10.0.0.55"
    assert reaches(ground, STRANGER, node) is None
    table = ground.run("nat", "sh", "-c", "cat /proc/net/nf_conntrack 2>/dev/null || true")
    assert table == "" or f"src={CLIENT} dst=10.0.0.55" in table


@pytest.mark.parametrize(
    ("group", "rules"),
    [
        ("nat", ["tcp 22 198.51.100.27/32"]),  # step 3: the port before DNAT
        ("nat", ["tcp 6379 198.51.100.28/32"]),
        ("cache", ["tcp 6379 sg-app"]),  # step 7: the source is a member of sg-nat
        ("cache", ["tcp 6380 sg-nat"]),
    ],
    ids=["no rule for the port", "another client", "the node admits others", "another port at the node"],
)
def test_each_group_on_the_way_must_allow_it(ground, lab, group, rules):
    ground.apply(lab.world)
    nat(ground, DNAT, SNAT)
    node = ground.listen("sessions-001-0001", 6379)
    assert reaches(ground, CLIENT, node) == "10.0.0.55"
    old = lab.world[SecurityGroup, f"sg-{group}"]
    kept = tuple(r for r in old.rules if r.egress)
    lab.put(old, rules=(*kept, *(lab._rule(text, egress=False) for text in rules)))
    ground.apply(lab.world)
    assert reaches(ground, CLIENT, node) is None


def test_the_nat_instance_s_outgoing_rules_are_asked_after_translation(ground, lab):
    nat_group = lab.world[SecurityGroup, "sg-nat"]
    incoming = tuple(r for r in nat_group.rules if not r.egress)
    lab.put(nat_group, rules=(*incoming, lab._rule("tcp 6379 sg-cache", egress=True)))
    ground.apply(lab.world)
    nat(ground, DNAT, SNAT)
    node = ground.listen("sessions-001-0001", 6379)
    assert reaches(ground, CLIENT, node) == "10.0.0.55"
    lab.put(lab.world[SecurityGroup, "sg-nat"], rules=incoming)
    ground.apply(lab.world)
    assert reaches(ground, CLIENT, node) is None


def test_acls_of_both_subnets_are_asked_both_ways(ground, lab):
    lab.acl("tight", ingress=["100 allow tcp 6379 10.0.0.0/24"], egress=["100 allow tcp 1024-65535 10.0.0.0/24"])
    lab.use_acl("private", "tight")
    ground.apply(lab.world)
    nat(ground, DNAT, SNAT)
    node = ground.listen("sessions-001-0001", 6379)
    assert reaches(ground, CLIENT, node) == "10.0.0.55"
    acl = lab.world[NetworkAcl, "acl-tight"]
    lab.put(acl, entries=(acl.entries[0], acl_entry("100 allow tcp 6379 10.0.0.0/24", egress=True)))
    ground.apply(lab.world)
    assert reaches(ground, CLIENT, node) is None  # the answer goes to an ephemeral port


def test_the_source_destination_check_may_stay_on(ground, lab):
    assert lab.world[Interface, "eni-nat"].source_dest_check
    ground.apply(lab.world)
    nat(ground, DNAT, SNAT)
    assert reaches(ground, CLIENT, ground.listen("sessions-001-0001", 6379)) == "10.0.0.55"


@pytest.mark.parametrize("check", [True, False], ids=["check on", "check off"])
@pytest.mark.parametrize("rule", ["tcp 6379 sg-nat", "tcp 6379 0.0.0.0/0"], ids=["from the group", "from anywhere"])
def test_without_the_source_translation_it_fails_whatever_is_open(ground, lab, check, rule):
    lab.put(lab.world[Interface, "eni-nat"], source_dest_check=check)
    cache = lab.world[SecurityGroup, "sg-cache"]
    lab.put(cache, rules=(*cache.rules, lab._rule(rule, egress=False)))
    ground.apply(lab.world)
    nat(ground, DNAT)
    assert reaches(ground, CLIENT, ground.listen("sessions-001-0001", 6379)) is None


def test_a_private_subnet_goes_out_through_the_nat_instance(ground, lab):
    lab.group("all", ingress=["all 10.0.0.0/16"])
    lab.put(lab.world[Interface, "eni-nat"], source_dest_check=False, group_ids=("sg-all",))
    lab.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    ground.apply(lab.world)
    nat(ground, "-t nat -A POSTROUTING -o eth0 -j MASQUERADE")
    near, far = ground.flow("app", CLIENT, CLIENT, 8080)
    assert far.getpeername()[0] == PUBLIC
    assert alive(near, far)
    lab.put(lab.world[Interface, "eni-nat"], source_dest_check=True)
    ground.apply(lab.world)
    assert not alive(near, far)
