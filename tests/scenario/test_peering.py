"""Rows 3, 87 and 93: VPCs are networks of their own, and talk only through VPC peering."""

from dataclasses import dataclass

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import ANYWHERE, QUICK, Stage

OTHER_ACCOUNT = "222222222222"


@dataclass(frozen=True)
class Pair:
    """A VPC with a Redis OSS node that admits everyone, and another VPC with an instance."""

    near: str  # of the node
    far: str  # of the instance
    node: str
    address: str
    group: str
    app: str


@pytest.fixture(scope="module")
def pair(stage: Stage) -> Pair:
    near, far = stage.vpc(internet=False), stage.vpc("10.1.0.0/16", internet=False)
    group = stage.group(near)
    stage.allow(group, 6379, ANYWHERE)
    node = stage.cluster("redis", stage.subnet_group(stage.subnet(near, "10.0.0.0/24")), group)
    (address,) = stage.node_addresses(node)
    app = stage.instance(stage.subnet(far, "10.1.0.0/24"))
    return Pair(near, far, node, address, group, app)


def main_table(stage: Stage, vpc: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    found: str = stage.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]
    return found


def route(stage: Stage, vpc: str, cidr: str, peering: str) -> None:
    stage.ec2.create_route(
        RouteTableId=main_table(stage, vpc), DestinationCidrBlock=cidr, VpcPeeringConnectionId=peering
    )


def unroute(stage: Stage, vpc: str, cidr: str) -> None:
    stage.ec2.delete_route(RouteTableId=main_table(stage, vpc), DestinationCidrBlock=cidr)


def ask(stage: Stage, vpc: str, peer: str, **more: str) -> str:
    made = stage.ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer, **more)
    peering: str = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    return peering


def status(stage: Stage, peering: str) -> str:
    found = stage.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
    code: str = found["VpcPeeringConnections"][0]["Status"]["Code"]
    return code


def end(stage: Stage, peering: str) -> None:
    stage.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    waiter = stage.ec2.get_waiter("vpc_peering_connection_deleted")
    waiter.wait(VpcPeeringConnectionIds=[peering], WaiterConfig=QUICK)


def test_row_003_with_vpc_peering_an_instance_of_another_vpc_reaches_the_cluster(stage, pair):
    assert stage.is_dropped(pair.app, pair.address, 6379)
    assert stage.refusal(pair.app, pair.address, 6379).code == "NO_ROUTE_TO_DESTINATION"

    peering = ask(stage, pair.far, pair.near)
    route(stage, pair.far, "10.0.0.0/16", peering)
    route(stage, pair.near, "10.1.0.0/16", peering)
    assert stage.is_dropped(pair.app, pair.address, 6379)  # nobody has accepted
    assert stage.refusal(pair.app, pair.address, 6379).code == "BAD_STATE_ROUTE"

    stage.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert stage.reach(pair.app, pair.address, 6379, "PING", seconds=0.9) == "connected +PONG"  # no second SYN
    until(lambda: status(stage, peering) == "active", 5, "an active connection")
    ((name, port),) = stage.endpoints(pair.node)
    assert stage.typed(pair.app, f"redis-cli -h {name} -p {port} PING") == "PONG"  # private names resolve anywhere

    theirs = stage.default_group(pair.far)
    with stage.without(pair.group, 6379, ANYWHERE):
        assert stage.is_dropped(pair.app, pair.address, 6379)
        assert stage.refusal(pair.app, pair.address, 6379).code == "SG_HAS_NO_RULES"
        with stage.allowed(pair.group, 6379, theirs):  # a group of the peer's
            assert stage.connects(pair.app, pair.address, 6379)

    end(stage, peering)
    assert stage.is_dropped(pair.app, pair.address, 6379)
    assert stage.refusal(pair.app, pair.address, 6379).code == "BAD_STATE_ROUTE"
    unroute(stage, pair.far, "10.0.0.0/16")
    unroute(stage, pair.near, "10.1.0.0/16")


def test_row_093_vpcs_talk_only_through_peering_and_it_is_not_transitive(stage, pair):
    third = stage.vpc("10.2.0.0/16", internet=False)
    guest = stage.instance(stage.subnet(third, "10.2.0.0/24"))
    one, other = ask(stage, pair.near, pair.far), ask(stage, pair.far, third)
    for peering in (one, other):
        stage.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    for vpc, cidr, peering in (
        (pair.near, "10.1.0.0/16", one),
        (pair.near, "10.2.0.0/16", one),
        (pair.far, "10.0.0.0/16", one),
        (pair.far, "10.2.0.0/16", other),
        (third, "10.1.0.0/16", other),
        (third, "10.0.0.0/16", other),
    ):
        route(stage, vpc, cidr, peering)
    assert stage.reach(pair.app, pair.address, 6379, "PING") == "connected +PONG"
    assert stage.is_dropped(guest, pair.address, 6379)
    assert stage.refusal(guest, pair.address, 6379).code == "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"
    end(stage, one)
    end(stage, other)
    stage.terminate(guest)


def test_row_093_vpcs_of_two_accounts_are_peered_when_the_other_owner_agrees(stage, pair):
    other = Stage(stage.atoll, OTHER_ACCOUNT)
    theirs = other.vpc("10.4.0.0/16", internet=False)
    guest = other.instance(other.subnet(theirs, "10.4.0.0/24"))
    peering = ask(other, theirs, pair.near, PeerOwnerId=stage.account)
    route(other, theirs, "10.0.0.0/16", peering)
    route(stage, pair.near, "10.4.0.0/16", peering)
    assert other.is_dropped(guest, pair.address, 6379)
    stage.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert other.reach(guest, pair.address, 6379, "PING") == "connected +PONG"
    end(stage, peering)
    assert other.is_dropped(guest, pair.address, 6379)
    other.terminate(guest)


def test_row_087_two_vpcs_with_the_same_range_are_independent_and_cannot_be_peered(stage, pair):
    twin = stage.vpc(internet=False)
    subnet = stage.subnet(twin, "10.0.0.0/24")
    first = stage.instance(subnet, PrivateIpAddress="10.0.0.200")
    assert stage.reach(first, pair.address, 6379, seconds=0.6) != "connected"  # nobody answers its ARP question
    assert stage.refusal(first, pair.address, 6379).verdict == "nobody"
    assert "100% packet loss" in stage.type(first, f"ping -c 1 -W 1 {pair.address}").output
    peering = ask(stage, twin, pair.near)
    assert status(stage, peering) == "failed"
    stage.terminate(first)
