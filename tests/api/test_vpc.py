"""VPCs through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "vpc-0123456789abcdef0"


@pytest.fixture
def three(ec2):
    """Three VPCs."""
    return [
        ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16", TagSpecifications=tagging("vpc", Name=f"net-{n}"))["Vpc"]["VpcId"]
        for n in range(3)
    ]


def test_a_new_vpc_has_every_member_that_aws_shows(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagging("vpc", Name="main"))["Vpc"]

    (shown,) = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"]

    assert shown == vpc
    (association,) = vpc["CidrBlockAssociationSet"]
    assert vpc == {
        "VpcId": vpc["VpcId"],
        "OwnerId": ACCOUNT,
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {
                "AssociationId": association["AssociationId"],
                "CidrBlock": "10.0.0.0/16",
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "DhcpOptionsId": vpc["DhcpOptionsId"],
        "InstanceTenancy": "default",
        "IsDefault": False,
        "State": "available",
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": [{"Key": "Name", "Value": "main"}],
    }
    assert association["AssociationId"].startswith("vpc-cidr-assoc-0")


def test_a_new_vpc_comes_with_a_main_table_a_default_acl_and_a_default_group(ec2, vpc):
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]
    (acl,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
    (group,) = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"]

    assert [(r["DestinationCidrBlock"], r["GatewayId"], r["Origin"]) for r in table["Routes"]] == [
        ("10.0.0.0/16", "local", "CreateRouteTable")
    ]
    assert [a["Main"] for a in table["Associations"]] == [True]
    assert acl["IsDefault"]
    assert [(e["RuleNumber"], e["RuleAction"], e["Egress"]) for e in acl["Entries"]] == [
        (100, "allow", True), (32767, "deny", True), (100, "allow", False), (32767, "deny", False),
    ]  # fmt: skip
    assert group["GroupName"] == "default"
    assert group["IpPermissions"][0]["UserIdGroupPairs"] == [{"GroupId": group["GroupId"], "UserId": ACCOUNT}]
    assert group["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]


def test_host_bits_are_cleared(ec2):
    assert ec2.create_vpc(CidrBlock="100.68.0.18/18")["Vpc"]["CidrBlock"] == "100.68.0.0/18"


@pytest.mark.parametrize(
    ("cidr", "refused"),
    [
        ("10.0.0.0/15", ("InvalidVpc.Range", "The CIDR '10.0.0.0/15' is invalid.")),
        ("10.0.0.0/29", ("InvalidVpc.Range", "The CIDR '10.0.0.0/29' is invalid.")),
        ("127.0.0.0/16", ("InvalidVpc.Range", "The CIDR '127.0.0.0/16' is invalid.")),
        (
            "ten",
            (
                "InvalidParameterValue",
                "Value (ten) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            ),
        ),
        (
            "10.0.0.0",
            (
                "InvalidParameterValue",
                "Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            ),
        ),
    ],
    ids=["too large", "too small", "loopback", "no block", "no length"],
)
def test_a_range_that_no_vpc_has_is_refused(ec2, cidr, refused):
    assert refusal(ec2.create_vpc, CidrBlock=cidr) == refused


def test_a_vpc_without_a_range_is_refused(ec2):
    assert refusal(ec2.create_vpc) == ("MissingParameter", "The request must contain the parameter cidrBlock")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (by(cidr="10.1.0.0/16"), [1]),
        (by(cidr="10.?.0.0/16"), [0, 1, 2]),
        (by(cidr_block_association__cidr_block="10.2.*"), [2]),
        (by(cidr_block_association__state="associated", is_default="false"), [0, 1, 2]),
        (by(is_default="true"), []),
        (by(isDefault="false"), [0, 1, 2]),
        (by(owner_id=ACCOUNT, is_default="false"), [0, 1, 2]),
        (by(owner_id="222222222222"), []),
        (by(state="available", is_default="false"), [0, 1, 2]),
        (by(tag_key="Name"), [0, 1, 2]),
        ([{"Name": "tag:Name", "Values": ["net-0", "net-2"]}], [0, 2]),
        ([{"Name": "tag:Name", "Values": ["NET-0"]}], []),
        ([{"Name": "tag:name", "Values": ["net-0"]}], []),
        ([{"Name": "tag:Name", "Values": ["net-[0]"]}], []),
        ([{"Name": "tag:Name", "Values": ["net-\\*"]}], []),
    ],
    ids=str,
)
def test_filters(ec2, three, filters, found):
    shown = ids(ec2.describe_vpcs(Filters=filters)["Vpcs"], "VpcId")

    assert [n for n, id in enumerate(three) if id in shown] == found


def test_a_filter_that_aws_does_not_know_is_refused(ec2):
    assert refusal(ec2.describe_vpcs, Filters=by(colour="blue")) == (
        "InvalidParameterValue",
        "The filter 'colour' is invalid",
    )


def test_a_filter_with_too_many_values_is_refused(ec2):
    assert code(ec2.describe_vpcs, Filters=by(vpc_id=[GONE] * 201)) == "FilterLimitExceeded"


@pytest.mark.usefixtures("three")
def test_the_paginator_shows_every_vpc_once(ec2):
    for n in range(3, 12):
        ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")

    pages = list(ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["Vpcs"]) for p in pages] == [5, 5, 3]
    assert len({v["VpcId"] for p in pages for v in p["Vpcs"]}) == 13


def test_ids_and_pages_do_not_go_together(ec2, vpc):
    assert refusal(ec2.describe_vpcs, VpcIds=[vpc], MaxResults=5) == (
        "InvalidParameterCombination",
        "The parameter vpcIds cannot be used with the parameter maxResults",
    )


@pytest.mark.parametrize(
    ("id", "refused"),
    [
        (GONE, ("InvalidVpcID.NotFound", f"The vpc ID '{GONE}' does not exist")),
        ("vpc-1a2b3c4d", ("InvalidVpcID.NotFound", "The vpc ID 'vpc-1a2b3c4d' does not exist")),
        ("vpc-xyz", ("InvalidVpcID.Malformed", 'Invalid id: "vpc-xyz" (expecting "vpc-...")')),
        ("subnet-1a2b3c4d", ("InvalidVpcID.Malformed", 'Invalid id: "subnet-1a2b3c4d" (expecting "vpc-...")')),
    ],
    ids=["17 digits", "8 digits", "no digits", "another kind"],
)
def test_an_id_that_names_no_vpc_is_refused(ec2, id, refused):
    assert refusal(ec2.describe_vpcs, VpcIds=[id]) == refused
    assert refusal(ec2.delete_vpc, VpcId=id) == refused
    assert refusal(ec2.describe_vpc_attribute, VpcId=id, Attribute="enableDnsSupport") == refused


def test_the_waiters_are_satisfied_at_once(ec2, vpc):
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc])
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])


def test_deleting_a_vpc_takes_what_came_with_it(ec2, vpc):
    ec2.delete_vpc(VpcId=vpc)

    assert code(ec2.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    for describe, member in [
        (ec2.describe_route_tables, "RouteTables"),
        (ec2.describe_network_acls, "NetworkAcls"),
        (ec2.describe_security_groups, "SecurityGroups"),
    ]:
        assert describe(Filters=by(vpc_id=vpc))[member] == []


@pytest.mark.parametrize("what", ["subnet", "gateway", "table", "acl", "group"])
def test_a_vpc_with_something_in_it_stays(ec2, vpc, what):
    if what == "subnet":
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    elif what == "gateway":
        igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    elif what == "table":
        ec2.create_route_table(VpcId=vpc)
    elif what == "acl":
        ec2.create_network_acl(VpcId=vpc)
    else:
        ec2.create_security_group(VpcId=vpc, GroupName="web", Description="web")

    assert refusal(ec2.delete_vpc, VpcId=vpc) == (
        "DependencyViolation",
        f"The vpc '{vpc}' has dependencies and cannot be deleted.",
    )
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


def attribute(ec2, vpc, name):
    return ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)[name[0].upper() + name[1:]]["Value"]


def test_attributes_have_the_defaults_of_aws_and_change_one_by_one(ec2, vpc):
    names = "enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics"
    assert [attribute(ec2, vpc, name) for name in names] == [True, False, False]

    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableNetworkAddressUsageMetrics={"Value": True})

    assert [attribute(ec2, vpc, name) for name in names] == [True, True, True]


def test_only_one_attribute_changes_at_a_time(ec2, vpc):
    refused = refusal(
        ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True}
    )

    assert refused == (
        "InvalidParameterCombination",
        "Fields for multiple attribute types specified: enableDnsSupport, enableDnsHostnames",
    )
    assert code(ec2.modify_vpc_attribute, VpcId=vpc) == "MissingParameter"


def test_hostnames_need_the_resolver(ec2, vpc):
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})

    assert code(ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": True}) == "InvalidParameterValue"


def test_a_dedicated_vpc_can_become_a_default_one(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", InstanceTenancy="dedicated")["Vpc"]
    assert vpc["InstanceTenancy"] == "dedicated"

    assert ec2.modify_vpc_tenancy(VpcId=vpc["VpcId"], InstanceTenancy="default")["ReturnValue"]

    assert ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["InstanceTenancy"] == "default"


def test_nobody_else_sees_a_vpc(ec2, stranger, abroad, vpc):
    for other in (stranger, abroad):
        assert vpc not in ids(other.describe_vpcs()["Vpcs"], "VpcId")
        assert code(other.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
        assert code(other.delete_vpc, VpcId=vpc) == "InvalidVpcID.NotFound"
        assert code(other.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24") == "InvalidVpcID.NotFound"
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


def test_a_dry_run_changes_nothing(ec2):
    before = len(ec2.describe_vpcs()["Vpcs"])

    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == "DryRunOperation"

    assert len(ec2.describe_vpcs()["Vpcs"]) == before
