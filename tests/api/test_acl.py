"""Network ACLs through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "acl-0123456789abcdef0"
ENTRY = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"}


@pytest.fixture
def acl(ec2, vpc):
    return ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]


def show(ec2, id):
    return ec2.describe_network_acls(NetworkAclIds=[id])["NetworkAcls"][0]


def entries(ec2, id, *, egress=False):
    return [e for e in show(ec2, id)["Entries"] if e["Egress"] is egress and e["RuleNumber"] != 32767]


def association(ec2, subnet):
    (acl,) = ec2.describe_network_acls(Filters=by(association__subnet_id=subnet))["NetworkAcls"]
    (found,) = [a for a in acl["Associations"] if a["SubnetId"] == subnet]
    return found


def test_a_new_acl_denies_everything(ec2, vpc):
    made = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagging("network-acl", Name="strict"))["NetworkAcl"]

    last = {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}
    assert show(ec2, made["NetworkAclId"]) == made
    assert made == {
        "NetworkAclId": made["NetworkAclId"],
        "VpcId": vpc,
        "OwnerId": ACCOUNT,
        "IsDefault": False,
        "Associations": [],
        "Entries": [{**last, "Egress": True}, {**last, "Egress": False}],
        "Tags": [{"Key": "Name", "Value": "strict"}],
    }


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (
            {"Protocol": "6", "PortRange": {"From": 80, "To": 81}},
            {"Protocol": "6", "PortRange": {"From": 80, "To": 81}},
        ),
        (
            {"Protocol": "udp", "PortRange": {"From": 1024, "To": 65535}},
            {"Protocol": "17", "PortRange": {"From": 1024, "To": 65535}},
        ),
        (
            {"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}},
            {"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}},
        ),
        ({"Protocol": "-1", "PortRange": {"From": 0, "To": 0}}, {"Protocol": "-1"}),
        ({"Protocol": "50", "RuleAction": "deny"}, {"Protocol": "50", "RuleAction": "deny"}),
        ({"Protocol": "-1", "CidrBlock": "10.0.0.9/24"}, {"Protocol": "-1", "CidrBlock": "10.0.0.0/24"}),
    ],
    ids=["tcp", "udp", "icmp", "all", "another protocol", "host bits"],
)
def test_entries_are_shown_as_aws_shows_them(ec2, acl, asked, shown):
    ec2.create_network_acl_entry(NetworkAclId=acl, **{**ENTRY, **asked})

    assert entries(ec2, acl) == [{**ENTRY, **shown}]
    assert entries(ec2, acl, egress=True) == []


def test_entries_are_in_order_and_of_one_direction(ec2, acl):
    for number, egress in ((300, False), (100, False), (200, True), (100, True)):
        ec2.create_network_acl_entry(NetworkAclId=acl, **{**ENTRY, "RuleNumber": number, "Egress": egress})

    assert [(e["Egress"], e["RuleNumber"]) for e in show(ec2, acl)["Entries"]] == [
        (True, 100), (True, 200), (True, 32767), (False, 100), (False, 300), (False, 32767),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (
            {"RuleNumber": 0},
            (
                "InvalidParameterValue",
                "Value (0) for parameter ruleNumber is invalid. It must be between 1 and 32766.",
            ),
        ),
        ({"RuleNumber": 32767}, ("InvalidParameterValue", None)),
        (
            {"Protocol": "tcp"},
            ("MissingParameter", "The request must contain the parameter portRange"),
        ),
        (
            {"Protocol": "6", "PortRange": {"From": 9, "To": 8}},
            ("InvalidParameterValue", "Invalid TCP/UDP port range (9:8)"),
        ),
        (
            {"Protocol": "icmp"},
            ("MissingParameter", "The request must contain the parameter icmpTypeCode"),
        ),
        (
            {"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": 3}},
            ("InvalidParameterValue", "Invalid ICMP type and code (-1:3)"),
        ),
        (
            {"Protocol": "http"},
            ("InvalidParameterValue", "Invalid value 'http' for IP protocol. Unknown protocol."),
        ),
        ({"Protocol": "256"}, ("InvalidParameterValue", None)),
        (
            {"CidrBlock": "all"},
            (
                "InvalidParameterValue",
                "Value (all) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            ),
        ),
        (
            {"Ipv6CidrBlock": "::/0"},
            (
                "InvalidParameterCombination",
                "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock",
            ),
        ),
        ({"RuleAction": "reject"}, ("InvalidParameterValue", None)),
    ],
    ids=[
        "zero", "the last", "no ports", "reversed", "no type", "code without type", "protocol", "256", "no block",
        "ipv6", "action",
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_is_refused(ec2, acl, asked, refused):
    found = refusal(ec2.create_network_acl_entry, NetworkAclId=acl, **{**ENTRY, **asked})

    assert found[0] == refused[0]
    assert refused[1] in (None, found[1])
    assert entries(ec2, acl) == []


def test_an_entry_without_a_block_is_refused(ec2, acl):
    asked = {k: v for k, v in ENTRY.items() if k != "CidrBlock"}

    assert code(ec2.create_network_acl_entry, NetworkAclId=acl, **asked) == "MissingParameter"


def test_a_number_has_one_entry_in_each_direction(ec2, acl):
    ec2.create_network_acl_entry(NetworkAclId=acl, **ENTRY)

    assert refusal(ec2.create_network_acl_entry, NetworkAclId=acl, **ENTRY) == (
        "NetworkAclEntryAlreadyExists",
        "The network acl entry identified by 100 already exists.",
    )
    ec2.create_network_acl_entry(NetworkAclId=acl, **{**ENTRY, "Egress": True})


def test_an_entry_can_be_said_anew_and_removed(ec2, acl):
    ec2.create_network_acl_entry(NetworkAclId=acl, **ENTRY)

    ec2.replace_network_acl_entry(NetworkAclId=acl, **{**ENTRY, "RuleAction": "deny", "CidrBlock": "10.0.0.0/8"})
    assert entries(ec2, acl) == [{**ENTRY, "RuleAction": "deny", "CidrBlock": "10.0.0.0/8"}]

    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
    assert entries(ec2, acl) == []
    gone = "InvalidNetworkAclEntry.NotFound", "The network acl entry identified by 100 does not exist."
    assert refusal(ec2.delete_network_acl_entry, NetworkAclId=acl, RuleNumber=100, Egress=False) == gone
    assert refusal(ec2.replace_network_acl_entry, NetworkAclId=acl, **ENTRY) == gone


def test_an_acl_has_at_most_forty_entries_in_a_direction(ec2, acl):
    for number in range(1, 40):
        ec2.create_network_acl_entry(NetworkAclId=acl, **{**ENTRY, "RuleNumber": number})

    assert code(ec2.create_network_acl_entry, NetworkAclId=acl, **ENTRY) == "NetworkAclEntryLimitExceeded"


def test_a_subnet_moves_to_another_acl_and_its_association_gets_a_new_id(ec2, acl, subnet):
    old = association(ec2, subnet)["NetworkAclAssociationId"]

    new = ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]

    assert new != old
    assert association(ec2, subnet) == {"NetworkAclAssociationId": new, "NetworkAclId": acl, "SubnetId": subnet}
    assert refusal(ec2.replace_network_acl_association, AssociationId=old, NetworkAclId=acl) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{old}' does not exist",
    )
    assert refusal(ec2.delete_network_acl, NetworkAclId=acl) == (
        "DependencyViolation",
        f"The networkAcl '{acl}' has dependencies and cannot be deleted.",
    )


def test_an_acl_of_another_vpc_is_refused(ec2, subnet):
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    far = ec2.create_network_acl(VpcId=other)["NetworkAcl"]["NetworkAclId"]
    id = association(ec2, subnet)["NetworkAclAssociationId"]

    assert refusal(ec2.replace_network_acl_association, AssociationId=id, NetworkAclId=far) == (
        "InvalidParameterValue",
        f"network ACL {far} and subnet {subnet} belong to different networks",
    )


def test_the_default_acl_stays(ec2, vpc, acl):
    (default,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc, default="true"))["NetworkAcls"]

    assert refusal(ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"]) == (
        "InvalidParameterValue",
        f"cannot delete default network ACL {default['NetworkAclId']}",
    )
    ec2.delete_network_acl(NetworkAclId=acl)
    assert code(ec2.describe_network_acls, NetworkAclIds=[acl]) == "InvalidNetworkAclID.NotFound"


@pytest.mark.parametrize(
    "filters",
    [
        by(association__association_id="aclassoc-*"),
        by(association__network_acl_id="acl-*"),
        by(association__subnet_id="subnet-*"),
        by(default="false"),
        by(entry__cidr="10.0.0.0/8"),
        by(entry__port_range__from="6379", entry__port_range__to="6381"),
        by(entry__icmp__type="8", entry__icmp__code="-1"),
        by(entry__protocol="6", entry__rule_action="allow", entry__rule_number="100", entry__egress="false"),
        by(network_acl_id="acl-*", owner_id=ACCOUNT, tag_key="Name"),
        [{"Name": "tag:Name", "Values": ["strict"]}],
    ],
    ids=str,
)
def test_filters(ec2, vpc, subnet, filters):
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagging("network-acl", Name="strict"))["NetworkAcl"]
    id = acl["NetworkAclId"]
    tcp = {"Protocol": "6", "PortRange": {"From": 6379, "To": 6381}, "CidrBlock": "10.0.0.0/8"}
    icmp = {"RuleNumber": 110, "Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}}
    for entry in (tcp, icmp):
        ec2.create_network_acl_entry(NetworkAclId=id, **{**ENTRY, **entry})
    ec2.replace_network_acl_association(
        AssociationId=association(ec2, subnet)["NetworkAclAssociationId"], NetworkAclId=id
    )

    found = ec2.describe_network_acls(Filters=[*filters, *by(vpc_id=vpc)])["NetworkAcls"]

    assert ids(found, "NetworkAclId") == [id]


def test_the_paginator_shows_every_acl_once(ec2, vpc):
    for _ in range(8):
        ec2.create_network_acl(VpcId=vpc)

    pages = list(ec2.get_paginator("describe_network_acls").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["NetworkAcls"]) for p in pages] == [5, 5]


def test_ids_that_name_no_acl(ec2, stranger, abroad, acl):
    refused = "InvalidNetworkAclID.NotFound", f"The networkAcl ID '{GONE}' does not exist"
    assert refusal(ec2.describe_network_acls, NetworkAclIds=[GONE]) == refused
    assert refusal(ec2.create_network_acl_entry, NetworkAclId=GONE, **ENTRY) == refused
    assert code(ec2.delete_network_acl, NetworkAclId="strict") == "InvalidNetworkAclId.Malformed"
    for other in (stranger, abroad):
        assert code(other.describe_network_acls, NetworkAclIds=[acl]) == "InvalidNetworkAclID.NotFound"
        assert code(other.create_network_acl_entry, NetworkAclId=acl, **ENTRY) == "InvalidNetworkAclID.NotFound"


def test_a_call_that_changes_entries_waits_for_the_network(paper, ec2, acl):
    before = paper.backend.waits

    ec2.create_network_acl_entry(NetworkAclId=acl, **ENTRY)

    assert paper.backend.waits == before + 1
