"""What `atoll why` tells to run does mend: the real AWS CLI runs it on a copy of the world."""

import shutil
import sys
from pathlib import Path

import pytest

from atoll.cli.worlds import changed
from atoll.model.interface import Interface
from atoll.model.route import RouteTable
from atoll.model.world import World
from atoll.network.why import Question, why
from tests.network.lab import ACCOUNT, REGION
from tests.network.worlds import Lab, prod_lab

AWS = Path(sys.executable).parent / "aws"
NODE = "sessions-001-0001"
CLIENT = "198.51.100.27"
ROUNDS_MAX = 6

pytestmark = pytest.mark.skipif(not (AWS.exists() or shutil.which("aws")), reason="NO AWS CLI ON THIS MACHINE")


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)


def mended(world: World, question: Question) -> list[str]:
    """Run what mends, round by round; returns the verbs of what was run, and fails if that does not mend."""
    run: list[str] = []
    for _ in range(ROUNDS_MAX):
        answer = why(world, question)
        if answer.reachable:
            return [command.split()[2] for command in run]
        commands = [next((m.command for m in b.mends if m.command), None) for b in answer.blockers]
        todo = [c for c in dict.fromkeys(commands) if c and c not in run and "INSTANCE" not in c]
        assert todo, [(b.code, b.because, b.mends) for b in answer.blockers]
        world = changed(world, todo)
        run += todo
    raise AssertionError(f"not mended by {run}: {[b.because for b in why(world, question).blockers]}")


def ask(lab: Lab, sender: str, destination: str, port: int, protocol: str = "tcp") -> Question:
    return Question(sender=lab.at(sender), destination=lab.address(destination), protocol=protocol, port=port)


def test_groups_and_acls_in_both_directions_are_opened():
    lab = prod_lab()
    lab.group("mute", egress=[])
    lab.put(lab.world[Interface, "eni-bastion"], group_ids=("sg-mute",))
    lab.acl("tight", ingress=["90 deny tcp 6379 0.0.0.0/0"], egress=["100 allow tcp 22 0.0.0.0/0"])
    lab.use_acl("private", "tight")
    assert sorted(mended(lab.world, ask(lab, "bastion", NODE, 6379))) == [
        "authorize-security-group-egress", "authorize-security-group-ingress", "create-network-acl-entry",
        "create-network-acl-entry",
    ]  # fmt: skip


def test_icmp_is_let_in():
    lab = prod_lab()
    question = Question(sender="eni-app", destination=lab.address(NODE), protocol="icmp", port=0)
    assert mended(lab.world, question) == ["authorize-security-group-ingress"]


def test_a_way_to_the_internet_is_built_from_nothing():
    """No gateway, no route, no public address: each is named when its turn comes."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/24")
    lab.instance("web", "a")
    lab.outside(CLIENT)
    assert mended(lab.world, ask(lab, "web", CLIENT, 443)) == [
        "create-internet-gateway", "attach-internet-gateway", "create-route", "associate-address",
    ]  # fmt: skip


def test_two_vpcs_are_connected():
    """A peering connection is asked for, accepted, and routes lead there and back."""
    lab = Lab()
    for name, cidr in (("0000000a", "10.0.0.0/16"), ("0000000b", "10.1.0.0/16")):  # ids that the API believes
        lab.vpc(name, cidr)
        lab.group(f"open-{name}", ingress=["tcp 22 10.0.0.0/8"], vpc=name)
        lab.subnet(name, cidr.replace("/16", "/24"), vpc=name)
        lab.instance(f"of-{name}", name, groups=[f"open-{name}"])
    assert mended(lab.world, ask(lab, "of-0000000a", "of-0000000b", 22)) == [
        "create-vpc-peering-connection", "accept-vpc-peering-connection", "create-route", "create-route",
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["igw-gone", "nat-gone", "eni-gone", "pcx-gone"])
def test_a_blackhole_is_taken_away(target):
    lab = prod_lab()
    lab.route("public", "10.0.1.0/24", target)
    lab.group("cache", ingress=["tcp 6379 10.0.0.0/16"])
    assert mended(lab.world, ask(lab, "bastion", NODE, 6379))[0] == "delete-route"


def test_a_check_is_turned_off_where_a_machine_forwards():
    lab = prod_lab()
    lab.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    lab.group("nat", ingress=["all 0.0.0.0/0"])
    lab.instance("nat", "public", groups=["nat"], ip="10.0.0.55", nat_image=True)
    lab.outside(CLIENT)
    assert mended(lab.world, ask(lab, "app", CLIENT, 443)) == ["modify-instance-attribute"]


def test_a_resolver_is_turned_on():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", dns_support=False)
    lab.subnet("a", "10.0.0.0/24")
    lab.instance("app", "a")
    assert mended(lab.world, ask(lab, "app", "10.0.0.2", 53, "udp")) == ["modify-vpc-attribute"]


def test_ipv6_is_let_out_and_in():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2600:1f18::/56")
    lab.gateway("v")
    lab.subnet("a", "10.0.0.0/24", ipv6="2600:1f18::/64")
    lab.subnet("b", "10.0.1.0/24", ipv6="2600:1f18:0:1::/64")
    lab.group("one", ingress=[], egress=[])
    lab.group("two", ingress=[])
    lab.acl("x", ingress=["100 allow all 0.0.0.0/0"], egress=["100 allow all 0.0.0.0/0"])
    lab.use_acl("b", "x")
    lab.instance("m", "a", groups=["one"], ipv6=["2600:1f18::7"])
    lab.instance("n", "b", groups=["two"], ipv6=["2600:1f18:0:1::7"])
    question = Question(
        sender="eni-m", destination=lab.world[Interface, "eni-n"].ipv6_address, protocol="tcp", port=80
    )
    assert len(mended(lab.world, question)) == 4
    abroad = Question(sender="eni-m", destination=lab.world[Interface, "eni-n"].ipv6_address, protocol="tcp", port=81)
    assert mended(lab.world, abroad)


def test_a_route_that_is_missing_is_added():
    lab = prod_lab()
    table = lab.world[RouteTable, "rtb-public"]
    lab.put(table, routes=table.routes[:1])
    lab.outside(CLIENT)
    verbs = mended(lab.world, ask(lab, "bastion", CLIENT, 443))
    assert verbs[0] == "create-route"
