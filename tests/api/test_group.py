"""Security groups through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "sg-0123456789abcdef0"


@pytest.fixture
def group(ec2, vpc):
    return ec2.create_security_group(GroupName="cache", Description="caches", VpcId=vpc)["GroupId"]


def show(ec2, id):
    return ec2.describe_security_groups(GroupIds=[id])["SecurityGroups"][0]


def default_vpc(ec2):
    return ec2.describe_vpcs(Filters=by(is_default="true"))["Vpcs"][0]["VpcId"]


def test_a_new_group_lets_everything_out_and_nothing_in(ec2, vpc):
    made = ec2.create_security_group(
        GroupName="cache", Description="caches", VpcId=vpc, TagSpecifications=tagging("security-group", tier="data")
    )

    id = made["GroupId"]
    assert made["Tags"] == [{"Key": "tier", "Value": "data"}]
    assert show(ec2, id) == {
        "GroupId": id,
        "GroupName": "cache",
        "Description": "caches",
        "OwnerId": ACCOUNT,
        "VpcId": vpc,
        "SecurityGroupArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{id}",
        "IpPermissions": [],
        "IpPermissionsEgress": [
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
        ],
        "Tags": [{"Key": "tier", "Value": "data"}],
    }
    ec2.get_waiter("security_group_exists").wait(GroupIds=[id])


def test_without_a_vpc_a_group_is_in_the_default_one(ec2):
    id = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]

    assert show(ec2, id)["VpcId"] == default_vpc(ec2)
    assert ids(ec2.describe_security_groups(GroupNames=["web"])["SecurityGroups"], "GroupId") == [id]
    assert ec2.delete_security_group(GroupName="web")["GroupId"] == id


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        (
            {"GroupName": "cache"},
            ("InvalidGroup.Duplicate", "The security group 'cache' already exists for VPC '{vpc}'"),
        ),
        (
            {"GroupName": "default"},
            ("InvalidParameterValue", "Cannot use reserved security group name: default"),
        ),
        (
            {"GroupName": "sg-mine"},
            (
                "InvalidParameterValue",
                "Value (sg-mine) for parameter GroupName is invalid. Group names may not be in the format sg-*.",
            ),
        ),
        (
            {"GroupName": "caché"},
            (
                "InvalidParameterValue",
                "Value (caché) for parameter GroupName is invalid. It takes at most 255 of the characters a-zA-Z0-9. "
                "_-:/()#,@[]+=&;{}!$*",
            ),
        ),
        ({"GroupName": "x" * 256}, None),
        ({"GroupName": "web", "Description": "größer"}, None),
        (
            {"GroupName": "web", "Description": ""},
            ("MissingParameter", "The request must contain the parameter GroupDescription"),
        ),
        (
            {"GroupName": "web", "VpcId": "vpc-0123456789abcdef0"},
            ("InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist"),
        ),
    ],
    ids=["twice", "reserved", "like an id", "letters", "long", "description", "none", "vpc"],
)
@pytest.mark.usefixtures("group")
def test_a_group_that_cannot_be_is_refused(ec2, vpc, parameters, refused):
    found = refusal(ec2.create_security_group, **{"Description": "d", "VpcId": vpc, **parameters})

    if refused:
        assert found == (refused[0], refused[1].replace("{vpc}", vpc))
    else:
        assert found[0] == "InvalidParameterValue"


def test_names_are_unique_in_a_vpc_only(ec2, group):
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]

    assert ec2.create_security_group(GroupName="cache", Description="d", VpcId=other)["GroupId"] != group


def test_a_group_outside_the_default_vpc_is_not_found_by_name(ec2, group):
    del group
    assert refusal(ec2.describe_security_groups, GroupNames=["cache"]) == (
        "InvalidGroup.NotFound",
        f"The security group 'cache' does not exist in default VPC '{default_vpc(ec2)}'",
    )


def test_the_default_group_stays(ec2, vpc):
    (default,) = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"]

    assert refusal(ec2.delete_security_group, GroupId=default["GroupId"]) == (
        "CannotDelete",
        f'the specified group: "{default["GroupId"]}" name: "default" cannot be deleted by a user',
    )


def test_a_group_that_an_interface_carries_stays(ec2, subnet, group):
    eni = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    assert refusal(ec2.delete_security_group, GroupId=group) == (
        "DependencyViolation",
        f"resource {group} has a dependent object",
    )

    ec2.delete_network_interface(NetworkInterfaceId=eni)
    answer = ec2.delete_security_group(GroupId=group)

    assert (answer["Return"], answer["GroupId"]) == (True, group)
    assert refusal(ec2.describe_security_groups, GroupIds=[group]) == (
        "InvalidGroup.NotFound",
        f"The security group '{group}' does not exist",
    )


def test_a_group_that_another_names_stays(ec2, vpc, group):
    other = ec2.create_security_group(GroupName="app", Description="d", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[permission])
    assert code(ec2.delete_security_group, GroupId=group) == "DependencyViolation"

    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[permission])

    ec2.delete_security_group(GroupId=group)


def test_a_group_that_names_only_itself_goes(ec2, group):
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    ec2.delete_security_group(GroupId=group)


@pytest.mark.parametrize(
    "filters",
    [
        by(description="ca*"),
        by(group_name="cache", owner_id=ACCOUNT),
        by(group_id="sg-*", group_name="cache"),
        by(ip_permission__cidr="198.51.100.27/32"),
        by(ip_permission__from_port="6379", ip_permission__to_port="6381"),
        by(ip_permission__protocol="tcp"),
        by(ip_permission__group_name="cache"),
        by(ip_permission__user_id=ACCOUNT, group_name="cache"),
        by(ip_permission__ipv6_cidr="::/0"),
        by(egress__ip_permission__cidr="0.0.0.0/0", group_name="cache"),
        by(egress__ip_permission__protocol="-1", group_name="cache"),
        by(tag_key="tier"),
        [{"Name": "tag:tier", "Values": ["data"]}],
    ],
    ids=str,
)
def test_filters(ec2, vpc, group, filters):
    ec2.create_tags(Resources=[group], Tags=[{"Key": "tier", "Value": "data"}])
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 6379,
                "ToPort": 6381,
                "IpRanges": [{"CidrIp": "198.51.100.27/32"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                "UserIdGroupPairs": [{"GroupId": group}],
            }
        ],
    )

    found = ec2.describe_security_groups(Filters=[*filters, *by(vpc_id=vpc)])["SecurityGroups"]

    assert ids(found, "GroupId") == [group]


def test_filters_that_admit_none(ec2, group):
    del group
    for filters in (by(egress__ip_permission__from_port="80"), by(ip_permission__prefix_list_id="*")):
        assert ec2.describe_security_groups(Filters=filters)["SecurityGroups"] == []


def test_the_paginator_shows_every_group_once(ec2, vpc):
    for n in range(8):
        ec2.create_security_group(GroupName=f"g{n}", Description="d", VpcId=vpc)

    pages = list(ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["SecurityGroups"]) for p in pages] == [5, 5]
    assert code(ec2.describe_security_groups, GroupNames=["default"], MaxResults=5) == "InvalidParameterCombination"


def test_the_groups_for_a_vpc(ec2, vpc, group):
    found = ec2.get_security_groups_for_vpc(VpcId=vpc, Filters=by(group_name="cache"))["SecurityGroupForVpcs"]

    assert found == [
        {
            "GroupId": group,
            "GroupName": "cache",
            "Description": "caches",
            "OwnerId": ACCOUNT,
            "PrimaryVpcId": vpc,
            "Tags": [],
        }
    ]
    assert len(ec2.get_security_groups_for_vpc(VpcId=vpc)["SecurityGroupForVpcs"]) == 2
    assert code(ec2.get_security_groups_for_vpc, VpcId="vpc-0123456789abcdef0") == "InvalidVpcID.NotFound"


def test_nothing_is_referenced_from_afar_and_nothing_is_stale(ec2, vpc, group):
    assert ec2.describe_security_group_references(GroupId=[group])["SecurityGroupReferenceSet"] == []
    assert ec2.describe_stale_security_groups(VpcId=vpc)["StaleSecurityGroupSet"] == []
    assert code(ec2.describe_security_group_references, GroupId=[GONE]) == "InvalidGroup.NotFound"
    assert code(ec2.describe_stale_security_groups, VpcId="vpc-0123456789abcdef0") == "InvalidVpcID.NotFound"


def test_ids_that_name_no_group(ec2, stranger, abroad, group):
    assert code(ec2.delete_security_group, GroupId="sg-1a2b3c4d") == "InvalidGroup.NotFound"
    assert refusal(ec2.delete_security_group, GroupId="cache") == (
        "InvalidGroupId.Malformed",
        'Invalid id: "cache" (expecting "sg-...")',
    )
    assert refusal(ec2.delete_security_group) == (
        "MissingParameter",
        "The request must contain the parameter groupName or groupId",
    )
    for other in (stranger, abroad):
        assert code(other.describe_security_groups, GroupIds=[group]) == "InvalidGroup.NotFound"
        assert code(other.delete_security_group, GroupId=group) == "InvalidGroup.NotFound"
