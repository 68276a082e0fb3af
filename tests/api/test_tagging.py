"""Tags of EC2 resources through boto3."""

import pytest

from tests.api.machines import launch
from tests.api.paper import by, code, refusal, tagging


def tag(key, value=""):
    return {"Key": key, "Value": value}


def tags_of(ec2, id):
    return {t["Key"]: t["Value"] for t in ec2.describe_tags(Filters=by(resource_id=id))["Tags"]}


def make(ec2, vpc, subnet, kind):
    """Make a resource of a kind and return its id."""
    match kind:
        case "vpc":
            return vpc
        case "subnet":
            return subnet
        case "dhcp-options":
            return ec2.describe_dhcp_options()["DhcpOptions"][0]["DhcpOptionsId"]
        case "route-table":
            return ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        case "internet-gateway":
            return ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        case "elastic-ip":
            return ec2.allocate_address()["AllocationId"]
        case "network-interface":
            return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        case "security-group":
            return ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
        case "security-group-rule":
            return ec2.describe_security_group_rules()["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        case "network-acl":
            return ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        case "instance":
            return launch(ec2, SubnetId=subnet)["InstanceId"]
        case "key-pair":
            return ec2.create_key_pair(KeyName="k")["KeyPairId"]
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "vpc", "subnet", "dhcp-options", "route-table", "internet-gateway", "elastic-ip", "network-interface",
        "security-group", "security-group-rule", "network-acl", "instance", "key-pair",
    ],
)  # fmt: skip
def test_every_kind_takes_tags(ec2, vpc, subnet, kind):
    id = make(ec2, vpc, subnet, kind)

    ec2.create_tags(Resources=[id], Tags=[tag("Name", "one"), tag("tier", "data")])
    ec2.create_tags(Resources=[id], Tags=[tag("Name", "two")])

    shown = ec2.describe_tags(Filters=by(resource_id=id, key="Name"))["Tags"]
    assert shown == [{"Key": "Name", "Value": "two", "ResourceId": id, "ResourceType": kind}]
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "tier"}])
    assert tags_of(ec2, id) == {"Name": "two"}


def test_a_tag_with_a_value_goes_only_if_it_is_that_value(ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[tag("a", "1"), tag("b", "2"), tag("c", ""), tag("d", "4")])

    ec2.delete_tags(Resources=[vpc], Tags=[tag("a", "1"), tag("b", "9"), tag("c", ""), tag("d", "")])

    assert tags_of(ec2, vpc) == {"b": "2", "d": "4"}


def test_without_tags_all_of_them_go(ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[tag("a"), tag("b")])

    ec2.delete_tags(Resources=[vpc])

    assert tags_of(ec2, vpc) == {}


def test_tags_are_found_by_filters_and_page_by_page(ec2, vpc, subnet):
    ec2.create_tags(Resources=[vpc, subnet], Tags=[tag(f"k{n}", f"v{n}") for n in range(4)])

    def found(filters):
        return sorted((t["ResourceType"], t["Key"]) for t in ec2.describe_tags(Filters=filters)["Tags"])

    assert found(by(key="k1")) == [("subnet", "k1"), ("vpc", "k1")]
    assert found(by(value="v2", resource_type="vpc")) == [("vpc", "k2")]
    assert found([{"Name": "tag:k3", "Values": ["v3"]}]) == [("subnet", "k3"), ("vpc", "k3")]
    assert found([{"Name": "tag:k3", "Values": ["v4"]}]) == []
    pages = list(ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(p["Tags"]) for p in pages] == [5, 3]
    assert code(ec2.describe_tags, Filters=by(colour="blue")) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("tags", "refused"),
    [
        ([], None),
        (
            [tag("aws:mine", "1")],
            ("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"),
        ),
        ([tag("", "1")], ("InvalidParameterValue", "Tag key cannot be empty")),
        (
            [tag("k" * 129)],
            ("InvalidParameterValue", "Tag key exceeds the maximum length of 128 characters"),
        ),
        (
            [tag("k", "v" * 257)],
            ("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters"),
        ),
        ([tag("k", "1"), tag("k", "2")], ("InvalidParameterValue", "Duplicate tag key 'k' specified.")),
        (
            [tag(f"k{n}") for n in range(51)],
            ("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."),
        ),
    ],
    ids=["none", "reserved", "empty", "long key", "long value", "twice", "51"],
)
def test_tags_that_cannot_be_are_refused(ec2, vpc, tags, refused):
    found = refusal(ec2.create_tags, Resources=[vpc], Tags=tags)

    assert found == (refused or ("MissingParameter", found[1]))
    if tags:
        specification = [{"ResourceType": "vpc", "Tags": tags}]
        assert refusal(ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=specification) == found
    assert tags_of(ec2, vpc) == {}


def test_a_resource_has_at_most_fifty_tags(ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[tag(f"k{n}") for n in range(50)])

    assert code(ec2.create_tags, Resources=[vpc], Tags=[tag("one more")]) == "TagLimitExceeded"
    ec2.create_tags(Resources=[vpc], Tags=[tag("k7", "changed")])


@pytest.mark.parametrize(
    ("id", "refused"),
    [
        ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        ("sgr-0123456789abcdef0", "InvalidSecurityGroupRuleId.NotFound"),
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("vpc-x", "InvalidVpcID.Malformed"),
        ("nothing", "InvalidID"),
        ("xyz-0123456789abcdef0", "InvalidID"),
    ],
)
def test_an_id_that_names_nothing_is_refused(ec2, vpc, id, refused):
    assert code(ec2.create_tags, Resources=[vpc, id], Tags=[tag("a")]) == refused
    assert code(ec2.delete_tags, Resources=[id]) == refused
    assert tags_of(ec2, vpc) == {}  # all or nothing


@pytest.mark.parametrize(
    ("specification", "refused"),
    [
        (tagging("subnet", a="1"), "'subnet' is not a valid taggable resource type for this operation."),
        (
            [*tagging("vpc", a="1"), *tagging("vpc", b="2")],
            "The same resource type may not be specified more than once in tag specifications",
        ),
        ([{"Tags": [tag("a")]}], "Tag specification resource type must have a value"),
        ([{"ResourceType": "vpc"}], "Tag specification must have at least one tag"),
    ],
    ids=["another type", "twice", "no type", "no tags"],
)
def test_a_tag_specification_that_cannot_be_is_refused(ec2, specification, refused):
    assert refusal(ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=specification) == (
        "InvalidParameterValue",
        refused,
    )


def test_nobody_else_tags_or_sees_tags(ec2, stranger, abroad, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[tag("mine")])

    for other in (stranger, abroad):
        assert other.describe_tags()["Tags"] == []
        assert code(other.create_tags, Resources=[vpc], Tags=[tag("theirs")]) == "InvalidVpcID.NotFound"
        assert code(other.delete_tags, Resources=[vpc]) == "InvalidVpcID.NotFound"
    assert tags_of(ec2, vpc) == {"mine": ""}
