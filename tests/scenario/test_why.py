"""Rows 41, 43, 44, 61, 63, 97, 105, 108, 130 and 181: what is in the way is named, by `atoll why` and by AWS's API.

Each obstacle is made on the real world, seen by a real packet, and then asked about.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.daemon.atoll import until
from tests.scenario.page import SNAT, Page, untyped
from tests.scenario.stage import ANYWHERE, CLIENT, ELASTIC_IP, STRANGER, Stage

SSH, WEB = 22, 80
WHY_SECONDS = 60.0


def why(stage: Stage, here: str, there: str) -> list[str]:
    """Run `atoll why`; returns the codes of what is in the way, and fails if its exit code says something else."""
    command = [sys.executable, "-m", "atoll.cli", "why", here, there, "--json"]
    process = stage.atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complaint = process.communicate(timeout=WHY_SECONDS)
    assert process.returncode in (0, 1), complaint.decode()
    found = json.loads(said)
    assert found["reachable"] is (process.returncode == 0)
    return [blocker["code"] for blocker in found["blockers"]]


@pytest.fixture(scope="module")
def page(valkey_page: Page) -> Page:
    return valkey_page


def closed(stage: Stage, port: int = 6380) -> bool:
    return stage.reach(CLIENT, ELASTIC_IP, port, "PING", seconds=0.6) != "connected +PONG"


def test_row_041_a_forward_that_is_missing_is_named(stage, page):
    place = f"{ELASTIC_IP}:6380"
    assert why(stage, CLIENT, place) == []
    with untyped(stage, page.nat, page.forwards[1]):
        assert closed(stage)
        assert why(stage, CLIENT, place) == ["GUEST_NO_LISTENER"]


def test_row_043_a_way_back_that_is_missing_is_named(stage, page):
    with untyped(stage, page.nat, SNAT):
        assert closed(stage)
        assert "GUEST_NO_TRANSLATION" in why(stage, CLIENT, f"{ELASTIC_IP}:6380")


def test_row_044_forwarding_that_is_off_is_named(stage, page):
    stage.typed(page.nat, "sysctl -w net.ipv4.ip_forward=0")
    try:
        assert closed(stage)
        assert why(stage, CLIENT, f"{ELASTIC_IP}:6380") == ["GUEST_NOT_FORWARDING"]
    finally:
        stage.typed(page.nat, "sysctl -w net.ipv4.ip_forward=1")
    assert not closed(stage)


def test_row_061_an_egress_rule_that_is_missing_is_named(stage, page):
    with stage.without(page.nat_group, page.port, page.cluster_group, out=True):
        assert closed(stage)
        assert why(stage, CLIENT, f"{ELASTIC_IP}:6380") == ["SG_HAS_NO_RULES"]


def test_row_063_a_rule_of_the_cluster_that_is_missing_is_named(stage, page):
    with stage.without(page.cluster_group, page.port, page.nat_group):
        assert closed(stage)
        assert why(stage, CLIENT, f"{ELASTIC_IP}:6380") == ["SG_HAS_NO_RULES"]
    assert why(stage, STRANGER, f"{ELASTIC_IP}:6380") == ["ENI_SG_RULES_MISMATCH"]


def test_row_181_a_client_in_the_vpc_is_told_what_it_lacks(stage, page):
    name = stage.endpoints(page.clusters[0])[0][0]
    group = stage.default_group(page.vpc)
    assert why(stage, page.app, f"{name}:6379") == ["ENI_SG_RULES_MISMATCH"]
    with stage.allowed(page.cluster_group, 6379, group):
        assert why(stage, page.app, f"{name}:6379") == []


@dataclass(frozen=True)
class Open:
    """An instance that the internet reaches."""

    vpc: str
    subnet: str
    table: str
    gateway: str
    instance: str
    group: str
    address: str
    allocation: str


@pytest.fixture(scope="module")
def server(stage: Stage, page: Page) -> Open:
    """A second VPC beside the page's: nothing of the page is in its way."""
    del page
    vpc = stage.vpc("10.7.0.0/16")
    subnet, group = stage.subnet(vpc, "10.7.0.0/24", public=True), stage.group(vpc)
    stage.allow(group, SSH, ANYWHERE)
    tables = stage.ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
    gateways = stage.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    instance = stage.instance(subnet, group)
    eip = stage.elastic_ip(instance)
    return Open(
        vpc=vpc,
        subnet=subnet,
        table=tables["RouteTables"][0]["RouteTableId"],
        gateway=gateways["InternetGateways"][0]["InternetGatewayId"],
        instance=instance,
        group=group,
        address=eip["PublicIp"],
        allocation=eip["AllocationId"],
    )


def insights(stage: Stage, server: Open) -> list[str]:
    """Ask EC2's Network Insights about the way from the internet gateway to the instance, as AWS's page does."""
    ends = {"Source": server.gateway, "Destination": server.instance, "Protocol": "tcp", "DestinationPort": SSH}
    path = stage.ec2.create_network_insights_path(**ends)["NetworkInsightsPath"]["NetworkInsightsPathId"]
    started = stage.ec2.start_network_insights_analysis(NetworkInsightsPathId=path)["NetworkInsightsAnalysis"]
    ids = [started["NetworkInsightsAnalysisId"]]

    def done():
        (found,) = stage.ec2.describe_network_insights_analyses(NetworkInsightsAnalysisIds=ids)[
            "NetworkInsightsAnalyses"
        ]
        return found if found["Status"] != "running" else None

    until(lambda: done() is not None, 10.0, "end of an analysis")
    found = done()
    assert found["Status"] == "succeeded"
    told = [e["ExplanationCode"] for e in found.get("Explanations", [])]
    assert found["NetworkPathFound"] is (not told)
    return told


@contextmanager
def no_route(stage: Stage, server: Open) -> Iterator[None]:
    route = {"RouteTableId": server.table, "DestinationCidrBlock": ANYWHERE}
    stage.ec2.delete_route(**route)
    yield
    stage.ec2.create_route(**route, GatewayId=server.gateway)


@contextmanager
def no_address(stage: Stage, server: Open) -> Iterator[None]:
    (found,) = stage.ec2.describe_addresses(PublicIps=[server.address])["Addresses"]
    stage.ec2.disassociate_address(AssociationId=found["AssociationId"])
    yield
    stage.associate(server.allocation, server.instance)


@contextmanager
def no_gateway(stage: Stage, server: Open) -> Iterator[None]:
    with no_address(stage, server):
        stage.ec2.detach_internet_gateway(InternetGatewayId=server.gateway, VpcId=server.vpc)
        yield
        stage.ec2.attach_internet_gateway(InternetGatewayId=server.gateway, VpcId=server.vpc)


@contextmanager
def no_rule(stage: Stage, server: Open) -> Iterator[None]:
    with stage.without(server.group, SSH, ANYWHERE):
        yield


@contextmanager
def acl_denies(stage: Stage, server: Open) -> Iterator[None]:
    filters = [{"Name": "association.subnet-id", "Values": [server.subnet]}]
    acl = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 1, "Egress": False}
    stage.ec2.create_network_acl_entry(**entry, Protocol="-1", RuleAction="deny", CidrBlock=ANYWHERE)
    yield
    stage.ec2.delete_network_acl_entry(**entry)


CONDITIONS = {
    "gateway": (no_gateway, "NO_POSSIBLE_DESTINATION", "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS", "BAD_STATE_ROUTE"),
    "route": (no_route, "NO_ROUTE_TO_DESTINATION", "NO_ROUTE_TO_DESTINATION", "NO_ROUTE_TO_DESTINATION"),
    "address": (
        no_address, "NO_POSSIBLE_DESTINATION", "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS",
        "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
    ),
    "group": (no_rule, "SG_HAS_NO_RULES", "SG_HAS_NO_RULES", None),
    "acl": (acl_denies, "SUBNET_ACL_RESTRICTION", "SUBNET_ACL_RESTRICTION", "SUBNET_ACL_RESTRICTION"),
}  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS)
def test_row_130_the_missing_condition_is_named_by_insights_and_by_why(stage, server, condition):
    """From the internet by the public address; and outward, which is where a missing gateway or address shows."""
    without, code, analysed, outward = CONDITIONS[condition]
    place = f"{server.address}:{SSH}"
    assert stage.connects(CLIENT, server.address, SSH)
    assert (why(stage, CLIENT, place), insights(stage, server)) == ([], [])
    with without(stage, server):
        assert stage.reach(CLIENT, server.address, SSH, seconds=0.6) != "connected"
        assert why(stage, CLIENT, place)[0] == code
        assert insights(stage, server)[0] == analysed
        out = why(stage, server.instance, f"{CLIENT}:{WEB}")
        assert out[:1] == ([outward] if outward else [])
    assert stage.connects(CLIENT, server.address, SSH)
    assert why(stage, CLIENT, place) == []


def test_row_097_the_route_that_is_missing_is_named(stage, server):
    other = stage.subnet(server.vpc, "10.7.1.0/24")
    private = stage.instance(other, server.group)
    assert why(stage, private, f"{CLIENT}:{WEB}") == ["NO_ROUTE_TO_DESTINATION"]
    assert why(stage, server.instance, f"{stage.address(private)}:{SSH}") == []
    stage.terminate(private)


def test_row_105_a_stateless_acl_is_named_where_it_refuses_the_answer(stage, server):
    acl = stage.ec2.create_network_acl(VpcId=server.vpc)["NetworkAcl"]["NetworkAclId"]
    for egress, ports in ((False, (SSH, SSH)), (True, (SSH, SSH))):
        stage.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100, Egress=egress, Protocol="6", RuleAction="allow", CidrBlock=ANYWHERE,
            PortRange={"From": ports[0], "To": ports[1]},
        )  # fmt: skip
    filters = [{"Name": "association.subnet-id", "Values": [server.subnet]}]
    (old,) = [
        a["NetworkAclAssociationId"]
        for found in stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
        for a in found["Associations"]
        if a["SubnetId"] == server.subnet
    ]
    own = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    new = stage.ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    try:
        assert stage.reach(CLIENT, server.address, SSH, seconds=0.6) != "connected"
        assert why(stage, CLIENT, f"{server.address}:{SSH}") == ["SUBNET_ACL_RESTRICTION"]
        assert insights(stage, server) == ["SUBNET_ACL_RESTRICTION"]
    finally:
        stage.ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=own)


def test_row_108_an_acl_that_denies_and_a_group_that_does_are_both_named(stage, server):
    with acl_denies(stage, server), no_rule(stage, server):
        found = why(stage, CLIENT, f"{server.address}:{SSH}")
    assert found == ["SG_HAS_NO_RULES", "SUBNET_ACL_RESTRICTION"]
