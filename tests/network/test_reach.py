"""Who reaches what: classes hide nothing that the tracer would tell apart, and two matrices differ where paths do."""

import json
import random
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations

import pytest

from atoll.admin import snapshot
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.lookup import public_ip_of
from atoll.network.flow import Verdict
from atoll.network.reach import matrix as matrices
from atoll.network.reach.diff import changes
from atoll.network.reach.ends import INTERNET, _Signer, ends
from atoll.network.reach.matrix import KINDS, TooMuch, matrix, spelt
from atoll.network.reach.ranges import merged, minus, pieces
from atoll.network.trace import trace
from tests.network.worlds import Lab, random_world

NODE = "sessions-001-0001"


# ---- ranges


def test_ranges_are_merged_when_they_overlap_or_touch():
    assert merged([(5, 9), (1, 2), (3, 3), (8, 12), (20, 20)]) == ((1, 3), (5, 12), (20, 20))


@pytest.mark.parametrize(
    ("one", "other", "rest"),
    [
        (((0, 10),), ((3, 4), (8, 20)), ((0, 2), (5, 7))),
        (((0, 10),), (), ((0, 10),)),
        (((5, 6),), ((0, 10),), ()),
        (((0, 1), (5, 6)), ((1, 5),), ((0, 0), (6, 6))),
    ],
)
def test_ranges_are_subtracted(one, other, rest):
    assert minus(one, other) == rest


def test_ranges_are_cut():
    assert pieces(((1, 10), (20, 30)), [5, 1, 25, 31, 15]) == ((1, 4), (5, 10), (20, 24), (25, 30))


# ---- the matrix


def reaches(found, sender, receiver, kind, port):
    """Tell what a matrix says of two ends, by an interface or by a name."""

    def index(key):
        return next(n for n, end in enumerate(found.ends) if key in end.keys)

    a, b = index(sender), index(receiver)
    ranges = found.paths.get((a, b), {}).get(kind, ())
    return any(low <= port <= high for low, high in ranges)


def by_name(found, sender, receiver):
    names = {end.name: n for n, end in enumerate(found.ends)}
    ports = found.paths.get((names[sender], names[receiver]))
    return spelt(ports) if ports else None


@pytest.mark.parametrize(("seed", "plugged"), [(n, False) for n in range(25)] + [(n, True) for n in range(5)])
def test_classes_hide_nothing_that_a_trace_tells_apart(seed, plugged):
    """Every pair of interfaces, on the ports around all bounds: the matrix says what the tracer says."""
    world = random_world(random.Random(seed), plugged=plugged)
    found = matrix(world)
    ports = (21, 22, 23, 80, 6379, 6380, 6381, 65535)
    asked = [(kind, n) for kind in ("tcp", "tcp6") for n in ports]
    asked += [("udp", 53), ("udp6", 6379), ("icmp", 0), ("icmpv6", 0)]
    for one, other in permutations(world.all(Interface), 2):
        for kind, port in asked:
            protocol, version = KINDS[kind]
            address = other.address if version == 4 else other.ipv6_address
            if address is None or (version == 6 and one.ipv6_address is None):
                continue
            said = trace(world, one.id, address, protocol, port)
            arrives = said.verdict is Verdict.DELIVERED and said.receiver == other.id
            case = (seed, one.id, other.id, kind, port)
            assert reaches(found, one.id, other.id, kind, port) is arrives, case


@pytest.mark.parametrize("seed", range(10))
def test_whom_the_internet_reaches_is_what_a_trace_says(seed):
    world = random_world(random.Random(seed))
    found = matrix(world)
    everybody = next(end for end in found.ends if end.name == INTERNET)
    for interface in world.all(Interface):
        for kind, address in (("tcp", public_ip_of(world, interface)), ("tcp6", interface.ipv6_address)):
            for port in (22, 80, 6379) if address else ():
                client = next(a for a in everybody.outside if a.version == address.version)
                said = trace(world, client, address, "tcp", port)
                arrives = said.verdict is Verdict.DELIVERED and said.receiver == interface.id
                assert reaches(found, INTERNET, interface.id, kind, port) is arrives, (seed, interface.id, kind, port)


def test_a_class_that_forgets_addresses_would_be_noticed(monkeypatch):
    """A planted bug: the differential test above can fail."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/24")
    lab.group("all", ingress=["tcp 22 10.0.0.9/32"])
    for n in (7, 8, 9):
        lab.instance(f"m{n}", "a", groups=["all"], ip=f"10.0.0.{n}")
    assert reaches(matrix(lab.world), "eni-m9", "eni-m7", "tcp", 22)
    monkeypatch.setattr(_Signer, "_ranges", lambda *_: ())
    assert not reaches(matrix(lab.world), "eni-m9", "eni-m7", "tcp", 22)


def test_ipv6_is_asked_for_itself():
    """The rule for everybody that people forget: ::/0."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2600:1f18::/56")
    lab.gateway("v")
    lab.subnet("a", "10.0.0.0/24", ipv6="2600:1f18::/64")
    lab.route("v", "::/0", "igw-v")
    lab.group("web", ingress=["tcp 22 10.0.0.0/24"], egress=["all 0.0.0.0/0", "all ::/0"])
    lab.instance("m", "a", groups=["web"], ip="10.0.0.7", ipv6=["2600:1f18::7"])
    before = lab.world
    assert by_name(matrix(before), INTERNET, "i-m (m)") is None
    lab.group("web", ingress=["tcp 22 10.0.0.0/24", "tcp 443 ::/0"], egress=["all 0.0.0.0/0", "all ::/0"])
    assert differ(before, lab.world) == [(True, INTERNET, "i-m (m)", "tcp 443 over IPv6")]


def test_random_worlds_have_classes_and_paths():
    found = [matrix(random_world(random.Random(seed))) for seed in range(25)]
    assert sum(len(m.paths) for m in found) > 100
    assert any(len(end.members) > 1 for m in found for end in m.ends)


def test_the_world_of_the_documents_is_what_it_says(prod):
    found = matrix(prod.world)
    assert by_name(found, "i-app (app)", "sessions-001") == "tcp 6379"
    assert by_name(found, "i-bastion (bastion)", "sessions-001") is None
    assert by_name(found, INTERNET, "sessions-001") is None
    assert by_name(found, "198.51.100.27/32", "i-nat (nat)") is not None
    assert by_name(found, INTERNET, "i-nat (nat)") is None


def test_a_rule_that_names_one_address_sets_its_interface_apart():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/24")
    lab.group("all", ingress=["tcp 1-100 10.0.0.0/24", "tcp 22 10.0.0.9/32", "tcp 200 10.0.0.9/32"])
    for n in (7, 8, 9):
        lab.instance(f"m{n}", "a", groups=["all"], ip=f"10.0.0.{n}")
    found = matrix(lab.world)
    assert sorted(len(e.members) for e in found.ends if e.members) == [1, 2]
    assert by_name(found, "i-m9 (m9)", "2 of sg-all (all) in subnet-a") == "tcp 1-100, 200"
    assert by_name(found, "2 of sg-all (all) in subnet-a", "2 of sg-all (all) in subnet-a") == "tcp 1-100"


def test_only_some_ports_are_asked_when_only_some_are_wanted(prod):
    found = matrix(prod.world, ports=[6379])
    assert by_name(found, "i-app (app)", "sessions-001") == "tcp 6379"
    assert {spelt(p) for p in found.paths.values()} <= {"tcp 6379", "tcp 6379; udp 6379", "udp 6379"}


def test_only_one_vpc_is_asked_when_only_one_is_wanted():
    lab = Lab()
    for name, cidr in (("v", "10.0.0.0/16"), ("w", "10.1.0.0/16")):
        lab.vpc(name, cidr)
        lab.subnet(name, cidr.replace("/16", "/24"), vpc=name)
        lab.instance(name, name)
    assert [e.name for e in matrix(lab.world, vpc_ids={"vpc-v"}).ends] == ["i-v (v)", INTERNET]


def test_a_peer_is_reached_and_a_stranger_is_not():
    lab = Lab()
    for name, cidr in (("v", "10.0.0.0/16"), ("w", "10.1.0.0/16"), ("x", "10.2.0.0/16")):
        lab.vpc(name, cidr)
        lab.group(f"open-{name}", ingress=["tcp 22 10.0.0.0/8"], vpc=name)
        lab.subnet(name, cidr.replace("/16", "/24"), vpc=name)
        lab.instance(name, name, groups=[f"open-{name}"])
    lab.peering("p", "v", "w")
    lab.route("v", "10.1.0.0/16", "pcx-p")
    lab.route("w", "10.0.0.0/16", "pcx-p")
    found = matrix(lab.world)
    assert by_name(found, "i-v (v)", "i-w (w)") == "tcp 22"
    assert by_name(found, "i-v (v)", "i-x (x)") is None


def test_too_many_questions_are_refused(prod, monkeypatch):
    monkeypatch.setattr(matrices, "TRACES_MAX", 3)
    with pytest.raises(TooMuch, match="more than 3 questions"):
        matrix(prod.world)


def test_somebody_of_a_range_is_in_no_narrower_one():
    wide, narrow = IPv4Network("203.0.112.0/24"), IPv4Network("203.0.112.0/28")
    found = {end.name: end.outside for end in ends(Lab().world, (), [wide, narrow])}
    assert found[str(narrow)] == (IPv4Address("203.0.112.1"),)
    assert found[str(wide)] == (IPv4Address("203.0.112.255"),)


# ---- what has changed


def differ(before, after):
    return [
        (c.opened, c.sender.name, c.receiver.name, spelt(c.ports)) for c in changes(matrix(before), matrix(after))
    ]


def test_the_same_world_has_changed_nothing(prod):
    assert differ(prod.world, prod.world) == []


def test_an_opened_path_is_named_with_the_rule_that_opens_it(prod):
    before = prod.world
    prod.group("cache", ingress=["tcp 6379 sg-app", "tcp 6379 sg-nat", "tcp 6379-6380 sg-bastion"])
    (found,) = [c for c in changes(matrix(before), matrix(prod.world)) if c.receiver.name == "sessions-001"]
    assert (found.opened, found.sender.name, found.receiver.name) == (True, "i-bastion (bastion)", "sessions-001")
    assert spelt(found.ports) == "tcp 6379-6380"
    (rule,) = [r.id for r in prod.world[SecurityGroup, "sg-cache"].rules if r.group_id == "sg-bastion"]
    assert found.because == f"{rule} in sg-cache"
    assert found.says == "i-bastion (bastion) reaches sessions-001: tcp 6379-6380"


def test_a_closed_path_is_named_with_what_refuses_it(prod):
    before = prod.world
    prod.group("cache", ingress=["tcp 6379 sg-nat"])
    found = changes(matrix(before), matrix(prod.world))
    (closed,) = [c for c in found if (c.sender.name, c.receiver.name) == ("i-app (app)", "sessions-001")]
    assert not closed.opened
    assert closed.because.startswith("no rule of sg-cache allows tcp 6379")


def test_a_rule_for_one_of_a_class_opens_a_path_for_that_one_only():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/24")
    lab.group("all", ingress=["tcp 22 sg-all"])
    for n in (7, 8, 9):
        lab.instance(f"m{n}", "a", groups=["all"], ip=f"10.0.0.{n}")
    before = lab.world
    lab.group("all", ingress=["tcp 22 sg-all", "tcp 80 10.0.0.9/32"])
    assert differ(before, lab.world) == [(True, "i-m9 (m9)", "2 of sg-all (all) in subnet-a", "tcp 80")]


def test_a_new_machine_opens_paths_and_one_that_went_closes_them(prod):
    before = prod.world
    prod.instance("second", "private", groups=["app"])
    opened = differ(before, prod.world)
    assert (True, "i-second (second)", "sessions-001", "tcp 6379") in opened or any(
        o and "sessions-001" in to for o, _, to, _ in opened
    )
    assert all(o for o, *_ in opened)
    assert all(not o for o, *_ in differ(prod.world, before))


def test_a_public_range_that_is_named_for_the_first_time_is_told_from_the_internet(prod):
    """The older world has never heard of it, and is asked about it all the same."""
    before = prod.world
    prod.group("nat", ingress=["tcp 22 203.0.112.0/24"])
    named = [IPv4Network("203.0.112.0/24"), IPv4Network("198.51.100.27/32")]
    found = changes(matrix(before, outside=named), matrix(prod.world, outside=named))
    opened = {(c.sender.name, c.receiver.name, spelt(c.ports)) for c in found if c.opened}
    assert opened == {("203.0.112.0/24", "i-nat (nat)", "tcp 22")}


# ---- saved


def test_a_saved_world_is_the_same_world(prod):
    text = snapshot.write(prod.world)
    again = snapshot.read(text)
    assert sorted(map(repr, again)) == sorted(map(repr, prod.world))
    assert differ(prod.world, again) == []


HEAD = b'{"format": "atoll-world-1", "revision": 1, "resources": ['


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b'{"format": "x", "revision": 1, "resources": []}', HEAD + b'["Moon", {}]]}',
     HEAD + b'["Vpc", {"id": "v"}]]}'],
)  # fmt: skip
def test_what_is_no_saved_world_is_refused(text):
    with pytest.raises(snapshot.NotAWorld):
        snapshot.read(text)


def test_a_saved_world_is_json(prod):
    assert json.loads(snapshot.write(prod.world))["format"] == snapshot.FORMAT
