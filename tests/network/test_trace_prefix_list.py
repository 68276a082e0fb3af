"""Prefix lists in the tracer and in the plan: as a route's destination, and as the other end of a rule."""

import pytest

from atoll.model.prefix_list import PrefixList, managed
from atoll.model.route import RouteTable
from atoll.network.explain import explain
from atoll.network.flow import Verdict
from atoll.network.layers.hop import best_route
from atoll.network.mend import mend
from atoll.network.plan import compile, difference
from tests.network.lab import refusal
from tests.network.worlds import Lab

SERVER = "198.51.100.27"


@pytest.fixture
def lab():
    """Return a client with a public address, and a table whose only way out leads to a list."""
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.prefix_list("out", "198.51.100.0/24", "203.0.113.0/24")
    lab.subnet("a", "10.0.0.0/24")
    lab.table("a", {"pl-out": "igw-v"}, subnets=["a"])
    lab.group("client")
    lab.instance("client", "a", groups=["client"], ip="10.0.0.10", public="203.0.113.10")
    lab.outside(SERVER)
    return lab


def test_a_route_leads_to_each_range_of_its_list(lab):
    trace = lab.trace("client", SERVER, "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert any("pl-out -> igw-v" in line for line in explain(lab.world, trace))
    assert lab.trace("client", "8.8.8.8", "tcp", 443).verdict is Verdict.NO_ROUTE


def test_the_longest_prefix_wins_also_out_of_a_list(lab):
    lab.prefix_list("narrow", "198.51.100.27/32")
    lab.route("a", "pl-narrow", "eni-gone")
    assert lab.trace("client", SERVER, "tcp", 443).verdict is Verdict.BLACKHOLE


@pytest.mark.parametrize("first", ["range", "list"])
def test_a_range_of_the_table_comes_before_the_same_range_of_a_list(lab, first):
    table = lab.world[RouteTable, "rtb-a"]
    lab.route("a", "198.51.100.0/24", "eni-gone")
    if first == "range":
        table = lab.world[RouteTable, "rtb-a"]
        lab.put(table, routes=table.routes[:1] + table.routes[:0:-1])
    found = best_route(lab.world, lab.world[RouteTable, "rtb-a"], lab.address(SERVER))
    assert found.towards == "198.51.100.0/24"


def test_of_two_lists_with_one_range_the_older_route_wins(lab):
    lab.prefix_list("same", "198.51.100.0/24")
    lab.route("a", "pl-same", "eni-gone")
    assert lab.trace("client", SERVER, "tcp", 443).verdict is Verdict.DELIVERED


def test_a_blackhole_towards_a_list_is_mended_by_its_list(lab):
    table = lab.world[RouteTable, "rtb-a"]
    lab.put(table, routes=table.routes[:1])
    lab.route("a", "pl-out", "eni-gone")
    (advice,) = mend(lab.world, lab.trace("client", SERVER, "tcp", 443))
    assert advice.command == "aws ec2 delete-route --route-table-id rtb-a --destination-prefix-list-id pl-out"


def test_a_rule_admits_each_range_of_its_list(lab):
    lab.group("web", ingress=["tcp 443 pl-out"])
    lab.instance("web", "a", groups=["web"], ip="10.0.0.20", public="203.0.113.20")
    assert lab.trace(SERVER, "203.0.113.20", "tcp", 443).verdict is Verdict.DELIVERED
    verdict, layer, *_ = refusal(lab.trace("client", "web", "tcp", 443))
    assert (verdict, layer) == (Verdict.DENIED, "ingress-groups")


def test_aws_own_lists_are_known_in_their_region(lab):
    s3 = next(one for one in managed("us-east-1") if one.name.endswith(".s3"))
    lab.route("a", s3.id, "igw-v")
    found = best_route(lab.world, lab.world[RouteTable, "rtb-a"], lab.address("52.216.3.4"))
    assert found.prefix_list_id == s3.id
    assert str(s3.networks[2]) in {
        str(fact.network)
        for fact in compile(lab.world).facts()
        if hasattr(fact, "table") and hasattr(fact, "network")
    }


def test_one_more_range_costs_one_fact_for_each_user_of_the_list(lab):
    lab.group("web", ingress=["tcp 443 pl-out"])
    before = compile(lab.world)
    lab.prefix_list("out", "198.51.100.0/24", "203.0.113.0/24", "8.8.8.0/24")
    delta = difference(before, compile(lab.world, before))
    (change,) = delta.values()
    assert not change.removed
    assert len(change.added) == 2, "a route of the kernel, and an element of the group's set"


def test_a_change_of_a_list_that_nobody_names_costs_nothing(lab):
    lab.prefix_list("idle", "10.9.0.0/16")
    before = compile(lab.world)
    lab.put(lab.world[PrefixList, "pl-idle"], entries=())
    assert not difference(before, compile(lab.world, before))
