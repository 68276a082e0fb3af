"""Users and user groups through boto3: what is accepted, how it is shown, what is refused."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from atoll.model.access import User
from tests.api.caches import admit
from tests.api.paper import ACCOUNT

PASSWORD, OTHER = "correct-horse-battery", "another-horse-battery"


@contextmanager
def refusal(code):
    """Expect a call to be refused with a code; `message` is what was said."""
    refused = SimpleNamespace(message=None)
    with pytest.raises(ClientError) as caught:
        yield refused
    error = caught.value.response["Error"]
    assert error["Code"] == code
    refused.message = error["Message"]


@pytest.fixture
def user(cache):
    """Make users who authenticate with a password, unless it is said otherwise."""

    def make(id, **more):
        asked = {"UserName": id, "Engine": "redis", "AccessString": "on ~* +@all", "Passwords": [PASSWORD]} | more
        return cache.create_user(UserId=id, **asked)

    return make


def users(cache, **more):
    return {found["UserId"]: found for found in cache.describe_users(**more)["Users"]}


def test_a_user_is_shown_without_his_password(cache, user, paper):
    made = user("App-1", UserName="app", AccessString="+get ~app:*", Passwords=[PASSWORD, OTHER])
    made.pop("ResponseMetadata")

    assert made == {
        "UserId": "app-1",
        "UserName": "app",
        "Status": "active",
        "Engine": "redis",
        "MinimumEngineVersion": "6.0",
        "AccessString": "off ~app:* -@all +get",
        "UserGroupIds": [],
        "Authentication": {"Type": "password", "PasswordCount": 2},
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:user:app-1",
    }
    assert users(cache)["app-1"] == made
    rows = paper.store._db.execute("select body from journal").fetchall()
    assert any("app-1" in (body or "") for (body,) in rows)
    kept = [body for (body,) in paper.store._db.execute("select body from resource where kind = 'User'")]
    assert PASSWORD not in str(kept)
    found = next(paper.world.all(User))
    assert found.passwords[0].hex in str(kept)
    assert found.passwords[0].hex not in str(rows)
    assert found.passwords[0].hex not in repr(found)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"Passwords": []}, "InvalidParameterValue", "No password was provided. If you want to create"),
        ({"Passwords": ["short"]}, "InvalidParameterValue", "Passwords length must be between 16-128 characters."),
        ({"Passwords": ["x" * 129]}, "InvalidParameterValue", "Passwords length must be between 16-128 characters."),
        ({"Passwords": [PASSWORD, OTHER, "x" * 16]}, "InvalidParameterValue", "A user can have at most 2 passwords."),
        ({"Passwords": ["a@" * 10]}, "InvalidParameterValue", "Passwords must be printable"),
        ({"NoPasswordRequired": True}, "InvalidParameterCombination", "Passwords cannot be provided when"),
        ({"UserId": "1app"}, "InvalidParameterValue", "The parameter UserId is not a valid identifier."),
        ({"UserId": "default"}, "UserAlreadyExists", "User default already exists."),
        ({"UserName": "atoll-admin"}, "InvalidParameterValue", "Invalid user name atoll-admin."),
        ({"UserName": "two words"}, "InvalidParameterValue", "Invalid user name two words."),
        ({"Engine": "memcached"}, "InvalidParameterValue", "Engine memcached is not supported."),
        ({"AccessString": "on +nosuch"}, "InvalidParameterValue", "Access String: there is no command nosuch"),
        ({"AccessString": "on +config"}, "InvalidParameterValue", "the command config is restricted"),
        ({"AccessString": "on >secret-of-mine"}, "InvalidParameterValue", "passwords are parameters"),
        ({"AccessString": "on nopass"}, "InvalidParameterValue", "passwords are parameters"),
        ({"AccessString": "reset on"}, "InvalidParameterValue", "reset is not allowed in an access string"),
        (
            {"Passwords": [], "AuthenticationMode": {"Type": "x"}}, "InvalidParameterValue",
            "Input Authentication type: x is not in the allowed list: [password,no-password-required,iam]",
        ),
        (
            {"AuthenticationMode": {"Type": "password", "Passwords": [PASSWORD]}}, "InvalidParameterCombination",
            "AuthenticationMode cannot be used together with Passwords",
        ),
        (
            {"Engine": "valkey", "Passwords": [], "NoPasswordRequired": True}, "InvalidParameterCombination",
            "A user of engine valkey must authenticate",
        ),
    ],
)  # fmt: skip
def test_a_user_who_breaks_a_rule_is_refused_and_his_password_is_not_repeated(user, more, code, words):
    with refusal(code) as refused:
        user(more.pop("UserId", "app"), **more)

    assert words in refused.message
    assert not any(password in refused.message for password in more.get("Passwords", [PASSWORD]) if password)
    assert "secret-of-mine" not in refused.message


def test_a_user_authenticates_as_the_mode_says(user):
    password = user("a", Passwords=[], AuthenticationMode={"Type": "password", "Passwords": [PASSWORD]})
    free = user("b", Passwords=[], AuthenticationMode={"Type": "no-password-required"}, NoPasswordRequired=False)

    assert password["Authentication"] == {"Type": "password", "PasswordCount": 1}
    assert free["Authentication"] == {"Type": "no-password"}


def test_an_iam_user_has_one_name_and_needs_an_engine_that_knows_him(cache):
    asked = {"UserId": "a", "Engine": "redis", "AccessString": "on ~* +@all", "AuthenticationMode": {"Type": "iam"}}

    with refusal("InvalidParameterCombination") as refused:
        cache.create_user(UserName="b", **asked)
    assert refused.message == "User Id and User name must be same for authentication type: iam"
    made = cache.create_user(UserName="a", **asked)
    assert (made["Authentication"], made["MinimumEngineVersion"]) == ({"Type": "iam"}, "7.0")
    asked |= {"UserId": "b", "AuthenticationMode": {"Type": "iam", "Passwords": [PASSWORD]}}
    with refusal("InvalidParameterCombination"):
        cache.create_user(UserName="b", **asked)


def test_a_changed_user_is_modifying_until_nodes_obey_and_nobody_changes_him_meanwhile(cache, user, paper):
    user("app")

    changed = cache.modify_user(UserId="app", AccessString="on ~a:* +@read", Passwords=[OTHER])

    assert (changed["Status"], changed["AccessString"]) == ("modifying", "on ~a:* -@all +@read")
    with refusal("InvalidUserState"):
        cache.modify_user(UserId="app", AppendAccessString="+set")
    admit(paper)
    assert users(cache)["app"]["Status"] == "active"
    appended = cache.modify_user(UserId="app", AppendAccessString="+set", Engine="valkey")
    assert (appended["AccessString"], appended["Engine"]) == ("on ~a:* -@all +@read +set", "valkey")
    assert appended["MinimumEngineVersion"] == "7.2"


def test_default_is_there_and_cannot_be_changed(cache):
    assert users(cache, UserId="default")["default"]["AccessString"] == "on ~* +@all"
    for call in (cache.modify_user, cache.delete_user):
        with refusal("InvalidParameterValue"):
            call(UserId="default")


def test_users_are_found_by_engine_and_filters(cache, user):
    user("a", Engine="valkey")
    user("b", UserName="shared")
    user("c", UserName="shared")

    assert list(users(cache, Engine="valkey")) == ["a"]
    assert list(users(cache, Filters=[{"Name": "user-name", "Values": ["shared"]}])) == ["b", "c"]
    with refusal("UserNotFound"):
        users(cache, UserId="nobody")


def test_a_group_becomes_active_and_shows_what_is_pending(cache, user, paper):
    user("a"), user("b")
    made = cache.create_user_group(UserGroupId="Team", Engine="redis", UserIds=["default", "a"])
    made.pop("ResponseMetadata")

    assert made == {
        "UserGroupId": "team",
        "Status": "creating",
        "Engine": "redis",
        "UserIds": ["default", "a"],
        "MinimumEngineVersion": "6.0",
        "PendingChanges": {},
        "ReplicationGroups": [],
        "ServerlessCaches": [],
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:usergroup:team",
    }
    admit(paper)
    changed = cache.modify_user_group(UserGroupId="team", UserIdsToAdd=["b"], UserIdsToRemove=["a"])
    assert (changed["Status"], changed["UserIds"]) == ("modifying", ["default", "a"])
    assert changed["PendingChanges"] == {"UserIdsToAdd": ["b"], "UserIdsToRemove": ["a"]}
    admit(paper)
    shown = cache.describe_user_groups(UserGroupId="team")["UserGroups"][0]
    assert (shown["Status"], shown["UserIds"], shown["PendingChanges"]) == ("active", ["default", "b"], {})
    assert users(cache)["b"]["UserGroupIds"] == ["team"]
    assert users(cache)["a"]["UserGroupIds"] == []


def test_groups_refuse_what_does_not_go_together(cache, user, paper):
    user("a", UserName="shared"), user("b", UserName="shared"), user("v", Engine="valkey")
    user("free", Passwords=[], NoPasswordRequired=True)

    def make(engine, *ids):
        return cache.create_user_group(UserGroupId="team", Engine=engine, UserIds=list(ids))

    with refusal("DefaultUserRequired") as refused:
        make("redis", "a")
    assert refused.message == "User group needs to contain a user with the user name default."
    with refusal("DuplicateUserName"):
        make("redis", "default", "a", "b")
    with refusal("InvalidParameterValue"):
        make("redis", "default", "v")
    with refusal("InvalidParameterValue"):
        make("valkey", "free")
    with refusal("InvalidParameterValue"):
        make("valkey", "default")
    with refusal("UserNotFound"):
        make("valkey", "nobody")
    assert make("valkey", "a", "v")["MinimumEngineVersion"] == "7.2"
    with refusal("UserGroupAlreadyExists"):
        make("valkey", "a", "v")
    admit(paper)
    with refusal("InvalidParameterValue"):
        cache.modify_user_group(UserGroupId="team", UserIdsToRemove=["b"])
    with refusal("InvalidParameterCombination"):
        cache.modify_user_group(UserGroupId="team")
    with refusal("InvalidParameterValue"):
        cache.modify_user(UserId="a", NoPasswordRequired=True)


def test_a_deleted_user_leaves_his_groups_but_a_groups_default_stays(cache, user, paper):
    user("a"), user("d", UserName="default")
    cache.create_user_group(UserGroupId="team", Engine="redis", UserIds=["d", "a"])
    admit(paper)

    with refusal("DefaultUserAssociatedToUserGroup"):
        cache.delete_user(UserId="d")
    assert cache.delete_user(UserId="a")["Status"] == "deleting"
    admit(paper)

    assert "a" not in users(cache)
    assert cache.describe_user_groups()["UserGroups"][0]["UserIds"] == ["d"]
    told = cache.describe_events(SourceType="user", SourceIdentifier="a")["Events"]
    assert [event["Message"] for event in told] == ["User a deleted"]
    assert cache.delete_user_group(UserGroupId="team")["Status"] == "deleting"
    admit(paper)
    assert cache.describe_user_groups()["UserGroups"] == []


def test_users_and_groups_have_tags(cache, user):
    arn = user("a", Tags=[{"Key": "k", "Value": "v"}])["ARN"]
    group = cache.create_user_group(UserGroupId="team", Engine="valkey", UserIds=["a"])["ARN"]

    cache.add_tags_to_resource(ResourceName=group, Tags=[{"Key": "g", "Value": "1"}])

    assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "k", "Value": "v"}]
    assert cache.list_tags_for_resource(ResourceName=group)["TagList"] == [{"Key": "g", "Value": "1"}]
