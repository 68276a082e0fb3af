"""The documented procedures, as far as a packet's way shows them.  Numbers are rows of the inventory.

The addresses are those of the documents: a trusted client 198.51.100.27, a NAT instance 10.0.0.55 with the Elastic IP
203.0.113.73, cache nodes 10.0.1.230 to 232.
"""

import pytest

from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.route import RouteTable
from atoll.network.flow import Code, Verdict
from tests.network.worlds import Lab

CLIENT, STRANGER, EIP = "198.51.100.27", "198.51.100.28", "203.0.113.73"
NODE = "sessions-001-0001"


def regroup(lab: Lab, interface: str, *groups: str) -> None:
    """Give an interface other groups."""
    lab.put(lab.world[Interface, f"eni-{interface}"], group_ids=tuple(f"sg-{g}" for g in groups))


def test_row_008_a_new_cache_group_admits_nobody(prod):
    prod.group("new")
    regroup(prod, NODE, "new")
    assert prod.trace("app", NODE, "tcp", 6379).verdict is Verdict.DENIED


def test_row_021_even_a_group_open_to_all_does_not_let_the_internet_in(prod):
    prod.group("wide", ingress=["tcp 6379 0.0.0.0/0"])
    regroup(prod, NODE, "wide")
    assert prod.trace("bastion", NODE, "tcp", 6379).verdict is Verdict.DELIVERED
    trace = prod.trace(CLIENT, NODE, "tcp", 6379)
    assert (trace.verdict, trace.steps[-1].layer) == (Verdict.REFUSED, "internet")


def test_the_trusted_client_reaches_the_nat_instance_on_each_forwarded_port(prod):
    for port in (6379, 6380, 6381, 22):
        trace = prod.trace(CLIENT, EIP, "tcp", port)
        assert (trace.verdict, trace.receiver) == (Verdict.DELIVERED, "eni-nat")
        assert str(trace.received) == f"tcp {CLIENT}:40000 -> 10.0.0.55:{port}"


@pytest.mark.parametrize("port", [6379, 6380, 6381, 22])
def test_row_183_other_clients_are_refused_on_every_port(prod, port):
    trace = prod.trace(STRANGER, EIP, "tcp", port)
    because = f"no rule of sg-nat allows tcp {port} from {STRANGER}"
    assert (trace.verdict, trace.steps[-1].because) == (Verdict.DENIED, because)


def test_the_nat_instance_reaches_the_cache_as_a_member_of_its_group(prod):
    trace = prod.trace("nat", NODE, "tcp", 6379)
    said = {s.layer: s.because for s in trace.steps}
    assert trace.verdict is Verdict.DELIVERED
    assert said["ingress-groups"].endswith(" in sg-cache")


def test_row_184_without_outbound_to_the_cache_the_nat_instance_forwards_nothing(prod):
    prod.group("nat-as-printed", ingress=["tcp 6379 198.51.100.27/32"], egress=["tcp 6379 sg-nat"])
    regroup(prod, "nat", "nat-as-printed")
    trace = prod.trace("nat", NODE, "tcp", 6379)
    assert (trace.verdict, trace.steps[-1].layer) == (Verdict.DENIED, "egress-groups")


def test_row_185_the_reference_follows_the_group_and_not_the_address(prod):
    regroup(prod, "nat", "bastion")
    assert prod.trace("nat", NODE, "tcp", 6379).verdict is Verdict.DENIED
    regroup(prod, "bastion", "nat")
    assert prod.trace("bastion", NODE, "tcp", 6379).verdict is Verdict.DELIVERED


def test_error_4_the_printed_range_blocks_the_third_node(prod):
    prod.group("printed", ingress=["tcp 6379-6380 198.51.100.27/32"])
    regroup(prod, "nat", "printed")
    verdicts = [prod.trace(CLIENT, EIP, "tcp", port).verdict for port in (6379, 6380, 6381)]
    assert verdicts == [Verdict.DELIVERED, Verdict.DELIVERED, Verdict.DENIED]


def test_error_5_the_printed_ssh_source_is_the_nat_instances_own_address(prod):
    prod.group("printed", ingress=["tcp 22 203.0.113.73/32"])
    regroup(prod, "nat", "printed")
    assert prod.trace(CLIENT, EIP, "tcp", 22).verdict is Verdict.DENIED


def test_error_6_with_the_groups_swapped_the_cache_refuses(prod):
    prod.group("swapped", ingress=["tcp 6379 sg-cache"])  # its own group instead of the NAT instance's
    regroup(prod, NODE, "swapped")
    assert prod.trace("nat", NODE, "tcp", 6379).verdict is Verdict.DENIED


def test_the_clients_address_behind_the_nat_instance_would_not_do(prod):
    """Without SNAT the packet keeps the client's source: the source check drops it at the NAT instance."""
    forged = prod.address(CLIENT)
    assert prod.trace("nat", NODE, "tcp", 6379, source=forged).verdict is Verdict.SPOOFED
    prod.put(prod.world[Interface, "eni-nat"], source_dest_check=False)
    denied = prod.trace("nat", NODE, "tcp", 6379, source=forged)
    assert denied.steps[-1].because == f"no rule of sg-cache allows tcp 6379 from {CLIENT}"
    prod.group("wide", ingress=["tcp 6379 0.0.0.0/0"])
    regroup(prod, NODE, "wide")
    unanswered = prod.trace("nat", NODE, "tcp", 6379, source=forged)
    assert (unanswered.verdict, unanswered.back[-1].layer) == (Verdict.NO_ANSWER, "route-table")


# ---- 130: the four conditions of the internet, each removed


def connected(prod: Lab) -> Lab:
    assert prod.trace("bastion", CLIENT, "tcp", 443).verdict is Verdict.DELIVERED
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).verdict is Verdict.DELIVERED
    return prod


def test_row_130_without_a_gateway(prod):
    connected(prod).put(prod.world[InternetGateway, "igw-prod"], vpc_id=None)
    out = prod.trace("bastion", CLIENT, "tcp", 443)
    assert (out.verdict, out.steps[-1].code) == (Verdict.BLACKHOLE, Code.BAD_STATE_ROUTE)
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).verdict is Verdict.NOBODY


def test_row_130_without_a_route(prod):
    table = connected(prod).world[RouteTable, "rtb-public"]
    prod.put(table, routes=table.routes[:1])
    out = prod.trace("bastion", CLIENT, "tcp", 443)
    assert (out.verdict, out.steps[-1].code) == (Verdict.NO_ROUTE, Code.NO_ROUTE_TO_DESTINATION)
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).verdict is Verdict.NO_ANSWER


def test_row_130_without_a_public_address(prod):
    prod.put(connected(prod).world[Interface, "eni-bastion"], public_ip=None)
    out = prod.trace("bastion", CLIENT, "tcp", 443)
    assert (out.verdict, out.steps[-1].code) == (Verdict.REFUSED, Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS)
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).verdict is Verdict.NOBODY


def test_row_130_without_a_rule(prod):
    prod.group("mute", egress=[])
    regroup(connected(prod), "bastion", "mute")
    assert prod.trace("bastion", CLIENT, "tcp", 443).steps[-1].layer == "egress-groups"
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).steps[-1].layer == "ingress-groups"


def test_row_130_without_the_acls_consent(prod):
    prod.acl("deny", ingress=["1 deny all 198.51.100.0/24", "2 allow all 0.0.0.0/0"])
    connected(prod).use_acl("public", "deny")
    assert prod.trace(CLIENT, "203.0.113.60", "tcp", 22).steps[-1].layer == "acl-in"
    answerless = prod.trace("bastion", CLIENT, "tcp", 443)
    assert (answerless.verdict, answerless.back[-1].layer) == (Verdict.NO_ANSWER, "acl-in")


def test_row_132_the_interface_has_only_its_private_address(prod):
    trace = prod.trace("bastion", CLIENT, "tcp", 443, source_port=50123)
    assert str(trace.packet) == f"tcp 10.0.0.60:50123 -> {CLIENT}:443"
    assert str(trace.received) == f"tcp 203.0.113.60:50123 -> {CLIENT}:443"


def test_row_179_a_cache_node_is_never_reached_by_a_public_address(prod):
    assert prod.world[Interface, f"eni-{NODE}"].public_ip is None
    prod.group("wide", ingress=["all 0.0.0.0/0"])
    regroup(prod, NODE, "wide")
    assert prod.trace(CLIENT, "10.0.1.230", "tcp", 6379).verdict is Verdict.REFUSED


def test_row_188_a_group_lets_the_answer_through_and_an_acl_does_not(prod):
    prod.acl("no-answers", egress=["10 allow tcp 6379 0.0.0.0/0"])
    assert prod.trace("web", NODE, "tcp", 6379).verdict is Verdict.DELIVERED
    prod.use_acl("private", "no-answers")
    trace = prod.trace("web", NODE, "tcp", 6379)
    assert (trace.verdict, trace.back[-1].layer) == (Verdict.NO_ANSWER, "acl-out")


def test_error_12_neither_group_nor_acl_has_priority(prod):
    prod.acl("deny", ingress=["1 deny tcp 6379 0.0.0.0/0", "2 allow all 0.0.0.0/0"])
    prod.use_acl("private", "deny")
    assert prod.trace("web", NODE, "tcp", 6379).verdict is Verdict.DENIED  # the group would allow it
    prod.use_acl("private", "prod")
    assert prod.trace("web", NODE, "tcp", 22).verdict is Verdict.DENIED  # the ACL would allow it
