"""A trace told to people: its lines, and the command that mends what refused."""

from ipaddress import IPv4Address

import pytest

from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.route import RouteTable
from atoll.model.world import Caller
from atoll.network.explain import as_dict, explain
from atoll.network.mend import Mend, mend
from atoll.network.why import Question, why
from tests.network.lab import CALLER, REGION
from tests.network.worlds import Lab

NODE = "sessions-001-0001"
SG = "aws ec2 authorize-security-group-ingress --group-id"


def mends(lab: Lab, *args: object, **options: object) -> list[Mend]:
    """Return what would mend a flow."""
    return list(mend(lab.world, lab.trace(*args, thorough=True, **options)))  # type: ignore[arg-type]


def commands(lab: Lab, *args: object, **options: object) -> list[str | None]:
    """Return the commands that would mend a flow."""
    return [m.command for m in mends(lab, *args, **options)]


def test_a_delivered_flow_is_told_step_by_step(prod):
    assert explain(prod.world, prod.trace("app", NODE, "tcp", 6379)) == [
        "tcp 10.0.1.10:40000 -> 10.0.1.230:6379 arrives, and the answer comes back",
        "✓ egress-groups        sgr-3 in sg-app",
        "✓ same-subnet          10.0.1.230 is in subnet-private too: no ACL, no route table",
        "✓ ingress-groups       sgr-9 in sg-cache",
        "✓ delivery             arrived at eni-sessions-001-0001",
        "the answer:",
        "✓ egress-groups        it answers what was allowed the other way",
        "✓ same-subnet          10.0.1.10 is in subnet-private too: no ACL, no route table",
        "✓ ingress-groups       it answers what was allowed the other way",
        "✓ delivery             arrived at eni-app",
    ]


def test_a_refused_flow_ends_with_the_command_that_mends_it(prod):
    trace = prod.trace("bastion", NODE, "tcp", 6379, thorough=True)
    assert explain(prod.world, trace) == [
        "tcp 10.0.0.60:40000 -> 10.0.1.230:6379 is denied",
        "✓ egress-groups        sgr-5 in sg-bastion",
        "✓ acl-out              rule 100 of acl-prod",
        "✓ route-table          10.0.0.0/16 -> local",
        "✓ acl-in               rule 100 of acl-prod",
        "✗ ingress-groups       no rule of sg-cache allows tcp 6379 from 10.0.0.60",
        "mend: let sg-cache allow it from group sg-bastion",
        f"  {SG} sg-cache --protocol tcp --port 6379 --source-group sg-bastion",
    ]


@pytest.mark.parametrize("public", ["203.0.113.60", "203.0.113.73"], ids=["automatic", "elastic"])
def test_a_public_address_leads_nowhere_until_its_vpc_has_a_gateway(prod, public):
    gateway = next(prod.world.all(InternetGateway))
    prod.put(gateway, vpc_id=None)

    attach = f"aws ec2 attach-internet-gateway --internet-gateway-id {gateway.id} --vpc-id vpc-prod"
    assert commands(prod, "198.51.100.27", public, "tcp", 22) == [attach]


@pytest.mark.parametrize("public", [f"203.0.113.{n}" for n in (60, 73, 99)], ids=["automatic", "elastic", "free"])
def test_nobody_is_told_whose_a_public_address_of_another_account_is(prod, public):
    prod.put(next(prod.world.all(InternetGateway)), vpc_id=None)
    prod.elastic_ip("203.0.113.99")
    found = prod.trace("198.51.100.27", public, "tcp", 22, thorough=True)
    stranger = Caller(account="999988887777", region=REGION, arn="arn:aws:iam::999988887777:root")

    says = f"{public} is no public address of a VPC with a gateway, and no outside host has it"
    assert mend(prod.world.seen_by(stranger), found) == (Mend(says),)
    assert mend(prod.world.seen_by(CALLER), found)[0].command

    asked = Question(sender=IPv4Address("198.51.100.27"), destination=IPv4Address(public), protocol="tcp", port=22)
    (blocker,) = why(prod.world.seen_by(stranger), asked).blockers
    assert blocker.mends == (Mend(says),)


def test_the_same_as_data(prod):
    told = as_dict(prod.world, prod.trace("bastion", NODE, "tcp", 6379))
    assert told["verdict"] == "denied"
    assert told["packet"] == {
        "source": "10.0.0.60", "destination": "10.0.1.230", "protocol": "tcp", "source_port": 40000, "port": 6379,
    }  # fmt: skip
    assert told["steps"][-1] == {
        "layer": "ingress-groups",
        "at": "eni-sessions-001-0001",
        "allowed": False,
        "because": "no rule of sg-cache allows tcp 6379 from 10.0.0.60",
        "code": "ENI_SG_RULES_MISMATCH",
        "packet": "tcp 10.0.0.60:40000 -> 10.0.1.230:6379",
    }
    assert told["mend"][0]["command"].startswith("aws ec2 authorize-security-group-ingress")


@pytest.mark.parametrize(
    ("rules", "protocol", "untracked"),
    [
        (["tcp 6379 0.0.0.0/0"], "tcp", True),
        (["tcp 6379 0.0.0.0/0", "tcp 6379 sg-app"], "tcp", True),
        (["tcp 6379 sg-app"], "tcp", False),
        (["tcp 6379 10.0.0.0/8"], "tcp", False),
        (["icmp 0.0.0.0/0"], "icmp", False),
    ],
    ids=["open to all", "also open to all", "a group", "a range", "icmp"],
)
def test_an_untracked_flow_is_told_of(prod, rules, protocol, untracked):
    prod.group("cache", ingress=rules)
    lines = explain(prod.world, prod.trace("app", NODE, protocol, 6379 if protocol == "tcp" else 0))
    note = f"note: the groups of eni-{NODE} do not track this flow: revoking its rule cuts it at once"
    assert (note in lines) is untracked


def test_a_flow_is_tracked_when_answers_need_a_rule_of_their_own(prod):
    prod.group("cache", ingress=["tcp 6379 0.0.0.0/0"], egress=["tcp 1024-65535 0.0.0.0/0"])
    told = as_dict(prod.world, prod.trace("app", NODE, "tcp", 6379))
    assert (told["verdict"], told["notes"]) == ("delivered", [])


# ---- groups


def test_a_group_is_opened_for_the_peers_group(prod):
    command = f"{SG} sg-cache --protocol tcp --port 6380 --source-group sg-app"
    assert commands(prod, "app", NODE, "tcp", 6380) == [command]


def test_a_group_is_opened_for_an_address_outside(prod):
    command = f"{SG} sg-nat --protocol tcp --port 6379 --cidr 198.51.100.28/32"
    assert commands(prod, "198.51.100.28", "203.0.113.73", "tcp", 6379) == [command]


def test_a_group_is_opened_for_icmp_by_its_type(prod):
    permission = "'IpProtocol=icmp,FromPort=8,ToPort=-1,UserIdGroupPairs=[{GroupId=sg-app}]'"
    assert commands(prod, "app", NODE, "icmp") == [f"{SG} sg-cache --ip-permissions {permission}"]


def test_an_outbound_rule_is_added_for_the_destinations_group(prod):
    prod.group("mute", egress=[])
    prod.instance("mute", "public", groups=["mute"])
    assert commands(prod, "mute", NODE, "tcp", 6379) == [
        "aws ec2 authorize-security-group-egress --group-id sg-mute --protocol tcp --port 6379 "
        "--source-group sg-cache",
        f"{SG} sg-cache --protocol tcp --port 6379 --source-group sg-mute",
    ]


def test_across_a_machine_that_forwards_a_rule_names_the_address():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.group("cache", ingress=["tcp 6379 sg-open"])
    for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"), ("m", "10.0.2.0/24")):
        lab.subnet(name, cidr)
    lab.instance("box", "m", groups=["open"], check=False)
    lab.instance("client", "a", groups=["open"], ip="10.0.0.10")
    lab.instance("server", "b", groups=["cache"])
    lab.table("a", {"10.0.1.0/24": "i-box"}, subnets=["a"])
    command = f"{SG} sg-cache --protocol tcp --port 6379 --cidr 10.0.0.10/32"
    assert commands(lab, "client", "server", "tcp", 6379) == [command]


def test_the_command_for_a_group_mends(prod):
    """What the command asks for, as a rule: then the packet arrives."""
    prod.group("cache", ingress=["tcp 6380 sg-app"])
    assert prod.trace("app", NODE, "tcp", 6380).arrived


# ---- ACLs


@pytest.mark.parametrize(
    ("entries", "number"),
    [
        ([], 10),
        (["100 allow tcp 22 0.0.0.0/0"], 110),
        (["90 deny tcp 6379 0.0.0.0/0", "100 allow all 0.0.0.0/0"], 89),
        (["90 deny all 0.0.0.0/0", "89 allow udp 1 0.0.0.0/0"], 88),
        (["32766 allow tcp 22 0.0.0.0/0"], 32765),
    ],
    ids=["empty", "behind the others", "before the deny", "in the next gap", "no room behind"],
)
def test_an_acl_gets_a_rule_where_it_counts(prod, entries, number):
    prod.acl("t", ingress=entries)
    prod.use_acl("private", "t")
    command = (
        f"aws ec2 create-network-acl-entry --network-acl-id acl-t --ingress --rule-number {number} --protocol tcp "
        "--port-range From=6379,To=6379 --cidr-block 10.0.0.10/32 --rule-action allow"
    )
    assert commands(prod, "web", NODE, "tcp", 6379) == [command]
    number_of = f"{number} allow tcp 6379 10.0.0.10/32"
    prod.acl("t", ingress=[*entries, number_of])
    assert prod.trace("web", NODE, "tcp", 6379).arrived


def test_an_acl_without_room_says_so(prod):
    prod.acl("t", ingress=["1 deny all 0.0.0.0/0"])
    prod.use_acl("private", "t")
    (one,) = mends(prod, "web", NODE, "tcp", 6379)
    assert (one.says, one.command) == ("acl-t has no free number before rule 1: renumber its rules", None)


def test_an_answer_needs_the_ephemeral_ports(prod):
    prod.acl("t", egress=["100 allow tcp 6379 0.0.0.0/0"])
    prod.use_acl("private", "t")
    assert commands(prod, "web", NODE, "tcp", 6379) == [
        "aws ec2 create-network-acl-entry --network-acl-id acl-t --egress --rule-number 110 --protocol tcp "
        "--port-range From=1024,To=65535 --cidr-block 10.0.0.10/32 --rule-action allow"
    ]


# ---- routes and gateways


def test_a_missing_route_to_the_internet_is_created(prod):
    assert commands(prod, "app", "198.51.100.27", "tcp", 443) == [
        "aws ec2 create-route --route-table-id rtb-prod --destination-cidr-block 0.0.0.0/0 --gateway-id igw-prod"
    ]


def test_without_a_gateway_one_is_attached_first():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/24")
    lab.instance("client", "a")
    assert commands(lab, "client", "8.8.8.8", "tcp", 443) == ["aws ec2 create-internet-gateway"]
    lab.put(lab.gateway("v"), vpc_id=None)
    attach = "aws ec2 attach-internet-gateway --internet-gateway-id igw-v --vpc-id vpc-v"
    assert commands(lab, "client", "8.8.8.8", "tcp", 443) == [attach]


def test_a_private_destination_elsewhere_cannot_be_mended(prod):
    (one,) = mends(prod, "app", "192.168.0.1", "tcp", 443)
    assert one.says == "192.168.0.1 is in no range of vpc-prod, and no other network is connected to it"


def blackhole(prod: Lab, target: str) -> list[str | None]:
    prod.table("hole", {"0.0.0.0/0": target}, subnets=["private"])
    return commands(prod, "app", "198.51.100.27", "tcp", 443)


def test_a_stopped_machine_is_started(prod):
    prod.instance("off", "public", state="stopped", check=False)
    assert blackhole(prod, "i-off") == ["aws ec2 start-instances --instance-ids i-off"]


def test_a_detached_interface_is_attached(prod):
    prod.interface("loose", "public")
    (command,) = blackhole(prod, "eni-loose")
    assert command
    assert command.startswith("aws ec2 attach-network-interface --network-interface-id eni-loose")


def test_a_detached_gateway_is_attached(prod):
    other = prod.gateway("other")
    prod.put(other, vpc_id=None)
    attach = "aws ec2 attach-internet-gateway --internet-gateway-id igw-other --vpc-id vpc-prod"
    assert blackhole(prod, "igw-other") == [attach]


def test_the_route_to_what_has_gone_is_deleted(prod):
    delete = "aws ec2 delete-route --route-table-id rtb-hole --destination-cidr-block 0.0.0.0/0"
    assert blackhole(prod, "nat-gone") == [delete]


def test_a_public_address_is_associated(prod):
    to = "--network-interface-id eni-web"
    (new,) = commands(prod, "web", "198.51.100.27", "tcp", 443)
    assert new
    assert new.startswith("aws ec2 associate-address --allocation-id $(aws ec2 allocate-address")
    free = prod.elastic_ip("203.0.113.99")
    assert commands(prod, "web", "198.51.100.27", "tcp", 443) == [
        f"aws ec2 associate-address --allocation-id {free.id} {to}"
    ]


def test_a_cache_node_gets_no_public_address(prod):
    prod.table("private", {"0.0.0.0/0": "igw-prod"}, subnets=["private"])
    (one,) = mends(prod, NODE, "198.51.100.27", "tcp", 443)
    assert one.command is None
    assert "belongs to a service" in one.says


def test_a_nat_instance_is_told_to_translate(prod):
    prod.put(prod.world[Interface, "eni-nat"], source_dest_check=False)
    prod.group("wide", ingress=["all 0.0.0.0/0"])
    prod.put(prod.world[Interface, "eni-nat"], group_ids=("sg-wide",))
    prod.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    lines = explain(prod.world, prod.trace("app", "198.51.100.27", "tcp", 443))
    assert "note: i-nat may translate addresses by its own iptables; a trace cannot see them" in lines
    assert lines[-1] == "  sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE"


# ---- interfaces and machines


def test_the_check_is_turned_off(prod):
    prod.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    assert "aws ec2 modify-instance-attribute --instance-id i-nat --no-source-dest-check" in commands(
        prod, "app", "198.51.100.27", "tcp", 443
    )


@pytest.mark.parametrize(
    ("state", "command"), [("stopped", "aws ec2 start-instances --instance-ids i-app"), ("terminated", None)]
)
def test_a_machine_that_does_not_run_is_started_if_it_can_be(prod, state, command):
    prod.set_state("app", state)
    assert commands(prod, "app", NODE, "tcp", 6379) == [command]


def test_the_resolver_is_turned_on():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", dns_support=False)
    lab.subnet("a", "10.0.0.0/24")
    lab.instance("client", "a")
    assert commands(lab, "client", "169.254.169.253", "udp", 53) == [
        "aws ec2 modify-vpc-attribute --vpc-id vpc-v --enable-dns-support"
    ]


def test_an_address_that_is_not_associated_is_to_be(prod):
    free = prod.elastic_ip("203.0.113.99")
    assert commands(prod, "198.51.100.27", "203.0.113.99", "tcp", 22) == [
        f"aws ec2 associate-address --allocation-id {free.id} --instance-id INSTANCE"
    ]


def test_outside_is_told_the_ways_in(prod):
    (one,) = mends(prod, "198.51.100.27", NODE, "tcp", 6379)
    assert one.says == "ask from an instance of its VPC, or forward through a NAT instance that has an Elastic IP"


def test_mends_come_in_the_order_of_awss_own_checks(prod):
    """Groups, ACLs, routes: whatever the order of the packet's way."""
    prod.acl("t", egress=["100 allow udp 1 0.0.0.0/0"])
    prod.use_acl("private", "t")
    prod.group("mute", egress=[])
    prod.put(prod.world[Interface, "eni-app"], group_ids=("sg-mute",))
    table = prod.world[RouteTable, "rtb-prod"]
    prod.put(table, routes=table.routes[:1])
    kinds = [c.split()[2] for c in commands(prod, "app", "198.51.100.27", "tcp", 443) if c]
    assert kinds == ["authorize-security-group-egress", "create-network-acl-entry", "create-route"]
