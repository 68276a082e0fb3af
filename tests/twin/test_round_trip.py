"""What is described of one Atoll and imported into another is described there in the same words."""

import json

import pytest

from atoll.twin.arrive import arrive
from atoll.twin.build import build
from tests.api import caches
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, Paper
from tests.twin.describe import describe

# What is of the moment, or of the process that runs: everything else is the same.
MOMENT = ("CacheNodeCreateTime", "ConfigurationEndpoint", "Timestamp")


@pytest.fixture(scope="module")
def source():
    return rich()


def rich():
    """A World with something of everything that a twin has."""
    paper = Paper()
    caches.install(paper)
    ec2, cache = paper.client(), caches.Caches(paper.client("elasticache"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp.example"]}])
    ec2.associate_dhcp_options(VpcId=vpc, DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"])
    public, private, other = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
        for cidr, zone in (("10.0.0.0/24", "a"), ("10.0.1.0/24", "a"), ("10.0.2.0/24", "b"))
    )
    door = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=door, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=door)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    listed = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=3, AddressFamily="IPv4",
        Entries=[{"Cidr": "198.51.100.0/24", "Description": "Seoul"}],
    )["PrefixList"]["PrefixListId"]  # fmt: skip
    web, store = (
        ec2.create_security_group(VpcId=vpc, GroupName=n, Description=n)["GroupId"] for n in ("web", "store")
    )
    from_list = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": listed}]}
    from_group = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": [{"GroupId": web}]}
    ping = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[from_list, ping])
    ec2.authorize_security_group_ingress(GroupId=store, IpPermissions=[from_group])
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=90, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="10.0.2.0/24",
        PortRange={"From": 22, "To": 22},
    )  # fmt: skip
    address = ec2.allocate_address()["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.allocate_address()
    inner = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=inner, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    ec2.associate_route_table(RouteTableId=inner, SubnetId=private)
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[inner])
    ec2.create_vpc_endpoint(
        VpcId=vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.ec2", SubnetIds=[private],
        SecurityGroupIds=[web],
    )  # fmt: skip
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "<b>app</b>"}]}]
    ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=2, MaxCount=2, SubnetId=public, SecurityGroupIds=[web],
        TagSpecifications=tags,
    )  # fmt: skip
    ec2.create_network_interface(SubnetId=private, Groups=[web], Description="spare")
    peer = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ask = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=ask["VpcPeeringConnectionId"])
    ec2.create_route(
        RouteTableId=inner, DestinationCidrBlock="10.9.0.0/16", VpcPeeringConnectionId=ask["VpcPeeringConnectionId"]
    )
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="private", CacheSubnetGroupDescription="nodes", SubnetIds=[private, other]
    )
    common = {"CacheNodeType": caches.NODE, "CacheSubnetGroupName": "private", "SecurityGroupIds": [store]}
    cache.create_replication_group(
        ReplicationGroupId="sessions", ReplicationGroupDescription="s", Engine="valkey", NumCacheClusters=2, **common
    )
    cache.create_replication_group(
        ReplicationGroupId="orders", ReplicationGroupDescription="o", Engine="redis", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, TransitEncryptionEnabled=True, AutomaticFailoverEnabled=True, **common,
    )  # fmt: skip
    cache.create_cache_cluster(
        CacheClusterId="pages", Engine="memcached", NumCacheNodes=3, AZMode="cross-az", **common
    )
    return settled(paper)


def settled(paper):
    paper.settle()
    caches.settle(paper)
    return paper


def clients(paper, account=ACCOUNT):
    made = {}
    return lambda service: made.setdefault(service, paper.client(service, account=account))


def twin_of(files, account=None):
    """A World in which nothing else is than the twin."""
    paper = Paper()
    caches.install(paper)
    twin = build(files, paper.world, paper.clock, account=account)
    paper.write(lambda tx: arrive(tx, twin, may_replace=False))
    return settled(paper), twin


def spelled(files):
    """Return what was described, with lists in an order, and without what is of the moment."""
    return {name: plain(json.loads(text)) for name, text in files.items()}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in MOMENT}
    if isinstance(value, list):
        return sorted((plain(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def test_what_is_imported_is_described_in_the_same_words(source):
    files = describe(clients(source))

    copy, _ = twin_of(files)

    before, after = spelled(files), spelled(describe(clients(copy)))
    assert after.keys() == before.keys()
    for name in before:
        assert after[name] == before[name], name


def test_an_import_of_an_atoll_needs_no_stand_in_but_for_what_is_not_described(source):
    _, twin = twin_of(describe(clients(source)))

    assert {note.kind for note in twin.notes} <= {"approximated"}, twin.notes


def test_another_account_may_have_it(source):
    copy, _ = twin_of(describe(clients(source)), account=OTHER_ACCOUNT)

    theirs = copy.client(account=OTHER_ACCOUNT)
    assert len(theirs.describe_vpcs()["Vpcs"]) == 3
    assert {group["OwnerId"] for group in theirs.describe_security_groups()["SecurityGroups"]} == {OTHER_ACCOUNT}
