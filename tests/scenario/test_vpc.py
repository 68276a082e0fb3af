"""Rows 83 to 108: VPCs, subnets, route tables, and the two firewalls.  Every instance has a server: its sshd."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, CLIENT, STRANGER, Stage, refused_with

SSH = 22


@dataclass(frozen=True)
class Yard:
    """A VPC with two public instances in one subnet, and one in another, all open to everybody."""

    vpc: str
    public: str
    table: str
    other: str
    here: str
    beside: str
    across: str
    group: str
    address: str  # the public one of `here`


@pytest.fixture(scope="module")
def yard(stage: Stage) -> Yard:
    vpc = stage.vpc()
    public, other = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.0/24")
    group = stage.group(vpc)
    stage.allow(group, SSH, ANYWHERE)
    filters = [{"Name": "association.subnet-id", "Values": [public]}]
    here, beside = stage.instance(public, group), stage.instance(public, group)
    return Yard(
        vpc=vpc,
        public=public,
        table=stage.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"],
        other=other,
        here=here,
        beside=beside,
        across=stage.instance(other, group),
        group=group,
        address=stage.elastic_ip(here)["PublicIp"],
    )


@contextmanager
def with_acl(stage: Stage, vpc: str, subnet: str, *entries: tuple[bool, str, int, int]) -> Iterator[str]:
    """Give a subnet an ACL of its own for a while; an entry: outbound or not, from or to where, its ports."""
    acl = stage.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for number, (outbound, cidr, low, high) in enumerate(entries, 1):
        stage.ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=number * 100,
            Protocol="6",
            RuleAction="allow",
            Egress=outbound,
            CidrBlock=cidr,
            PortRange={"From": low, "To": high},
        )
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (before,) = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (old,) = [one for one in before["Associations"] if one["SubnetId"] == subnet]
    change = stage.ec2.replace_network_acl_association
    new = change(AssociationId=old["NetworkAclAssociationId"], NetworkAclId=acl)["NewAssociationId"]
    try:
        yield acl
    finally:
        change(AssociationId=new, NetworkAclId=before["NetworkAclId"])
        stage.ec2.delete_network_acl(NetworkAclId=acl)


def test_row_083_a_cluster_starts_in_the_vpc_of_its_subnet_group(stage, yard):
    group = stage.subnet_group(yard.other)
    cluster = stage.cluster("redis", group)
    (found,) = stage.cache.describe_cache_subnet_groups(CacheSubnetGroupName=group)["CacheSubnetGroups"]
    assert found["VpcId"] == yard.vpc
    filters = [{"Name": "subnet-id", "Values": [yard.other]}]
    interfaces = stage.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert stage.node_addresses(cluster)[0] in {interface["PrivateIpAddress"] for interface in interfaces}
    stage.delete_cluster(cluster)


def test_row_084_a_subnet_group_comes_before_the_cluster(stage):
    call = {"CacheClusterId": "none", "Engine": "redis", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1}
    refused_with(
        "CacheSubnetGroupNotFoundFault", stage.cache.create_cache_cluster, **call, CacheSubnetGroupName="none"
    )
    names = {
        group["CacheSubnetGroupName"] for group in stage.cache.describe_cache_subnet_groups()["CacheSubnetGroups"]
    }
    assert "default" in names


def test_row_086_a_vpc_uses_private_addresses_of_its_own_block(stage, yard):
    for instance in (yard.here, yard.beside, yard.across):
        assert stage.address(instance).startswith("10.0.")
    call = {"ImageId": stage.image("amzn2-ami-hvm-*-x86_64-gp2"), "MinCount": 1, "MaxCount": 1}
    refused_with(
        "InvalidParameterValue",
        stage.ec2.run_instances,
        **call,
        SubnetId=yard.public,
        PrivateIpAddress="10.1.0.9",
    )


def test_row_087_two_vpcs_with_the_same_addresses_do_not_meet(stage, yard):
    twin = stage.vpc()
    group = stage.group(twin)
    stage.allow(group, SSH, ANYWHERE)
    subnet = stage.subnet(twin, "10.0.0.0/24", public=True)
    same = stage.instance(subnet, group, PrivateIpAddress=stage.address(yard.beside))
    lonely = stage.instance(subnet, group, PrivateIpAddress="10.0.0.77")
    key = "ssh-keyscan -t ed25519 {} 2>/dev/null | cut -d' ' -f3"
    theirs, ours = (stage.shell(here, key.format(stage.address(same))).output.strip() for here in (lonely, yard.here))
    assert theirs
    assert ours
    assert theirs != ours  # each reached its own neighbour at one address
    assert stage.reach(yard.here, "10.0.0.77", SSH, seconds=0.6) != "connected"
    stage.terminate(same, lonely)


@pytest.mark.parametrize("cidr", ["10.7.0.0/16", "172.16.0.0/28", "192.168.4.0/22"])
def test_row_088_private_ranges_from_16_to_28_are_accepted(stage, cidr):
    vpc = stage.ec2.create_vpc(CidrBlock=cidr)["Vpc"]
    assert vpc["CidrBlock"] == cidr
    stage.ec2.delete_vpc(VpcId=vpc["VpcId"])
    network = cidr.split("/")[0]
    for size in (15, 29):
        refused_with("InvalidVpc.Range", stage.ec2.create_vpc, CidrBlock=f"{network}/{size}")


def test_row_089_a_public_range_is_accepted_and_private_inside(stage):
    vpc = stage.vpc("20.30.0.0/16")
    group = stage.group(vpc)
    stage.allow(group, SSH, ANYWHERE)
    subnet = stage.subnet(vpc, "20.30.0.0/24", public=True)
    first, second = stage.instance(subnet, group), stage.instance(subnet, group)
    assert stage.connects(first, stage.address(second), SSH)
    assert stage.reach(CLIENT, stage.address(second), SSH, seconds=0.6) != "connected"
    stage.terminate(first, second)


def test_row_090_the_range_of_a_vpc_cannot_be_changed(stage, yard):
    (vpc,) = stage.ec2.describe_vpcs(VpcIds=[yard.vpc])["Vpcs"]
    primary = vpc["CidrBlockAssociationSet"][0]["AssociationId"]
    refused_with("OperationNotPermitted", stage.ec2.disassociate_vpc_cidr_block, AssociationId=primary)


def test_row_091_a_vpc_lives_in_one_region(stage, yard):
    elsewhere = stage.atoll.client("ec2", region="eu-west-1")
    refused_with("InvalidVpcID.NotFound", elsewhere.describe_vpcs, VpcIds=[yard.vpc])


def test_row_092_a_vpc_spans_several_zones(stage, yard):
    zones = [zone["ZoneName"] for zone in stage.ec2.describe_availability_zones()["AvailabilityZones"]][:3]
    made = []
    for number, zone in enumerate(zones):
        subnet = stage.ec2.create_subnet(VpcId=yard.vpc, CidrBlock=f"10.0.{40 + number}.0/24", AvailabilityZone=zone)
        made.append(stage.instance(subnet["Subnet"]["SubnetId"], yard.group))
    assert len(set(zones)) == 3
    assert all(stage.connects(yard.here, stage.address(there), SSH) for there in made)
    stage.terminate(*made)


def test_row_094_a_subnet_is_a_free_piece_of_its_vpc(stage, yard):
    create = stage.ec2.create_subnet
    refused_with("InvalidSubnet.Range", create, VpcId=yard.vpc, CidrBlock="10.1.0.0/24")
    refused_with("InvalidSubnet.Conflict", create, VpcId=yard.vpc, CidrBlock="10.0.0.128/25")


def test_row_095_traffic_first_goes_to_the_router(stage, yard):
    for instance, router in ((yard.here, "10.0.0.1"), (yard.across, "10.0.1.1")):
        assert stage.typed(instance, "ip route show default").startswith(f"default via {router} dev eth0")


def test_row_096_the_longest_prefix_decides(stage, yard):
    assert stage.trace(yard.here, CLIENT, 80)["delivered"]
    script = 'import socket; s = socket.create_server(("0.0.0.0", 80)); print("ready")\nwhile True: s.accept()'
    route = {"RouteTableId": yard.table, "DestinationCidrBlock": f"{CLIENT}/32"}
    with stage.program(CLIENT, script), stage.program(STRANGER, script):
        stage.ec2.create_route(**route, InstanceId=yard.across)  # which forwards nothing
        try:
            assert stage.is_dropped(yard.here, CLIENT, 80)
            assert stage.connects(yard.here, STRANGER, 80)  # the shorter one, 0.0.0.0/0
        finally:
            stage.ec2.delete_route(**route)
        assert stage.connects(yard.here, CLIENT, 80)


def test_row_097_what_is_not_in_the_table_is_silently_dropped(stage, yard):
    assert stage.is_dropped(yard.across, CLIENT, 80)
    assert stage.refusal(yard.across, CLIENT, 80).code == "NO_ROUTE_TO_DESTINATION"


def test_row_098_a_route_to_a_gateway_leads_outside(stage, yard):
    route = {"RouteTableId": yard.table, "DestinationCidrBlock": ANYWHERE}
    filters = [{"Name": "attachment.vpc-id", "Values": [yard.vpc]}]
    (gateway,) = stage.ec2.describe_internet_gateways(Filters=filters)["InternetGateways"]
    assert stage.connects(CLIENT, yard.address, SSH)
    stage.ec2.delete_route(**route)
    assert stage.is_dropped(CLIENT, yard.address, SSH)
    assert stage.refusal(CLIENT, yard.address, SSH).code == "NO_ROUTE_TO_DESTINATION"
    stage.ec2.create_route(**route, GatewayId=gateway["InternetGatewayId"])
    assert stage.connects(CLIENT, yard.address, SSH)


def test_row_099_an_internet_gateway_connects_a_vpc_with_the_internet(stage):
    vpc = stage.vpc("10.6.0.0/16", internet=False)
    group = stage.group(vpc)
    stage.allow(group, SSH, ANYWHERE)
    subnet = stage.subnet(vpc, "10.6.0.0/24")
    instance = stage.instance(subnet, group)
    gateway = stage.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    stage.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = stage.elastic_ip(instance)["PublicIp"]
    assert stage.is_dropped(CLIENT, address, SSH)
    (main,) = stage.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    stage.ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    assert stage.connects(CLIENT, address, SSH)
    stage.terminate(instance)


def test_row_100_a_subnet_is_public_by_its_route_table_alone(stage, yard):
    address = stage.elastic_ip(yard.across)["PublicIp"]
    assert stage.is_dropped(CLIENT, address, SSH)
    made = stage.ec2.associate_route_table(RouteTableId=yard.table, SubnetId=yard.other)["AssociationId"]
    assert stage.connects(CLIENT, address, SSH)
    stage.ec2.disassociate_route_table(AssociationId=made)
    assert stage.is_dropped(CLIENT, address, SSH)


def test_row_101_what_one_firewall_blocks_is_blocked(stage, yard):
    target = stage.address(yard.across)
    assert stage.connects(yard.here, target, SSH)
    with with_acl(stage, yard.vpc, yard.other):
        assert stage.is_dropped(yard.here, target, SSH)
        assert stage.refusal(yard.here, target, SSH).code == "SUBNET_ACL_RESTRICTION"
    with stage.without(yard.group, SSH, ANYWHERE):
        assert stage.is_dropped(yard.here, target, SSH)
        assert stage.refusal(yard.here, target, SSH).code == "SG_HAS_NO_RULES"
    assert stage.connects(yard.here, target, SSH)


def test_row_102_a_security_group_is_stateful(stage, yard):
    closed = stage.group(yard.vpc, closed=True)
    stage.allow(closed, SSH, ANYWHERE)
    quiet = stage.instance(yard.other, closed)
    assert stage.connects(yard.here, stage.address(quiet), SSH)
    assert stage.is_dropped(quiet, stage.address(yard.here), SSH)
    assert stage.refusal(quiet, stage.address(yard.here), SSH).layer == "egress-groups"
    stage.terminate(quiet)


def test_row_103_a_new_group_lets_nothing_in_and_everything_out(stage, yard):
    instance = stage.instance(yard.other, stage.group(yard.vpc))
    assert stage.is_dropped(yard.here, stage.address(instance), SSH)
    assert stage.refusal(yard.here, stage.address(instance), SSH).code == "SG_HAS_NO_RULES"
    assert stage.connects(instance, stage.address(yard.here), SSH)
    stage.terminate(instance)


def test_row_104_groups_are_per_instance_also_inside_one_subnet(stage, yard):
    closed = stage.instance(yard.public, stage.group(yard.vpc))
    assert stage.connects(yard.here, stage.address(yard.beside), SSH)
    assert stage.is_dropped(yard.here, stage.address(closed), SSH)
    assert stage.refusal(yard.here, stage.address(closed), SSH).layer == "ingress-groups"
    stage.terminate(closed)


def test_row_105_a_network_acl_is_stateless(stage, yard):
    target = stage.address(yard.across)
    into, back = (False, ANYWHERE, SSH, SSH), (True, ANYWHERE, 1024, 65535)
    with with_acl(stage, yard.vpc, yard.other, into):
        assert stage.is_dropped(yard.here, target, SSH)
        assert stage.refusal(yard.here, target, SSH).verdict == "no-answer"
    with with_acl(stage, yard.vpc, yard.other, into, back):
        assert stage.connects(yard.here, target, SSH)


def test_row_106_the_default_acl_allows_all_and_a_custom_one_denies_all(stage, yard):
    filters = [{"Name": "vpc-id", "Values": [yard.vpc]}, {"Name": "default", "Values": ["true"]}]
    (default,) = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    rules = {(e["Egress"], e["RuleNumber"], e["RuleAction"], e["CidrBlock"]) for e in default["Entries"]}
    assert {(False, 100, "allow", ANYWHERE), (True, 100, "allow", ANYWHERE)} <= rules
    assert stage.connects(yard.here, stage.address(yard.across), SSH)
    with with_acl(stage, yard.vpc, yard.other):
        assert stage.is_dropped(yard.here, stage.address(yard.across), SSH)
        assert stage.is_dropped(yard.across, stage.address(yard.here), SSH)


def test_row_107_an_acl_is_the_subnets_and_not_one_instances(stage, yard):
    second = stage.instance(yard.other, yard.group)
    with with_acl(stage, yard.vpc, yard.other):
        for target in (yard.across, second):
            assert stage.is_dropped(yard.here, stage.address(target), SSH)
        assert stage.connects(yard.across, stage.address(second), SSH)  # inside the subnet it says nothing
    stage.terminate(second)


def test_row_108_neither_firewall_has_priority(stage, yard):
    target = stage.address(yard.across)
    with with_acl(stage, yard.vpc, yard.other):  # denies; the group allows
        assert stage.is_dropped(yard.here, target, SSH)
    open_acl = ((False, ANYWHERE, 0, 65535), (True, ANYWHERE, 0, 65535))
    with with_acl(stage, yard.vpc, yard.other, *open_acl), stage.without(yard.group, SSH, ANYWHERE):
        assert stage.is_dropped(yard.here, target, SSH)
        assert stage.refusal(yard.here, target, SSH).code == "SG_HAS_NO_RULES"
