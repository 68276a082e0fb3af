"""Managed prefix lists: versions, sizes, and what may name them."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging


@pytest.fixture
def offices(ec2):
    """The id of a list with two ranges, and room for three."""
    entries = [{"Cidr": "198.51.100.0/24", "Description": "home"}, {"Cidr": "203.0.113.9/25"}]
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=3, AddressFamily="IPv4", Entries=entries,
        TagSpecifications=tagging("prefix-list", Name="offices"),
    )  # fmt: skip
    return made["PrefixList"]["PrefixListId"]


def shown(ec2, id):
    return ec2.describe_managed_prefix_lists(PrefixListIds=[id])["PrefixLists"][0]


def ranges(ec2, id, **version):
    found = ec2.get_managed_prefix_list_entries(PrefixListId=id, **version)["Entries"]
    return [entry["Cidr"] for entry in found]


def change(ec2, id, **what):
    return ec2.modify_managed_prefix_list(PrefixListId=id, **what)["PrefixList"]


def test_a_list_is_in_force_when_its_creation_answers(ec2):
    made = ec2.create_managed_prefix_list(PrefixListName="empty", MaxEntries=10, AddressFamily="IPv4")["PrefixList"]
    assert made["State"] == "create-in-progress"
    there = shown(ec2, made["PrefixListId"])
    assert there["State"] == "create-complete"
    assert (there["Version"], there["MaxEntries"], there["OwnerId"]) == (1, 10, ACCOUNT)
    assert there["PrefixListArn"] == f"arn:aws:ec2:us-east-1:{ACCOUNT}:prefix-list/{there['PrefixListId']}"
    assert ranges(ec2, there["PrefixListId"]) == []


def test_host_bits_are_cleared_and_descriptions_kept(ec2, offices):
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=offices)["Entries"]
    assert entries == [{"Cidr": "198.51.100.0/24", "Description": "home"}, {"Cidr": "203.0.113.0/25"}]


def test_changed_ranges_are_a_new_version_and_old_ones_are_kept(ec2, paper, offices):
    waits = paper.backend.waits
    edit = {"AddEntries": [{"Cidr": "10.9.0.0/16"}], "RemoveEntries": [{"Cidr": "203.0.113.0/25"}]}
    answer = change(ec2, offices, CurrentVersion=1, **edit)
    assert (answer["State"], answer["Version"]) == ("modify-in-progress", 1)
    assert paper.backend.waits == waits + 1, "it is in force when the call answers"
    there = shown(ec2, offices)
    assert (there["State"], there["Version"]) == ("modify-complete", 2)
    assert ranges(ec2, offices) == ["198.51.100.0/24", "10.9.0.0/16"]
    assert ranges(ec2, offices, TargetVersion=1) == ["198.51.100.0/24", "203.0.113.0/25"]
    assert code(ranges, ec2, offices, TargetVersion=3) == "PrefixListVersionNotFound"


def test_a_version_can_be_restored(ec2, offices):
    change(ec2, offices, CurrentVersion=1, RemoveEntries=[{"Cidr": "203.0.113.0/25"}])
    call = ec2.restore_managed_prefix_list_version
    assert code(call, PrefixListId=offices, PreviousVersion=1, CurrentVersion=1) == "PrefixListVersionMismatch"
    assert code(call, PrefixListId=offices, PreviousVersion=9, CurrentVersion=2) == "PrefixListVersionNotFound"
    answer = call(PrefixListId=offices, PreviousVersion=1, CurrentVersion=2)["PrefixList"]
    assert (answer["State"], answer["Version"]) == ("restore-in-progress", 2)
    there = shown(ec2, offices)
    assert (there["State"], there["Version"]) == ("restore-complete", 3)
    assert ranges(ec2, offices) == ["198.51.100.0/24", "203.0.113.0/25"]


def test_a_name_or_a_size_makes_no_version(ec2, offices):
    change(ec2, offices, PrefixListName="branches")
    change(ec2, offices, MaxEntries=5)
    there = shown(ec2, offices)
    assert (there["PrefixListName"], there["MaxEntries"], there["Version"]) == ("branches", 5, 1)


def test_a_thousand_versions_are_kept_and_the_oldest_goes(ec2, offices, monkeypatch):
    monkeypatch.setattr("atoll.ec2.prefix_list.VERSIONS_MAX", 3)
    for n in range(1, 4):
        edit = "AddEntries" if n % 2 else "RemoveEntries"
        change(ec2, offices, CurrentVersion=n, **{edit: [{"Cidr": "10.9.0.0/16"}]})
    assert ranges(ec2, offices, TargetVersion=2)
    assert code(ranges, ec2, offices, TargetVersion=1) == "PrefixListVersionNotFound"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"CurrentVersion": 7, "AddEntries": [{"Cidr": "10.9.0.0/16"}]}, "PrefixListVersionMismatch"),
        ({"AddEntries": [{"Cidr": "10.9.0.0/16"}], "MaxEntries": 9}, "InvalidParameterCombination"),
        ({"AddEntries": [{"Cidr": f"10.{n}.0.0/16"} for n in range(2)]}, "PrefixListMaxEntriesExceeded"),
        ({"AddEntries": [{"Cidr": f"10.{n}.0.0/16"} for n in range(101)]}, "InvalidParameterValue"),
        ({"AddEntries": [{"Cidr": "198.51.100.0/24", "Description": "anew"}]}, "InvalidRequest"),
        ({"RemoveEntries": [{"Cidr": "10.9.0.0/16"}]}, "InvalidPrefixListModification"),
        ({"AddEntries": [{"Cidr": "10.0.0.0/8"}], "RemoveEntries": [{"Cidr": "10.0.0.0/8"}]},
         "InvalidPrefixListModification"),
        ({"AddEntries": [{"Cidr": "198.51.100.0/24"}], "RemoveEntries": [{"Cidr": "198.51.100.0/24"}]},
         "InvalidParameterValue"),
        ({"AddEntries": [{"Cidr": "10.9.0.0/16"}, {"Cidr": "10.9.0.1/16"}]}, "InvalidParameterValue"),
        ({"AddEntries": [{"Cidr": "2001:db8::/32"}]}, "InvalidParameterValue"),
        ({"AddEntries": [{"Cidr": "10.9.0.0/16", "Description": "x" * 256}]}, "InvalidParameterValue"),
        ({"MaxEntries": 1}, "PrefixListMaxEntriesExceeded"),
        ({"MaxEntries": 1001}, "InvalidParameterValue"),
        ({"PrefixListName": "com.amazonaws.mine"}, "InvalidParameterValue"),
        ({"PrefixListName": "x" * 256}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_whole(ec2, offices, what, expected):
    before = shown(ec2, offices)
    assert code(change, ec2, offices, **what) == expected
    assert shown(ec2, offices) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"PrefixListName": ""}, "Invalid PrefixListName: it takes 1 to 255 characters."),
        ({"PrefixListName": "com.amazonaws.x"}, "The prefix list name cannot start with com.amazonaws."),
        ({"AddressFamily": "ipv5"}, "Invalid AddressFamily: ipv5. It must be IPv4 or IPv6."),
        ({"MaxEntries": 0}, "Invalid MaxEntries: 0. It must be between 1 and 1000."),
        ({"Entries": [{"Cidr": "10.0.0.0"}]}, "The CIDR 10.0.0.0 is not a valid IPv4 CIDR block."),
    ],
)
def test_a_list_that_cannot_be_is_refused(ec2, wrong, message):
    right = {"PrefixListName": "p", "MaxEntries": 2, "AddressFamily": "IPv4"}
    assert refusal(ec2.create_managed_prefix_list, **right | wrong) == ("InvalidParameterValue", message)


def test_a_list_of_ipv6_ranges_is_kept(ec2):
    made = ec2.create_managed_prefix_list(
        PrefixListName="six", MaxEntries=2, AddressFamily="IPv6", Entries=[{"Cidr": "2001:db8:1::1/48"}]
    )["PrefixList"]
    assert ranges(ec2, made["PrefixListId"]) == ["2001:db8:1::/48"]


def test_a_list_that_nothing_names_can_be_deleted(ec2, paper, offices):
    assert ec2.delete_managed_prefix_list(PrefixListId=offices)["PrefixList"]["State"] == "delete-in-progress"
    assert code(shown, ec2, offices) == "InvalidPrefixListID.NotFound"
    assert not [r for r in paper.world if offices in r.id], "its versions have gone with it"


def test_a_list_that_is_named_stays_and_says_by_whom(ec2, vpc, offices):
    table, igw = _public(ec2, vpc)
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=offices, GatewayId=igw)
    ec2.delete_managed_prefix_list(PrefixListId=offices)
    there = shown(ec2, offices)
    assert there["State"] == "delete-failed"
    assert table in there["StateMessage"]
    ec2.delete_route(RouteTableId=table, DestinationPrefixListId=offices)
    ec2.delete_managed_prefix_list(PrefixListId=offices)
    assert code(shown, ec2, offices) == "InvalidPrefixListID.NotFound"


def test_nobody_else_sees_a_list(ec2, stranger, abroad, offices):
    for other in (stranger, abroad):
        assert code(shown, other, offices) == "InvalidPrefixListID.NotFound"
        assert code(change, other, offices, PrefixListName="mine") == "InvalidPrefixListID.NotFound"
        found = other.describe_managed_prefix_lists()["PrefixLists"]
        assert {p["OwnerId"] for p in found} == {"AWS"}
    assert code(shown, ec2, "pl-x") == "InvalidPrefixListID.Malformed"


def test_the_lists_of_aws_services_are_there(ec2, abroad):
    found = {p["PrefixListName"]: p for p in ec2.describe_managed_prefix_lists()["PrefixLists"]}
    s3 = found["com.amazonaws.us-east-1.s3"]
    assert s3["PrefixListArn"] == "arn:aws:ec2:us-east-1:aws:prefix-list/pl-63a5400a"
    assert "Version" not in s3
    assert "MaxEntries" not in s3
    assert "52.216.0.0/15" in ranges(ec2, "pl-63a5400a")
    names = ids(abroad.describe_prefix_lists()["PrefixLists"], "PrefixListName")
    assert names == ["com.amazonaws.eu-west-1.dynamodb", "com.amazonaws.eu-west-1.s3"]
    named = by(prefix_list_name="com.amazonaws.us-east-1.dynamodb")
    (dynamo,) = ec2.describe_prefix_lists(Filters=named)["PrefixLists"]
    assert dynamo["PrefixListId"] == "pl-02cd2c6b"
    assert "52.94.0.0/22" in dynamo["Cidrs"]
    assert code(change, ec2, "pl-63a5400a", PrefixListName="mine") == "OperationNotPermitted"
    assert code(ec2.delete_managed_prefix_list, PrefixListId="pl-63a5400a") == "OperationNotPermitted"


def test_lists_are_found_by_owner_name_and_tag_and_come_in_pages(ec2, offices):
    tagged = [{"Name": "tag:Name", "Values": ["off*"]}]
    for filters in (by(owner_id=ACCOUNT), by(prefix_list_name="off*"), by(prefix_list_id=offices), tagged):
        assert ids(ec2.describe_managed_prefix_lists(Filters=filters)["PrefixLists"], "PrefixListId") == [offices]
    pages = ec2.get_paginator("describe_managed_prefix_lists").paginate(PaginationConfig={"PageSize": 1})
    assert len([p for page in pages for p in page["PrefixLists"]]) == 3
    pages = ec2.get_paginator("get_managed_prefix_list_entries").paginate(
        PrefixListId=offices, PaginationConfig={"PageSize": 1}
    )
    assert [len(page["Entries"]) for page in pages] == [1, 1]
    assert ec2.describe_tags(Filters=by(resource_type="prefix-list"))["Tags"][0]["ResourceId"] == offices


# ---- what names them


def _public(ec2, vpc):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    return table, igw


def _permission(id, port=443):
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "PrefixListIds": [{"PrefixListId": id}]}]


def test_a_route_may_lead_to_a_list(ec2, vpc, offices):
    table, igw = _public(ec2, vpc)
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=offices, GatewayId=igw)
    (found,) = ec2.describe_route_tables(Filters=by(route__destination_prefix_list_id=offices))["RouteTables"]
    assert found["Routes"][1] == {
        "DestinationPrefixListId": offices, "GatewayId": igw, "Origin": "CreateRoute", "State": "active",
    }  # fmt: skip
    again = code(ec2.create_route, RouteTableId=table, DestinationPrefixListId=offices, GatewayId=igw)
    assert again == "RouteAlreadyExists"
    both = {"DestinationCidrBlock": "0.0.0.0/0", "DestinationPrefixListId": offices}
    assert code(ec2.create_route, RouteTableId=table, GatewayId=igw, **both) == "InvalidParameterCombination"
    unknown = {"DestinationPrefixListId": "pl-0123456789abcdef0"}
    assert code(ec2.create_route, RouteTableId=table, GatewayId=igw, **unknown) == "InvalidPrefixListID.NotFound"


def test_a_route_to_a_list_can_be_replaced_and_deleted(ec2, vpc, subnet, offices):
    table, igw = _public(ec2, vpc)
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    where = {"RouteTableId": table, "DestinationPrefixListId": offices}
    assert code(ec2.replace_route, **where, GatewayId=igw) == "InvalidParameterValue"
    assert refusal(ec2.delete_route, **where) == (
        "InvalidRoute.NotFound", f"no route with destination-prefix-list-id {offices} in route table {table}",
    )  # fmt: skip
    ec2.create_route(**where, GatewayId=igw)
    ec2.replace_route(**where, NetworkInterfaceId=eni)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert routes[1]["NetworkInterfaceId"] == eni
    ec2.delete_route(**where)
    assert len(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]) == 1


@pytest.mark.usefixtures("subnet")
def test_a_list_with_a_range_of_the_vpc_leads_only_where_such_a_range_may(ec2, vpc, offices):
    table, igw = _public(ec2, vpc)
    change(ec2, offices, AddEntries=[{"Cidr": "10.0.1.0/24"}])
    where = {"RouteTableId": table, "DestinationPrefixListId": offices}
    assert code(ec2.create_route, **where, GatewayId=igw) == "InvalidParameterValue"
    change(ec2, offices, RemoveEntries=[{"Cidr": "10.0.1.0/24"}])
    ec2.create_route(**where, GatewayId=igw)
    into = {"PrefixListId": offices, "AddEntries": [{"Cidr": "10.0.1.0/24"}]}
    assert code(ec2.modify_managed_prefix_list, **into) == "InvalidParameterValue"
    change(ec2, offices, AddEntries=[{"Cidr": "10.0.0.0/16"}])  # the local route comes first


def test_a_rule_may_name_a_list(ec2, vpc, offices):
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=_permission(offices))
    assert made["SecurityGroupRules"][0]["PrefixListId"] == offices
    twice = code(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=_permission(offices))
    assert twice == "InvalidPermission.Duplicate"
    (shown_group,) = ec2.describe_security_groups(Filters=by(ip_permission__prefix_list_id=offices))["SecurityGroups"]
    assert shown_group["IpPermissions"][0]["PrefixListIds"] == [{"PrefixListId": offices}]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=_permission(offices))
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []


def test_a_list_of_another_account_cannot_be_named(stranger, offices):
    theirs = stranger.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = stranger.create_security_group(GroupName="g", Description="g", VpcId=theirs)["GroupId"]
    call = stranger.authorize_security_group_ingress
    assert code(call, GroupId=group, IpPermissions=_permission(offices)) == "InvalidPrefixListID.NotFound"
    table, igw = _public(stranger, theirs)
    where = {"RouteTableId": table, "DestinationPrefixListId": offices, "GatewayId": igw}
    assert code(stranger.create_route, **where) == "InvalidPrefixListID.NotFound"


def test_it_is_told_what_names_a_list(ec2, stranger, vpc, offices):
    table, igw = _public(ec2, vpc)
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=offices, GatewayId=igw)
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=_permission(offices))
    found = ec2.get_managed_prefix_list_associations(PrefixListId=offices)["PrefixListAssociations"]
    assert ids(found, "ResourceId") == sorted([table, group])
    assert {a["ResourceOwner"] for a in found} == {ACCOUNT}
    assert stranger.get_managed_prefix_list_associations(PrefixListId="pl-63a5400a")["PrefixListAssociations"] == []


def test_a_list_weighs_its_size_in_a_group(ec2, vpc, offices):
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    change(ec2, offices, MaxEntries=60)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=_permission(offices))
    more = _permission(offices, 80)
    call = ec2.authorize_security_group_ingress
    assert code(call, GroupId=group, IpPermissions=more) == "RulesPerSecurityGroupLimitExceeded"
    call(GroupId=group, IpPermissions=_permission(_six(ec2)))  # IPv6 counts apart
    answer = change(ec2, offices, MaxEntries=61)
    assert answer["State"] == "modify-in-progress"
    there = shown(ec2, offices)
    assert (there["State"], there["MaxEntries"]) == ("modify-failed", 60)
    assert group in there["StateMessage"]


def _six(ec2):
    made = ec2.create_managed_prefix_list(PrefixListName="six", MaxEntries=60, AddressFamily="IPv6")
    return made["PrefixList"]["PrefixListId"]


def test_a_list_weighs_its_size_in_a_table(ec2, vpc):
    table, igw = _public(ec2, vpc)
    lists = [
        ec2.create_managed_prefix_list(PrefixListName=n, MaxEntries=600, AddressFamily="IPv4")["PrefixList"]
        for n in ("one", "two")
    ]
    one, two = (made["PrefixListId"] for made in lists)
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=one, GatewayId=igw)
    where = {"RouteTableId": table, "DestinationPrefixListId": two, "GatewayId": igw}
    assert code(ec2.create_route, **where) == "RouteLimitExceeded"
    change(ec2, one, MaxEntries=1000)
    there = shown(ec2, one)
    assert (there["State"], there["MaxEntries"]) == ("modify-failed", 600)
    assert table in there["StateMessage"]


def test_a_rule_that_is_changed_to_a_list_weighs_it(ec2, vpc, offices):
    change(ec2, offices, MaxEntries=100)
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    (rule,) = ec2.describe_security_group_rules(Filters=by(group_id=group))["SecurityGroupRules"]
    update = {"SecurityGroupRuleId": rule["SecurityGroupRuleId"]}
    update["SecurityGroupRule"] = {"IpProtocol": "-1", "PrefixListId": offices}
    call = ec2.modify_security_group_rules
    assert code(call, GroupId=group, SecurityGroupRules=[update]) == "RulesPerSecurityGroupLimitExceeded"


def test_a_vpc_cannot_grow_over_what_a_list_routes(ec2, vpc, offices):
    table, igw = _public(ec2, vpc)
    change(ec2, offices, AddEntries=[{"Cidr": "10.9.1.0/24"}])
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=offices, GatewayId=igw)
    assert code(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.9.0.0/16") == "InvalidVpc.Range"
