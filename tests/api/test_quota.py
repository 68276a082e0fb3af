"""Quotas: each can be set, holds from the next call on, and is refused by the code that AWS has for it."""

from collections.abc import Callable
from typing import Any

import pytest

from atoll.admin import quotas
from atoll.model import quota
from atoll.model.quota import LIMITS
from atoll.model.world import Caller
from tests.api.caches import NODE
from tests.api.machines import launch
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, code
from tests.api.peerings import ask

CALLER = Caller(account=ACCOUNT, region=REGION, arn="")


@pytest.fixture
def give(paper):
    """Give the account another value of a quota."""

    def give(limit, value):
        paper.write(lambda tx: quotas.put(tx, CALLER, {limit: value}))

    return give


# For each quota: what it takes to have as many as are allowed, of which the last call is refused when it is one less.
World = dict[str, Any]


def vpcs(ec2, w):  # noqa: ARG001
    return lambda: ec2.create_vpc(CidrBlock="10.0.0.0/16")  # the default VPC is there already


def gateways(ec2, w):  # noqa: ARG001
    return ec2.create_internet_gateway


def cidrs(ec2, w):
    return lambda: ec2.associate_vpc_cidr_block(VpcId=w["vpc"], CidrBlock="10.1.0.0/16")


def subnets(ec2, w):
    return lambda: ec2.create_subnet(VpcId=w["vpc"], CidrBlock="10.0.7.0/24")


def tables(ec2, w):
    return lambda: ec2.create_route_table(VpcId=w["vpc"])


def routes(ec2, w):
    table = ec2.create_route_table(VpcId=w["vpc"])["RouteTable"]["RouteTableId"]
    eni = ec2.create_network_interface(SubnetId=w["subnet"])["NetworkInterface"]["NetworkInterfaceId"]
    return lambda: ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=eni)


def nats(ec2, w):
    ec2.create_nat_gateway(SubnetId=w["subnet"], ConnectivityType="private")
    return lambda: ec2.create_nat_gateway(SubnetId=w["subnet"], ConnectivityType="private")


def nat_addresses(ec2, w):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=w["vpc"])
    one, two = (ec2.allocate_address()["AllocationId"] for _ in range(2))
    more = {"SubnetId": w["subnet"], "AllocationId": one, "SecondaryAllocationIds": [two]}
    return lambda: ec2.create_nat_gateway(**more)


def interfaces(ec2, w):
    ec2.create_network_interface(SubnetId=w["subnet"])
    return lambda: ec2.create_network_interface(SubnetId=w["subnet"])


def instances(ec2, w):
    ec2.create_network_interface(SubnetId=w["subnet"])
    return lambda: launch(ec2, SubnetId=w["subnet"])


def groups(ec2, w):
    return lambda: ec2.create_security_group(GroupName="x", Description="x", VpcId=w["vpc"])


def groups_per_interface(ec2, w):
    two = [ec2.create_security_group(GroupName=n, Description=n, VpcId=w["vpc"])["GroupId"] for n in ("one", "two")]
    return lambda: ec2.create_network_interface(SubnetId=w["subnet"], Groups=two)


def rules(ec2, w):
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=w["vpc"])["GroupId"]
    both = [{"CidrIp": cidr} for cidr in ("10.0.0.0/8", "192.168.0.0/16")]
    permission = [{"IpProtocol": "-1", "IpRanges": both}]
    return lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)


def acls(ec2, w):
    return lambda: ec2.create_network_acl(VpcId=w["vpc"])


def acl_entries(ec2, w):
    acl = ec2.create_network_acl(VpcId=w["vpc"])["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"}
    return lambda: ec2.create_network_acl_entry(RuleNumber=100, **entry)


def addresses(ec2, w):  # noqa: ARG001
    ec2.allocate_address()
    return ec2.allocate_address


def requests(ec2, w):
    far = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (5, 6)]
    ask(ec2, w["vpc"], far[0])
    return lambda: ask(ec2, w["vpc"], far[1])


def peerings(ec2, w):
    far = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (5, 6)]
    made = [ask(ec2, w["vpc"], vpc) for vpc in far]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made[0])
    return lambda: ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made[1])


EC2: list[tuple[quota.Limit, int, Callable[..., Any], str]] = [
    (quota.VPCS, 3, vpcs, "VpcLimitExceeded"),
    (quota.INTERNET_GATEWAYS, 2, gateways, "InternetGatewayLimitExceeded"),
    (quota.VPC_CIDRS, 2, cidrs, "CidrLimitExceeded"),
    (quota.SUBNETS, 2, subnets, "SubnetLimitExceeded"),
    (quota.ROUTE_TABLES, 2, tables, "RouteTableLimitExceeded"),
    (quota.ROUTES, 2, routes, "RouteLimitExceeded"),
    (quota.NAT_GATEWAYS, 2, nats, "NatGatewayLimitExceeded"),
    (quota.NAT_ADDRESSES, 2, nat_addresses, "PrivateIpAddressLimitExceeded"),
    (quota.INTERFACES, 2, interfaces, "NetworkInterfaceLimitExceeded"),
    (quota.INTERFACES, 2, instances, "NetworkInterfaceLimitExceeded"),
    (quota.GROUPS, 3, groups, "SecurityGroupLimitExceeded"),
    (quota.GROUPS_PER_INTERFACE, 2, groups_per_interface, "SecurityGroupsPerInterfaceLimitExceeded"),
    (quota.RULES, 2, rules, "RulesPerSecurityGroupLimitExceeded"),
    (quota.ACLS, 2, acls, "NetworkAclLimitExceeded"),
    (quota.ACL_ENTRIES, 2, acl_entries, "NetworkAclEntryLimitExceeded"),
    (quota.ADDRESSES, 2, addresses, "AddressLimitExceeded"),
    (quota.PEERING_REQUESTS, 2, requests, "OutstandingVpcPeeringConnectionLimitExceeded"),
    (quota.PEERINGS, 2, peerings, "ActiveVpcPeeringConnectionPerVpcLimitExceeded"),
]


@pytest.mark.parametrize(("limit", "fits", "prepare", "refused"), EC2, ids=[limit.name for limit, *_ in EC2])
def test_a_quota_of_ec2_is_refused_by_its_code_until_it_is_raised(
    ec2, vpc, subnet, give, limit, fits, prepare, refused
):
    more = prepare(ec2, {"vpc": vpc, "subnet": subnet})
    give(limit, fits - 1)
    assert code(more) == refused
    give(limit, fits)
    more()


def test_quotas_of_caches_are_refused_by_their_codes(cache, private, subnet, give):
    many = {"Engine": "memcached", "CacheNodeType": NODE, "CacheSubnetGroupName": private, "NumCacheNodes": 3}
    give(quota.CACHE_NODES, 2)
    assert code(cache.create_cache_cluster, CacheClusterId="m", **many) == "NodeQuotaForCustomerExceeded"
    give(quota.CACHE_NODES, 3)
    give(quota.MEMCACHED_NODES, 2)
    assert code(cache.create_cache_cluster, CacheClusterId="m", **many) == "NodeQuotaForClusterExceeded"
    give(quota.MEMCACHED_NODES, 3)
    cache.create_cache_cluster(CacheClusterId="m", **many)
    give(quota.SUBNET_GROUPS, 0)
    group = {"CacheSubnetGroupName": "s", "CacheSubnetGroupDescription": "s", "SubnetIds": [subnet]}
    assert code(cache.create_cache_subnet_group, **group) == "CacheSubnetGroupQuotaExceeded"
    give(quota.SUBNET_GROUPS, 300)
    give(quota.GROUP_SUBNETS, 0)
    assert code(cache.create_cache_subnet_group, **group) == "CacheSubnetQuotaExceededFault"
    give(quota.PARAMETER_GROUPS, 0)
    parameters = {"CacheParameterGroupName": "p", "CacheParameterGroupFamily": "redis7", "Description": "p"}
    assert code(cache.create_cache_parameter_group, **parameters) == "CacheParameterGroupQuotaExceeded"


def test_a_quota_is_of_one_account_in_one_region(ec2, stranger, abroad, give):
    give(quota.VPCS, 1)
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "VpcLimitExceeded"
    stranger.create_vpc(CidrBlock="10.0.0.0/16")
    abroad.create_vpc(CidrBlock="10.0.0.0/16")


def test_account_attributes_show_what_holds(ec2, give):
    give(quota.ADDRESSES, 7)
    shown = {a["AttributeName"]: a["AttributeValues"] for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert shown["max-elastic-ips"] == [{"AttributeValue": "7"}]


def test_what_is_there_stays_when_a_quota_falls_below_it(ec2, vpc, give):
    give(quota.VPCS, 0)
    assert vpc in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]]
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "VpcLimitExceeded"


# ---- the private API


def test_every_quota_is_listed_with_what_holds_and_what_aws_begins_with(paper, give):
    give(quota.VPCS, 7)
    listed = {q["code"]: q for q in quotas.described(paper.world, CALLER)}
    assert set(listed) == {limit.code for limit in LIMITS}
    assert listed["L-F678F1CE"] == {
        "service": "vpc", "code": "L-F678F1CE", "name": "VPCs per Region", "value": 7, "default": 100, "aws": 5,
        "most": None,
    }  # fmt: skip
    theirs = Caller(account=OTHER_ACCOUNT, region=REGION, arn="")
    assert {q["value"] for q in quotas.described(paper.world, theirs) if q["code"] == "L-F678F1CE"} == {100}


@pytest.mark.parametrize(("value", "expected"), [("9", 9), ("aws", 5), ("default", 100), ("0", 0)])
def test_a_value_is_a_number_or_a_word(value, expected):
    assert quotas.wanted({"code": "L-F678F1CE", "value": value}) == {quota.VPCS: expected}


def test_all_quotas_can_be_those_of_a_fresh_aws_account(paper, ec2):
    paper.write(lambda tx: quotas.put(tx, CALLER, quotas.wanted({"code": "all", "value": "aws"})))
    assert all(q["value"] == q["aws"] for q in quotas.described(paper.world, CALLER))
    for _ in range(4):  # and the default one
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "VpcLimitExceeded"
    paper.write(lambda tx: quotas.put(tx, CALLER, quotas.wanted({"code": "all", "value": "default"})))
    assert not list(paper.world.all(quota.Quota)), "what holds anyway is not kept"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"code": "L-NONE", "value": "1"}, "'L-NONE' is no quota of Atoll's"),
        ({"code": "L-F678F1CE", "value": "many"}, "'many' is no value: give a number, aws or default"),
        ({"code": "L-F678F1CE", "value": "-1"}, "'-1' is no value: give a number, aws or default"),
        ({"code": "L-F678F1CE"}, "'' is no value: give a number, aws or default"),
        ({"code": "L-7E9ECCDB", "value": "126"},
         "Active VPC peering connections per VPC (L-7E9ECCDB) can be 125 at most"),
    ],
)  # fmt: skip
def test_what_is_no_quota_or_no_value_is_said(body, message):
    with pytest.raises(quotas.Unclear) as caught:
        quotas.wanted(body)
    assert str(caught.value) == message


def test_a_group_that_is_over_its_quota_may_change_a_rule_but_get_none(paper, give):
    ec2 = paper.client()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    ranges = [{"CidrIp": f"192.0.2.{i}/32"} for i in range(3)]
    rules = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": ranges}]
    )["SecurityGroupRules"]
    give(quota.RULES, 2)
    changed = {"IpProtocol": "tcp", "FromPort": 2, "ToPort": 2, "CidrIpv4": "192.0.2.9/32"}
    update = {"SecurityGroupRuleId": rules[0]["SecurityGroupRuleId"], "SecurityGroupRule": changed}
    more = {"IpProtocol": "tcp", "FromPort": 3, "ToPort": 3, "CidrIp": "192.0.2.10/32"}

    answered = ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[update])
    refusal = code(ec2.authorize_security_group_ingress, GroupId=group, **more)

    assert answered["Return"]
    assert refusal == "RulesPerSecurityGroupLimitExceeded"
