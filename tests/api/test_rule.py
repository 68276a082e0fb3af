"""The rules of security groups through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "sgr-0123456789abcdef0"
PORT_22 = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
ANYONE = [{"CidrIp": "0.0.0.0/0"}]
EMPTY = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}


@pytest.fixture
def group(ec2, vpc):
    return ec2.create_security_group(GroupName="cache", Description="caches", VpcId=vpc)["GroupId"]


@pytest.fixture
def app(ec2, vpc):
    return ec2.create_security_group(GroupName="app", Description="applications", VpcId=vpc)["GroupId"]


def permissions(ec2, group, member="IpPermissions"):
    return ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0][member]


def rules(ec2, group, *, egress=False):
    found = ec2.describe_security_group_rules(Filters=by(group_id=group))["SecurityGroupRules"]
    return [r for r in found if r["IsEgress"] is egress]


def allow(ec2, group, *permissions, **more):
    return ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(permissions), **more)


def test_each_source_of_a_permission_is_a_rule(ec2, vpc, group, app):
    made = allow(
        ec2,
        group,
        {
            **PORT_22,
            "IpRanges": [{"CidrIp": "10.0.0.5/24", "Description": "office"}, {"CidrIp": "198.51.100.27/32"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            "UserIdGroupPairs": [{"GroupId": app, "Description": "app"}],
        },
        TagSpecifications=tagging("security-group-rule", why="ssh"),
    )

    assert made["Return"]
    assert len({r["SecurityGroupRuleId"] for r in made["SecurityGroupRules"]}) == 4
    first, _, v6, from_group = made["SecurityGroupRules"]
    assert first == {
        "SecurityGroupRuleId": first["SecurityGroupRuleId"],
        "SecurityGroupRuleArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group-rule/{first['SecurityGroupRuleId']}",
        "GroupId": group,
        "GroupOwnerId": ACCOUNT,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "CidrIpv4": "10.0.0.0/24",
        "Description": "office",
        "Tags": [{"Key": "why", "Value": "ssh"}],
    }
    assert v6["CidrIpv6"] == "::/0"
    assert from_group["ReferencedGroupInfo"] == {"GroupId": app, "UserId": ACCOUNT, "VpcId": vpc}
    assert permissions(ec2, group) == [
        {
            **PORT_22,
            "IpRanges": [{"CidrIp": "10.0.0.0/24", "Description": "office"}, {"CidrIp": "198.51.100.27/32"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            "PrefixListIds": [],
            "UserIdGroupPairs": [{"GroupId": app, "UserId": ACCOUNT, "Description": "app"}],
        }
    ]
    assert ids(rules(ec2, group), "SecurityGroupRuleId") == ids(made["SecurityGroupRules"], "SecurityGroupRuleId")


@pytest.mark.parametrize(
    ("asked", "shown", "ports"),
    [
        ({"IpProtocol": "6", "FromPort": 1, "ToPort": 2}, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}, (1, 2)),
        (
            {"IpProtocol": "UDP", "FromPort": 0, "ToPort": 65535},
            {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535},
            (0, 65535),
        ),
        (
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1},
            (8, -1),
        ),
        ({"IpProtocol": "1"}, {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1}, (-1, -1)),
        ({"IpProtocol": "-1", "FromPort": 0, "ToPort": 0}, {"IpProtocol": "-1"}, (-1, -1)),
        ({"IpProtocol": "all"}, {"IpProtocol": "-1"}, (-1, -1)),
        ({"IpProtocol": "50", "FromPort": 7}, {"IpProtocol": "50"}, (-1, -1)),
    ],
    ids=["a number", "all ports", "a type", "all of icmp", "everything", "all", "another protocol"],
)
def test_protocols_are_shown_as_aws_shows_them(ec2, group, asked, shown, ports):
    (rule,) = allow(ec2, group, {**asked, "IpRanges": ANYONE})["SecurityGroupRules"]

    assert permissions(ec2, group) == [{**EMPTY, **shown, "IpRanges": ANYONE}]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == (shown["IpProtocol"], *ports)


@pytest.mark.parametrize(
    ("permission", "refused"),
    [
        (
            {"IpProtocol": "tcp", "IpRanges": ANYONE},
            (
                "InvalidParameterValue",
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
            ),
        ),
        (
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 80, "IpRanges": ANYONE},
            ("InvalidParameterValue", "Invalid TCP/UDP port range (443:80)"),
        ),
        (
            {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65536, "IpRanges": ANYONE},
            ("InvalidParameterValue", "Invalid TCP/UDP port range (0:65536)"),
        ),
        (
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": 3, "IpRanges": ANYONE},
            ("InvalidParameterValue", "Invalid ICMP type and code (-1:3)"),
        ),
        (
            {"IpProtocol": "http", "IpRanges": ANYONE},
            ("InvalidParameterValue", "Invalid value 'http' for IP protocol. Unknown protocol."),
        ),
        (
            {**PORT_22, "IpRanges": [{"CidrIp": "10.0.0.1"}]},
            ("InvalidParameterValue", "CIDR block 10.0.0.1 is malformed"),
        ),
        (
            {**PORT_22, "Ipv6Ranges": [{"CidrIpv6": "none"}]},
            ("InvalidParameterValue", "CIDR block none is malformed"),
        ),
        (
            {**PORT_22, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::"}]},
            ("InvalidParameterValue", "CIDR block 2001:db8:: is malformed"),
        ),
        (
            {**PORT_22, "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]},
            ("InvalidPrefixListID.NotFound", "The prefix list ID 'pl-0123456789abcdef0' does not exist"),
        ),
        (
            {**PORT_22, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]},
            ("InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"),
        ),
        (
            {**PORT_22, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0", "UserId": "222222222222"}]},
            ("InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"),
        ),
        (
            {**PORT_22, "UserIdGroupPairs": [{"VpcPeeringConnectionId": "pcx-1", "GroupId": "sg-1"}]},
            ("InvalidGroup.NotFound", "You have specified two resources that belong to different networks."),
        ),
        (
            PORT_22,
            (
                "MissingParameter",
                "The request must contain the parameter ipRanges, ipv6Ranges, prefixListIds or groups",
            ),
        ),
        (
            {**PORT_22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "größer"}]},
            (
                "InvalidParameterValue",
                "Invalid rule description. Valid descriptions are strings less than 256 characters from the "
                "following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
            ),
        ),
        (
            {**PORT_22, "IpRanges": [*ANYONE, *ANYONE]},
            ("InvalidParameterValue", "The same permission must not appear multiple times"),
        ),
    ],
    ids=[
        "no ports", "reversed", "too high", "code without type", "protocol", "no length", "no ipv6", "ipv6",
        "prefix list", "group", "account", "peering", "no source", "description", "twice",
    ],
)  # fmt: skip
def test_a_permission_that_cannot_be_is_refused(ec2, group, permission, refused):
    assert refusal(allow, ec2, group, permission) == refused
    assert permissions(ec2, group) == []


@pytest.mark.parametrize(
    ("permission", "spelling"),
    [
        ({**PORT_22, "IpRanges": ANYONE}, "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW"),
        ({"IpProtocol": "-1", "IpRanges": ANYONE}, "peer: 0.0.0.0/0, ALL, ALLOW"),
        ({"IpProtocol": "icmp", "IpRanges": ANYONE}, "peer: 0.0.0.0/0, ICMP, type: ALL, code: ALL, ALLOW"),
    ],
    ids=["tcp", "all", "icmp"],
)
def test_a_rule_that_exists_is_refused(ec2, group, permission, spelling):
    allow(ec2, group, permission)
    described = {**permission, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "another"}]}

    assert refusal(allow, ec2, group, described) == (
        "InvalidPermission.Duplicate",
        f'the specified rule "{spelling}" already exists',
    )


def test_if_one_rule_is_refused_none_is_added(ec2, group):
    allow(ec2, group, {**PORT_22, "IpRanges": ANYONE})

    assert code(allow, ec2, group, {**PORT_22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, *ANYONE]}) == (
        "InvalidPermission.Duplicate"
    )

    assert permissions(ec2, group)[0]["IpRanges"] == ANYONE


def test_a_group_has_at_most_sixty_rules_in_a_direction(ec2, group):
    sources = [{"CidrIp": f"10.0.{n}.0/24"} for n in range(61)]

    assert code(allow, ec2, group, {**PORT_22, "IpRanges": sources}) == "RulesPerSecurityGroupLimitExceeded"
    allow(ec2, group, {**PORT_22, "IpRanges": sources[:60]})
    allow(ec2, group, {**PORT_22, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    assert code(allow, ec2, group, {**PORT_22, "IpRanges": sources[60:]}) == "RulesPerSecurityGroupLimitExceeded"


def test_a_source_group_is_of_the_same_vpc(ec2, group):
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    far = ec2.create_security_group(GroupName="far", Description="d", VpcId=other)["GroupId"]

    assert refusal(allow, ec2, group, {**PORT_22, "UserIdGroupPairs": [{"GroupId": far}]}) == (
        "InvalidGroup.NotFound",
        "You have specified two resources that belong to different networks.",
    )


def test_a_source_group_may_be_named(ec2, group, app):
    allow(ec2, group, {**PORT_22, "UserIdGroupPairs": [{"GroupName": "app", "UserId": ACCOUNT}]})

    assert permissions(ec2, group)[0]["UserIdGroupPairs"] == [{"GroupId": app, "UserId": ACCOUNT}]


def test_the_flat_parameters_mean_the_same(ec2, group):
    flat = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "CidrIp": "10.0.0.0/8"}

    ec2.authorize_security_group_ingress(GroupId=group, **flat)
    assert permissions(ec2, group) == [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, **EMPTY, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ]

    ec2.revoke_security_group_ingress(GroupId=group, **flat)
    assert permissions(ec2, group) == []
    assert (
        code(
            ec2.authorize_security_group_ingress,
            GroupId=group,
            IpPermissions=[{**PORT_22, "IpRanges": ANYONE}],
            **flat,
        )
        == "InvalidParameterCombination"
    )
    assert code(ec2.authorize_security_group_ingress, GroupId=group) == "MissingParameter"


def test_a_source_group_given_by_name_alone_may_do_everything(ec2):
    for name in ("web", "db"):
        ec2.create_security_group(GroupName=name, Description="d")

    ec2.authorize_security_group_ingress(GroupName="db", SourceSecurityGroupName="web")

    (db,) = ec2.describe_security_groups(GroupNames=["db"])["SecurityGroups"]
    assert [p["IpProtocol"] for p in db["IpPermissions"]] == ["tcp", "udp", "icmp"]


def test_what_was_described_can_be_revoked(ec2, group, app):
    allow(
        ec2,
        group,
        {**PORT_22, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "x"}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": app}]},
    )

    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions(ec2, group))

    assert permissions(ec2, group) == []
    assert answer["UnknownIpPermissions"] == []
    first, second = answer["RevokedSecurityGroupRules"]
    assert (first["CidrIpv4"], first["FromPort"]) == ("10.0.0.0/8", 22)
    assert second["ReferencedGroupId"] == app


def test_rules_can_be_revoked_by_their_ids(ec2, group):
    made = allow(ec2, group, {**PORT_22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, *ANYONE]})["SecurityGroupRules"]

    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[made[0]["SecurityGroupRuleId"]])

    assert permissions(ec2, group)[0]["IpRanges"] == ANYONE
    id = made[0]["SecurityGroupRuleId"]
    assert refusal(ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=[id]) == (
        "InvalidSecurityGroupRuleId.NotFound",
        f"The security group rule ID '{id}' does not exist",
    )
    assert (
        code(ec2.revoke_security_group_egress, GroupId=group, SecurityGroupRuleIds=[made[1]["SecurityGroupRuleId"]])
        == "InvalidSecurityGroupRuleId.NotFound"
    )


def test_a_rule_that_is_not_there_cannot_be_revoked(ec2, group):
    assert refusal(
        ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[{**PORT_22, "IpRanges": ANYONE}]
    ) == (
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
    )
    assert code(ec2.revoke_security_group_ingress, GroupId=group) == "MissingParameter"


def test_in_the_default_vpc_it_is_only_reported(ec2):
    ec2.create_security_group(GroupName="web", Description="d")

    answer = ec2.revoke_security_group_ingress(GroupName="web", IpPermissions=[{**PORT_22, "IpRanges": ANYONE}])

    assert answer["Return"]
    assert answer["UnknownIpPermissions"] == [{**PORT_22, **EMPTY, "IpRanges": ANYONE}]


def test_what_goes_out_has_rules_of_its_own(ec2, group, app):
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": ANYONE}])
    assert permissions(ec2, group, "IpPermissionsEgress") == []

    made = ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[{**PORT_22, "UserIdGroupPairs": [{"GroupId": app}]}]
    )

    assert [r["IsEgress"] for r in made["SecurityGroupRules"]] == [True]
    assert permissions(ec2, group) == []
    assert rules(ec2, group, egress=True) == made["SecurityGroupRules"]
    assert code(ec2.authorize_security_group_egress, GroupId=group, IpProtocol="tcp", CidrIp="10.0.0.0/8") == (
        "UnsupportedOperation"
    )


def test_a_rule_can_be_said_anew(ec2, group, app):
    made = allow(
        ec2,
        group,
        {**PORT_22, "IpRanges": ANYONE},
        TagSpecifications=tagging("security-group-rule", why="ssh"),
    )["SecurityGroupRules"]
    id = made[0]["SecurityGroupRuleId"]
    new = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "ReferencedGroupId": app, "Description": "dns"}

    assert ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": new}]
    )["Return"]

    (rule,) = rules(ec2, group)
    assert (rule["SecurityGroupRuleId"], rule["IpProtocol"], rule["Description"]) == (id, "udp", "dns")
    assert rule["ReferencedGroupInfo"]["GroupId"] == app
    assert rule["Tags"] == [{"Key": "why", "Value": "ssh"}]


def test_a_rule_cannot_be_said_anew_as_another(ec2, group):
    made = allow(ec2, group, {**PORT_22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, *ANYONE]})["SecurityGroupRules"]
    id = made[0]["SecurityGroupRuleId"]

    def change(id=id, **rule):
        update = {"SecurityGroupRuleId": id, "SecurityGroupRule": rule}
        return code(ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=[update])

    assert change(**PORT_22, CidrIpv4="0.0.0.0/0") == "InvalidPermission.Duplicate"
    assert change(**PORT_22) == "InvalidParameterValue"
    assert change(**PORT_22, CidrIpv4="0.0.0.0/0", CidrIpv6="::/0") == "InvalidParameterValue"
    assert change(id=GONE, **PORT_22, CidrIpv4="10.0.0.0/9") == "InvalidSecurityGroupRuleId.NotFound"


def test_descriptions_change_by_permission_or_by_id(ec2, group):
    (made,) = allow(ec2, group, {**PORT_22, "IpRanges": ANYONE})["SecurityGroupRules"]
    id = made["SecurityGroupRuleId"]

    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group,
        IpPermissions=[{**PORT_22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "everyone"}]}],
    )
    assert rules(ec2, group)[0]["Description"] == "everyone"

    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": id, "Description": "the world"}]
    )
    assert rules(ec2, group)[0]["Description"] == "the world"

    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, IpPermissions=[{**PORT_22, "IpRanges": ANYONE}]
    )
    assert "Description" not in rules(ec2, group)[0]


def test_descriptions_of_what_is_not_there_are_refused(ec2, group):
    describe = ec2.update_security_group_rule_descriptions_ingress

    assert code(describe, GroupId=group, IpPermissions=[{**PORT_22, "IpRanges": ANYONE}]) == (
        "InvalidPermission.NotFound"
    )
    assert (
        code(
            describe, GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": GONE, "Description": "x"}]
        )
        == "InvalidSecurityGroupRuleId.NotFound"
    )
    assert code(describe, GroupId=group) == "MissingParameter"


def test_the_descriptions_of_what_goes_out_change_too(ec2, group):
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all of it"}]}

    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[permission])

    assert rules(ec2, group, egress=True)[0]["Description"] == "all of it"


def test_rules_are_found_by_id_by_tag_and_page_by_page(ec2, group):
    sources = [{"CidrIp": f"10.0.{n}.0/24"} for n in range(11)]
    made = allow(
        ec2, group, {**PORT_22, "IpRanges": sources}, TagSpecifications=tagging("security-group-rule", why="ssh")
    )["SecurityGroupRules"]
    first = made[0]["SecurityGroupRuleId"]

    assert ec2.describe_security_group_rules(SecurityGroupRuleIds=[first])["SecurityGroupRules"] == made[:1]
    tagged = ec2.describe_security_group_rules(Filters=[{"Name": "tag:why", "Values": ["ssh"]}])
    assert len(tagged["SecurityGroupRules"]) == 11
    by_id = ec2.describe_security_group_rules(Filters=by(security_group_rule_id=first))["SecurityGroupRules"]
    assert by_id == made[:1]
    pages = ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=by(group_id=group), PaginationConfig={"PageSize": 5}
    )
    assert [len(p["SecurityGroupRules"]) for p in pages] == [5, 5, 2]
    assert code(ec2.describe_security_group_rules, SecurityGroupRuleIds=[first], MaxResults=5) == (
        "InvalidParameterCombination"
    )
    assert (
        code(ec2.describe_security_group_rules, SecurityGroupRuleIds=[GONE]) == "InvalidSecurityGroupRuleId.NotFound"
    )
    assert (
        code(ec2.describe_security_group_rules, SecurityGroupRuleIds=["x"]) == "InvalidSecurityGroupRuleId.Malformed"
    )


def test_nobody_else_sees_or_changes_a_rule(stranger, abroad, ec2, group):
    (made,) = allow(ec2, group, {**PORT_22, "IpRanges": ANYONE})["SecurityGroupRules"]
    id = made["SecurityGroupRuleId"]

    for other in (stranger, abroad):
        assert code(other.describe_security_group_rules, SecurityGroupRuleIds=[id]) == (
            "InvalidSecurityGroupRuleId.NotFound"
        )
        assert code(allow, other, group, {**PORT_22, "IpRanges": ANYONE}) == "InvalidGroup.NotFound"
        own = other.create_security_group(GroupName="own", Description="d")["GroupId"]
        assert code(allow, other, own, {**PORT_22, "UserIdGroupPairs": [{"GroupId": group}]}) == (
            "InvalidGroup.NotFound"
        )


def test_a_call_that_changes_rules_waits_for_the_network(paper, ec2, group):
    before = paper.backend.waits

    allow(ec2, group, {**PORT_22, "IpRanges": ANYONE})
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions(ec2, group))

    assert paper.backend.waits == before + 2
