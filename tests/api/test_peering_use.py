"""What peering changes elsewhere: routes, security groups, and the VPCs themselves.  Through boto3."""

import pytest

from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, by, code, ids
from tests.api.peerings import ask, group, main_table, pair, show, status

GONE = "pcx-0123456789abcdef0"
FAILED = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"


# ---- routes


def test_a_route_is_a_blackhole_until_the_connection_is_accepted_and_after_it_ends(paper, ec2, near, far):
    id = ask(ec2, near, far)
    table = main_table(ec2, near)

    def route():
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return next(r for r in routes if r.get("VpcPeeringConnectionId") == id)

    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=id)
    assert route()["State"] == "blackhole"
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.settle()
    assert route()["State"] == "active"
    filters = by(route__vpc_peering_connection_id=id)
    assert ids(ec2.describe_route_tables(Filters=filters)["RouteTables"], "RouteTableId") == [table]
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=id)
    assert route()["State"] == "blackhole"


def test_a_route_may_be_replaced_by_one_to_a_peer(ec2, near, peered):
    table = main_table(ec2, near)
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=near)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", GatewayId=igw)
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=peered)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert [r.get("VpcPeeringConnectionId") for r in routes] == [None, peered]


def test_a_route_leads_to_a_connection_of_its_own_vpc(paper, ec2, near, peered):
    other = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]

    def create(table, id, cidr="10.1.0.0/16"):
        return code(ec2.create_route, RouteTableId=table, DestinationCidrBlock=cidr, VpcPeeringConnectionId=id)

    assert create(main_table(ec2, other), peered) == "InvalidParameterValue"
    assert create(main_table(ec2, near), GONE) == "InvalidVpcPeeringConnectionID.NotFound"
    assert create(main_table(ec2, near), "x") == "InvalidVpcPeeringConnectionId.Malformed"
    assert create(main_table(ec2, near), peered, "10.0.1.0/24") == "InvalidParameterValue"
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peered)
    paper.settle()
    assert create(main_table(ec2, near), peered) == "InvalidStateTransition"


# ---- groups


def test_a_rule_names_a_group_of_the_peer_s(ec2, near, far, peered):
    ours, other = group(ec2, near), group(ec2, far)

    made = ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=pair(other))["SecurityGroupRules"]

    assert made[0]["ReferencedGroupInfo"] == {
        "GroupId": other, "UserId": ACCOUNT, "VpcId": far, "VpcPeeringConnectionId": peered,
        "PeeringStatus": "active",
    }  # fmt: skip
    (permission,) = ec2.describe_security_groups(GroupIds=[ours])["SecurityGroups"][0]["IpPermissions"]
    assert permission["UserIdGroupPairs"][0]["VpcPeeringConnectionId"] == peered
    assert ec2.describe_security_group_references(GroupId=[other])["SecurityGroupReferenceSet"] == [
        {"GroupId": other, "ReferencingVpcId": near, "VpcPeeringConnectionId": peered}
    ]
    assert ec2.describe_security_group_references(GroupId=[ours])["SecurityGroupReferenceSet"] == []


@pytest.mark.usefixtures("abroad_peered")
def test_a_group_of_another_account_is_named_with_its_owner(ec2, stranger, near, theirs):
    ours, other = group(ec2, near), group(stranger, theirs)

    assert code(ec2.authorize_security_group_ingress, GroupId=ours, IpPermissions=pair(other)) == (
        "InvalidGroup.NotFound"
    )
    ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=pair(other, UserId=OTHER_ACCOUNT))
    (rule,) = [
        r
        for r in ec2.describe_security_group_rules(Filters=by(group_id=ours))["SecurityGroupRules"]
        if not r["IsEgress"]
    ]
    assert rule["ReferencedGroupInfo"]["UserId"] == OTHER_ACCOUNT
    update = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "ReferencedGroupId": other}
    ec2.modify_security_group_rules(
        GroupId=ours,
        SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": update}],
    )
    (permission,) = ec2.describe_security_groups(GroupIds=[ours])["SecurityGroups"][0]["IpPermissions"]
    assert (permission["FromPort"], permission["UserIdGroupPairs"][0]["GroupId"]) == (1, other)


def test_without_an_active_peering_in_one_region_no_rule_names_the_group(
    paper, ec2, abroad, near, far, overseas, theirs, stranger
):
    ours = group(ec2, near)
    id = ask(ec2, near, overseas, PeerRegion=OTHER_REGION)
    abroad.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.settle()
    ask(ec2, near, far)
    for other in (group(ec2, far), group(abroad, overseas), group(stranger, theirs)):
        for owner in ({}, {"UserId": OTHER_ACCOUNT}, {"UserId": ACCOUNT}):
            assert (
                code(ec2.authorize_security_group_ingress, GroupId=ours, IpPermissions=pair(other, **owner))
                == "InvalidGroup.NotFound"
            )


def test_a_rule_is_stale_once_the_connection_has_ended_and_can_be_revoked(paper, ec2, near, far, peered):
    ours, other = group(ec2, near), group(ec2, far)
    ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=pair(other))
    assert ec2.describe_stale_security_groups(VpcId=near)["StaleSecurityGroupSet"] == []

    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peered)
    paper.settle()

    (stale,) = ec2.describe_stale_security_groups(VpcId=near)["StaleSecurityGroupSet"]
    assert (stale["GroupId"], stale["VpcId"], stale["StaleIpPermissionsEgress"]) == (ours, near, [])
    (permission,) = stale["StaleIpPermissions"]
    (named,) = permission["UserIdGroupPairs"]
    assert (named["GroupId"], named["VpcPeeringConnectionId"], named["PeeringStatus"]) == (other, peered, "deleted")
    assert ec2.describe_security_group_references(GroupId=[other])["SecurityGroupReferenceSet"] == []
    more = [{**pair(other)[0], "FromPort": 1}]
    assert code(ec2.authorize_security_group_ingress, GroupId=ours, IpPermissions=more) == "InvalidGroup.NotFound"
    ec2.delete_security_group(GroupId=other)
    ec2.revoke_security_group_ingress(GroupId=ours, IpPermissions=pair(other))
    assert ec2.describe_stale_security_groups(VpcId=near)["StaleSecurityGroupSet"] == []


@pytest.mark.usefixtures("peered")
def test_a_rule_is_stale_when_the_peer_deletes_its_group(ec2, near, far):
    ours, other = group(ec2, near), group(ec2, far)
    ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=pair(other))
    ec2.delete_security_group(GroupId=other)
    assert ids(ec2.describe_stale_security_groups(VpcId=near)["StaleSecurityGroupSet"], "GroupId") == [ours]
    names = [{"Name": "ip-permission.group-name", "Values": ["g"]}]
    assert ec2.describe_security_groups(Filters=names)["SecurityGroups"] == []


# ---- the VPCs


def test_a_peered_vpc_stays(paper, ec2, near, far, peered):
    for vpc in (near, far):
        assert code(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peered)
    paper.settle()
    ec2.delete_vpc(VpcId=near)
    assert status(ec2, peered) == "deleted"
    assert "CidrBlock" not in show(ec2, peered)["RequesterVpcInfo"]


def test_a_request_goes_with_the_vpc_that_asked_and_holds_the_one_that_was_asked(ec2, near, far):
    id = ask(ec2, near, far)
    assert code(ec2.delete_vpc, VpcId=far) == "DependencyViolation"
    ec2.delete_vpc(VpcId=near)
    assert status(ec2, id) == "deleted"
    ec2.delete_vpc(VpcId=far)


@pytest.mark.usefixtures("peered")
def test_a_peered_vpc_gets_no_range_that_overlaps(ec2, near):
    assert code(ec2.associate_vpc_cidr_block, VpcId=near, CidrBlock="10.1.5.0/24") == "InvalidVpc.Range"


def test_a_range_that_came_between_makes_the_request_fail(ec2, near, far):
    id = ask(ec2, near, far)
    ec2.associate_vpc_cidr_block(VpcId=near, CidrBlock="10.1.5.0/24")
    failed = ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)["VpcPeeringConnection"]
    assert failed["Status"] == {"Code": "failed", "Message": FAILED}
