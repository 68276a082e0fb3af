"""Who may use a replication group, through boto3: AUTH tokens and user groups, and what nodes are told of them."""

import pytest

from atoll.cache.plan import nodes
from atoll.model.digest import Digest
from tests.api.caches import admit, settle
from tests.api.test_user import PASSWORD, refusal, user

__all__ = ["user"]

FIRST, SECOND, THIRD = "the-first-token-here", "the-second-token-here", "the-third-token-here"


@pytest.fixture
def rg(cache, paper):
    """A group whose nodes speak TLS."""
    cache.group("rg", 2, TransitEncryptionEnabled=True)
    settle(paper)
    return "rg"


def shown(cache):
    return cache.describe_replication_groups()["ReplicationGroups"][0]


def change(cache, **more):
    return cache.modify_replication_group(ReplicationGroupId="rg", ApplyImmediately=True, **more)["ReplicationGroup"]


def told(paper):
    """What the nodes are to know: of each user the name, how many secrets, and whether none is needed."""
    found = {tuple((u.name, u.passwords, u.is_open) for u in plan.users) for plan in nodes(paper.world)}
    assert len(found) == 1, "all nodes of a group have the same users"
    return found.pop()


@pytest.mark.usefixtures("rg")
def test_a_group_without_access_control_tells_its_nodes_nothing(paper):
    assert told(paper) == ()
    assert [plan.admission for plan in nodes(paper.world)] == [None, None]


def test_a_token_needs_encryption_in_transit(cache, paper):
    with refusal("InvalidParameterCombination") as refused:
        cache.group("rg", 1, AuthToken=FIRST)
    assert "encryption-in-transit" in refused.message
    cache.group("rg", 1)
    settle(paper)
    with refusal("InvalidParameterCombination"):
        change(cache, AuthToken=FIRST)


@pytest.mark.usefixtures("rg")
def test_rotate_on_an_open_group_lets_everybody_in_until_set(cache, paper):
    changed = change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="ROTATE")

    assert changed["Status"] == "modifying"
    assert changed["PendingModifiedValues"]["AuthTokenStatus"] == "ROTATING"
    assert told(paper) == (("default", (Digest.of(FIRST),), True),)
    with refusal("InvalidReplicationGroupState"):
        change(cache, AuthToken=SECOND)
    admit(paper)
    after = shown(cache)
    assert (after["Status"], after["AuthTokenEnabled"], after["PendingModifiedValues"]) == ("available", True, {})
    assert after["AuthTokenLastModifiedDate"]
    assert cache.cluster("rg-001")["AuthTokenEnabled"] is True

    setting = change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    assert setting["PendingModifiedValues"] == {"AuthTokenStatus": "SETTING"}
    admit(paper)
    assert told(paper) == (("default", (Digest.of(FIRST),), False),)


@pytest.mark.usefixtures("rg")
def test_two_tokens_live_and_a_third_drops_the_oldest(cache, paper):
    change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    admit(paper)
    for token in (SECOND, THIRD):
        change(cache, AuthToken=token)  # ROTATE is the default
        admit(paper)

    assert told(paper) == (("default", (Digest.of(SECOND), Digest.of(THIRD)), False),)
    with refusal("InvalidParameterValue"):
        change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    change(cache, AuthToken=THIRD, AuthTokenUpdateStrategy="SET")
    admit(paper)
    assert told(paper) == (("default", (Digest.of(THIRD),), False),)


@pytest.mark.usefixtures("rg")
def test_a_rotation_that_changes_nothing_ends_too(cache, paper):
    change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    admit(paper)
    assert change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")["Status"] == "modifying"
    admit(paper)

    assert shown(cache)["Status"] == "available"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"AuthToken": "short"}, "InvalidParameterValue"),
        ({"AuthToken": "x" * 129}, "InvalidParameterValue"),
        ({"AuthToken": "with/a/slash/in/the/token"}, "InvalidParameterValue"),
        ({"AuthToken": FIRST, "AuthTokenUpdateStrategy": "X"}, "InvalidParameterValue"),
        ({"AuthTokenUpdateStrategy": "ROTATE"}, "InvalidParameterCombination"),
        ({"AuthTokenUpdateStrategy": "DELETE"}, "InvalidParameterValue"),
        ({"AuthToken": FIRST, "AuthTokenUpdateStrategy": "DELETE"}, "InvalidParameterCombination"),
        ({"UserGroupIdsToAdd": ["nobody"]}, "UserGroupNotFound"),
        ({"UserGroupIdsToAdd": ["team"], "AuthToken": FIRST}, "InvalidParameterCombination"),
        ({"UserGroupIdsToAdd": ["team", "other"]}, "InvalidParameterValue"),
        ({"UserGroupIdsToRemove": ["team"]}, "InvalidParameterValue"),
    ],
)
@pytest.mark.usefixtures("rg")
def test_what_does_not_go_is_refused_and_no_token_repeated(cache, paper, user, more, code):
    team(cache, paper, user)

    with refusal(code) as refused:
        change(cache, **more)

    assert not any(str(value) in refused.message for name, value in more.items() if name == "AuthToken")
    assert shown(cache)["Status"] == "available"


def team(cache, paper, user, engine="redis"):
    user("app", Engine=engine)
    ids = ["app", "default"] if engine == "redis" else ["app"]
    cache.create_user_group(UserGroupId="team", Engine=engine, UserIds=ids)
    admit(paper)


@pytest.mark.usefixtures("rg")
def test_a_user_group_takes_the_place_of_everybody_and_goes_again(cache, paper, user):
    team(cache, paper, user)

    changed = change(cache, UserGroupIdsToAdd=["team"])

    assert (changed["Status"], changed["UserGroupIds"]) == ("modifying", [])
    assert changed["PendingModifiedValues"]["UserGroups"] == {
        "UserGroupIdsToAdd": ["team"],
        "UserGroupIdsToRemove": [],
    }
    assert told(paper) == (("default", (), True), ("app", (Digest.of(PASSWORD),), False))
    assert {plan.admission.cut for plan in nodes(paper.world)} == {()}
    admit(paper)
    assert (shown(cache)["Status"], shown(cache)["UserGroupIds"]) == ("available", ["team"])
    assert cache.describe_user_groups()["UserGroups"][0]["ReplicationGroups"] == ["rg"]
    with refusal("InvalidUserGroupState"):
        cache.delete_user_group(UserGroupId="team")
    with refusal("InvalidParameterCombination"):
        change(cache, AuthToken=FIRST)
    change(cache, RemoveUserGroups=True)
    admit(paper)
    assert shown(cache)["UserGroupIds"] == []
    assert told(paper) == (("default", (), True),)


@pytest.mark.usefixtures("rg")
def test_a_group_without_a_default_closes_the_door_to_who_gives_no_name(cache, paper, user):
    team(cache, paper, user, engine="valkey")

    change(cache, UserGroupIdsToAdd=["team"])

    plan = nodes(paper.world)[0]
    assert [(u.name, u.rules[0], u.is_open) for u in plan.users] == [("default", "off", False), ("app", "on", False)]


@pytest.mark.usefixtures("rg")
def test_users_are_modifying_while_a_node_does_not_obey_and_its_connections_are_cut_when_default_is_another(
    cache, paper, user
):
    team(cache, paper, user)
    change(cache, UserGroupIdsToAdd=["team"])
    admit(paper)
    user("mine", UserName="default")

    cache.modify_user_group(UserGroupId="team", UserIdsToAdd=["mine"], UserIdsToRemove=["default"])

    assert {plan.admission.cut for plan in nodes(paper.world)} == {("default",)}
    admit(paper)
    cache.modify_user(UserId="app", AccessString="on ~a:* +@read")
    assert {plan.admission.cut for plan in nodes(paper.world)} == {()}, "a change of rules cuts nobody"
    admit(paper)
    assert {found["Status"] for found in cache.describe_users()["Users"]} == {"active"}


@pytest.mark.usefixtures("rg")
def test_a_token_makes_room_for_users_by_delete_and_comes_back_by_set(cache, paper, user):
    team(cache, paper, user)
    change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    admit(paper)
    with refusal("InvalidParameterCombination"):
        change(cache, UserGroupIdsToAdd=["team"])

    change(cache, UserGroupIdsToAdd=["team"], AuthTokenUpdateStrategy="DELETE")
    admit(paper)

    assert (shown(cache)["AuthTokenEnabled"], shown(cache)["UserGroupIds"]) == (False, ["team"])
    change(cache, RemoveUserGroups=True, AuthToken=SECOND, AuthTokenUpdateStrategy="SET")
    admit(paper)
    assert told(paper) == (("default", (Digest.of(SECOND),), False),)


def test_a_cluster_that_would_stand_open_does_not_leave_its_group(cache, paper, rg):
    change(cache, AuthToken=FIRST, AuthTokenUpdateStrategy="SET")
    admit(paper)

    with refusal("InvalidParameterCombination") as refused:
        cache.delete_replication_group(ReplicationGroupId=rg, RetainPrimaryCluster=True)

    assert "RetainPrimaryCluster" in refused.message
