"""VPC peering connections through boto3: two accounts, two regions.  What uses them is in `test_peering_use.py`."""

from datetime import timedelta

import pytest

from atoll.model import transitions
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, REGION, by, code, ids, refusal, tagging
from tests.api.peerings import ask, show, status

GONE = "pcx-0123456789abcdef0"
FAILED = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"


# ---- the life of a connection


def test_a_request_waits_for_the_other_owner_s_answer(ec2, near, far):
    made = ec2.create_vpc_peering_connection(
        VpcId=near, PeerVpcId=far, TagSpecifications=tagging("vpc-peering-connection", Name="p")
    )["VpcPeeringConnection"]

    assert made["Status"] == {"Code": "initiating-request", "Message": f"Initiating Request to {ACCOUNT}"}
    assert made["RequesterVpcInfo"]["CidrBlock"] == "10.0.0.0/16"
    assert "CidrBlock" not in made["AccepterVpcInfo"]
    assert made["ExpirationTime"]
    shown = show(ec2, made["VpcPeeringConnectionId"])
    assert shown["Status"] == {"Code": "pending-acceptance", "Message": f"Pending Acceptance by {ACCOUNT}"}
    assert shown["Tags"] == [{"Key": "Name", "Value": "p"}]
    ec2.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[made["VpcPeeringConnectionId"]])


def test_an_accepted_connection_is_active_when_the_network_was_seen_to_obey(paper, ec2, near, far):
    id = ask(ec2, near, far)
    before = paper.backend.waits

    accepted = ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)["VpcPeeringConnection"]

    assert accepted["Status"]["Code"] == "provisioning"
    assert paper.backend.waits == before + 1
    assert status(ec2, id) == "provisioning"
    paper.settle()
    shown = show(ec2, id)
    assert shown["Status"] == {"Code": "active", "Message": "Active"}
    assert shown["AccepterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.1.0.0/16"}]
    assert shown["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is False


def test_the_deleted_waiter_waits_until_the_network_obeys(paper, ec2, peered):
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peered)
    assert show(ec2, peered)["Status"] == {"Code": "deleting", "Message": f"Deleted by {ACCOUNT}"}

    paper.settle()

    assert status(ec2, peered) == "deleted"
    ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[peered])


def test_an_observation_that_was_overtaken_changes_nothing(paper, ec2, near, far):
    id = ask(ec2, near, far)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=id)

    assert not paper.write(lambda tx: transitions.network_obeyed(tx, id, "provisioning"))

    assert status(ec2, id) == "deleting"


def test_a_rejected_request_ends(ec2, near, far):
    id = ask(ec2, near, far)
    ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=id)

    assert show(ec2, id)["Status"] == {"Code": "rejected", "Message": f"Rejected by {ACCOUNT}"}
    assert refusal(ec2.delete_vpc_peering_connection, VpcPeeringConnectionId=id) == (
        "InvalidStateTransition",
        f"Invalid state transition for {id}, attempted to transition from rejected to deleting",
    )
    assert code(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=id) == "InvalidStateTransition"


def test_an_active_connection_cannot_be_accepted_or_rejected(ec2, peered):
    assert code(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=peered) == "InvalidStateTransition"
    assert code(ec2.reject_vpc_peering_connection, VpcPeeringConnectionId=peered) == "InvalidStateTransition"


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.0.128.0/24"], ids=["the same", "a part"])
def test_a_request_with_overlapping_ranges_fails(ec2, near, cidr):
    other = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    assert show(ec2, ask(ec2, near, other))["Status"] == {"Code": "failed", "Message": FAILED}


def test_a_secondary_range_that_overlaps_fails_too(ec2, near, far):
    ec2.associate_vpc_cidr_block(VpcId=far, CidrBlock="10.9.0.0/16")
    ec2.associate_vpc_cidr_block(VpcId=near, CidrBlock="10.9.0.0/16")
    assert status(ec2, ask(ec2, near, far)) == "failed"


@pytest.mark.parametrize("more", [{}, {"PeerOwnerId": OTHER_ACCOUNT}, {"PeerRegion": OTHER_REGION}])
def test_a_request_to_nobody_fails(ec2, near, far, more):
    peer = far if more else "vpc-0123456789abcdef0"
    assert status(ec2, ask(ec2, near, peer, **more)) == "failed"


def test_a_malformed_peer_is_refused(ec2, near):
    call = ec2.create_vpc_peering_connection
    assert code(call, VpcId=near, PeerVpcId="other") == "InvalidVpcID.Malformed"
    assert code(call, VpcId=near) == "MissingParameter"
    assert code(call, VpcId="vpc-0123456789abcdef0", PeerVpcId=near) == "InvalidVpcID.NotFound"


def test_an_identical_pending_request_is_returned_again(ec2, near, far):
    assert ask(ec2, near, far) == ask(ec2, near, far)


@pytest.mark.usefixtures("peered")
def test_two_vpcs_have_one_connection(ec2, near, far):
    for one, other in ((near, far), (far, near)):
        assert code(ec2.create_vpc_peering_connection, VpcId=one, PeerVpcId=other) == (
            "VpcPeeringConnectionAlreadyExists"
        )


def test_after_the_end_they_may_have_another(paper, ec2, near, far, peered):
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peered)
    paper.settle()
    assert status(ec2, ask(ec2, far, near)) == "pending-acceptance"


def test_requests_that_wait_are_counted(ec2, near):
    for n in range(25):
        ask(ec2, near, ec2.create_vpc(CidrBlock=f"10.{n + 20}.0.0/16")["Vpc"]["VpcId"])
    last = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    assert code(ec2.create_vpc_peering_connection, VpcId=near, PeerVpcId=last) == (
        "OutstandingVpcPeeringConnectionLimitExceeded"
    )


def test_what_does_not_exist_is_not_found(ec2, stranger, peered):
    for verb in ("accept", "reject", "delete"):
        call = getattr(ec2, f"{verb}_vpc_peering_connection")
        assert refusal(call, VpcPeeringConnectionId=GONE) == (
            "InvalidVpcPeeringConnectionID.NotFound",
            f"The vpcPeeringConnection ID '{GONE}' does not exist",
        )
        assert code(call, VpcPeeringConnectionId="other") == "InvalidVpcPeeringConnectionId.Malformed"
        other = getattr(stranger, f"{verb}_vpc_peering_connection")
        assert code(other, VpcPeeringConnectionId=peered) == "InvalidVpcPeeringConnectionID.NotFound"


# ---- time


def test_a_request_expires_after_a_week(paper, ec2, near, far):
    id = ask(ec2, near, far)
    paper.clock += timedelta(days=7)
    assert code(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=id) == "InvalidStateTransition"

    paper.write(transitions.forget_old_peerings)

    assert status(ec2, id) == "expired"
    paper.clock += timedelta(days=2)
    paper.write(transitions.forget_old_peerings)
    assert code(show, ec2, id) == "InvalidVpcPeeringConnectionID.NotFound"


def test_a_failed_request_is_shown_for_two_hours(paper, ec2, near):
    id = ask(ec2, near, near)
    paper.clock += timedelta(hours=1)
    paper.write(transitions.forget_old_peerings)
    assert status(ec2, id) == "failed"
    paper.clock += timedelta(hours=1)
    paper.write(transitions.forget_old_peerings)
    assert code(show, ec2, id) == "InvalidVpcPeeringConnectionID.NotFound"


def test_who_ended_it_sees_it_for_two_hours_and_the_other_side_for_two_days(paper, ec2, stranger, near, theirs):
    id = ask(ec2, near, theirs, PeerOwnerId=OTHER_ACCOUNT)
    stranger.reject_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.clock += timedelta(hours=2)
    paper.write(transitions.forget_old_peerings)

    assert code(show, stranger, id) == "InvalidVpcPeeringConnectionID.NotFound"
    assert status(ec2, id) == "rejected"
    paper.clock += timedelta(days=2)
    paper.write(transitions.forget_old_peerings)
    assert code(show, ec2, id) == "InvalidVpcPeeringConnectionID.NotFound"


# ---- two accounts, two regions


def test_both_accounts_see_a_connection_and_nobody_else_does(paper, ec2, stranger, abroad, near, theirs):
    id = ask(ec2, near, theirs, PeerOwnerId=OTHER_ACCOUNT)

    assert status(stranger, id) == "pending-acceptance"
    assert ids(stranger.describe_vpc_peering_connections()["VpcPeeringConnections"], "VpcPeeringConnectionId") == [id]
    assert abroad.describe_vpc_peering_connections()["VpcPeeringConnections"] == []
    third = paper.client(account="333333333333")
    assert code(show, third, id) == "InvalidVpcPeeringConnectionID.NotFound"


def test_a_request_that_failed_never_reached_the_other_account(ec2, stranger, near):
    same = stranger.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    id = ask(ec2, near, same, PeerOwnerId=OTHER_ACCOUNT)
    assert status(ec2, id) == "failed"
    assert code(show, stranger, id) == "InvalidVpcPeeringConnectionID.NotFound"


def test_the_requester_may_not_accept_and_the_accepter_may_not_withdraw(ec2, stranger, near, theirs):
    id = ask(ec2, near, theirs, PeerOwnerId=OTHER_ACCOUNT)

    for verb in ("accept", "reject"):
        assert refusal(getattr(ec2, f"{verb}_vpc_peering_connection"), VpcPeeringConnectionId=id) == (
            "OperationNotPermitted",
            f"User ({ACCOUNT}) cannot {verb} peering {id}",
        )
    assert code(stranger.delete_vpc_peering_connection, VpcPeeringConnectionId=id) == "OperationNotPermitted"
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=id)
    assert status(stranger, id) == "deleted"


def test_either_side_may_delete_an_active_connection(stranger, abroad_peered):
    stranger.delete_vpc_peering_connection(VpcPeeringConnectionId=abroad_peered)
    assert show(stranger, abroad_peered)["Status"]["Message"] == f"Deleted by {OTHER_ACCOUNT}"


def test_a_request_to_another_region_is_accepted_there(paper, ec2, abroad, near, overseas):
    id = ask(ec2, near, overseas, PeerRegion=OTHER_REGION)

    found, message = refusal(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=id)
    assert found == "OperationNotPermitted"
    assert f"({REGION})" in message
    assert OTHER_REGION in message
    abroad.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.settle()
    assert status(ec2, id) == status(abroad, id) == "active"
    assert show(ec2, id)["AccepterVpcInfo"]["Region"] == OTHER_REGION


def test_each_side_has_its_own_tags(ec2, stranger, abroad_peered):
    ec2.create_tags(Resources=[abroad_peered], Tags=[{"Key": "Side", "Value": "near"}])
    stranger.create_tags(Resources=[abroad_peered], Tags=[{"Key": "Side", "Value": "far"}])

    assert show(ec2, abroad_peered)["Tags"] == [{"Key": "Side", "Value": "near"}]
    assert show(stranger, abroad_peered)["Tags"] == [{"Key": "Side", "Value": "far"}]
    (tag,) = stranger.describe_tags(Filters=by(resource_type="vpc-peering-connection"))["Tags"]
    assert (tag["ResourceId"], tag["Value"]) == (abroad_peered, "far")
    assert ids(
        ec2.describe_vpc_peering_connections(Filters=[{"Name": "tag:Side", "Values": ["near"]}])[
            "VpcPeeringConnections"
        ],
        "VpcPeeringConnectionId",
    ) == [abroad_peered]
    stranger.delete_tags(Resources=[abroad_peered], Tags=[{"Key": "Side"}])
    assert show(stranger, abroad_peered)["Tags"] == []
    assert show(ec2, abroad_peered)["Tags"]


@pytest.mark.parametrize(
    "filters",
    [
        by(status_code="active"),
        by(status_message="Active"),
        by(accepter_vpc_info__owner_id=OTHER_ACCOUNT),
        by(requester_vpc_info__owner_id=ACCOUNT),
        by(accepter_vpc_info__cidr_block="10.2.0.0/16"),
        by(requester_vpc_info__cidr_block="10.0.0.0/16"),
    ],
)
def test_filters_choose_connections(ec2, far, abroad_peered, filters):
    ask(ec2, far, ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"])
    found = ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
    assert abroad_peered in ids(found, "VpcPeeringConnectionId")


def test_connections_come_in_pages(ec2, near):
    made = [ask(ec2, near, ec2.create_vpc(CidrBlock=f"10.{n + 20}.0.0/16")["Vpc"]["VpcId"]) for n in range(7)]
    pages = ec2.get_paginator("describe_vpc_peering_connections").paginate(PaginationConfig={"PageSize": 5})
    sizes = [len(page["VpcPeeringConnections"]) for page in pages]
    assert sizes == [5, 2]
    assert len(made) == 7


# ---- options


def test_each_side_lets_the_other_see_its_private_addresses(ec2, stranger, abroad_peered):
    on = {"AllowDnsResolutionFromRemoteVpc": True}
    answer = stranger.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=abroad_peered, AccepterPeeringConnectionOptions=on
    )

    assert answer["AccepterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    shown = show(ec2, abroad_peered)
    assert shown["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    assert shown["RequesterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is False
    assert (
        code(
            ec2.modify_vpc_peering_connection_options,
            VpcPeeringConnectionId=abroad_peered,
            AccepterPeeringConnectionOptions=on,
        )
        == "OperationNotPermitted"
    )


def test_options_are_for_active_connections(ec2, near, far):
    id = ask(ec2, near, far)
    on = {"AllowDnsResolutionFromRemoteVpc": True}
    call = ec2.modify_vpc_peering_connection_options
    assert refusal(call, VpcPeeringConnectionId=id, RequesterPeeringConnectionOptions=on) == (
        "OperationNotPermitted",
        f"Peering {id} is not active. Peering options can be added only to active peerings.",
    )
    assert code(call, VpcPeeringConnectionId=id) == "MissingParameter"


def test_classic_link_is_refused_by_name(ec2, peered):
    asked = {"AllowEgressFromLocalClassicLinkToRemoteVpc": True}
    assert (
        code(
            ec2.modify_vpc_peering_connection_options,
            VpcPeeringConnectionId=peered,
            RequesterPeeringConnectionOptions=asked,
        )
        == "UnsupportedOperation"
    )
