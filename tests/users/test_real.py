"""Users on the nodes of a running daemon: obeyed by all, through changes, failovers, new nodes and crashes."""

import os
import signal

import pytest

from tests.aws.test_connect_token import token
from tests.daemon.atoll import until
from tests.users.conftest import OTHER, SECRET

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_users_come_in_by_their_passwords_and_do_what_they_may(club, library):
    primary = next(member for member, role in club.members().items() if role == "primary")

    assert club.say(primary, "app", "SET", "app:k", "v", library=library) == ["ok", True]
    assert club.say(primary, "reader", "GET", "app:k", library=library) == ["ok", "v"]
    assert club.say(primary, "reader", "SET", "app:k", "w", library=library)[0] == "NoPermissionError"
    assert club.say(primary, "app", "SET", "other", "v", library=library)[0] == "NoPermissionError"
    assert club.say(primary, "app", "PING", password=OTHER, library=library)[0] == "AuthenticationError"
    assert club.say(primary, "", "PING", password="", library=library)[0] == "AuthenticationError"
    said = club.say(primary, "app", "CONFIG", "GET", "maxmemory", library=library)
    assert said[1].startswith("unknown command 'CONFIG', with args beginning with: 'GET' 'maxmemory'")


def test_a_change_is_obeyed_by_every_member_before_the_user_is_active(club):
    club.cache.modify_user(UserId="app", AccessString="on ~app:* +get", Passwords=[OTHER])
    club.settled()

    for member in (*club.members(), "lone-001"):
        assert club.say(member, "app", "PING", password=SECRET)[0] == "AuthenticationError"
        assert club.say(member, "app", "GET", "app:none", password=OTHER) == ["ok", None]
    club.cache.modify_user(UserId="app", AccessString="on ~app:* +@all", Passwords=[SECRET])
    club.settled()


def test_after_a_failover_and_on_a_new_replica_users_are_the_same(club):
    old = next(member for member, role in club.members().items() if role == "primary")

    os.kill(club.pid(old), signal.SIGKILL)
    until(lambda: club.members()[old] == "replica", 30, "another primary")
    club.available()
    new = next(member for member, role in club.members().items() if role == "primary")

    assert club.say(new, "app", "SET", "app:after", "v") == ["ok", True]
    club.cache.increase_replica_count(ReplicationGroupId="club", NewReplicaCount=2, ApplyImmediately=True)
    club.available()
    assert len(club.members()) == 3
    for member in club.members():
        until(lambda m=member: club.say(m, "reader", "GET", "app:after") == ["ok", "v"], 30, f"the data on {member}")
        assert club.say(member, "", "PING", password="")[0] == "AuthenticationError"


def test_a_member_that_comes_and_goes_is_told_everywhere(club):
    club.user("third", AccessString="on ~* +ping")
    club.cache.modify_user_group(UserGroupId="team", UserIdsToAdd=["third"])
    club.settled()
    assert [club.say(member, "third", "PING") for member in club.members()] == [["ok", True]] * len(club.members())

    club.cache.delete_user(UserId="third")
    until(lambda: "third" not in str(club.cache.describe_users()["Users"]), 30, "a deleted user")

    for member in club.members():
        assert club.say(member, "third", "PING")[0] == "AuthenticationError"
    assert club.team()["UserIds"] == ["app", "reader"]


def test_what_was_asked_for_before_a_crash_is_done_after_it(club):
    pid = club.pid("lone-001")
    os.kill(pid, signal.SIGSTOP)  # the engine answers nobody: the order is in the World, and cannot be carried out
    try:
        club.cache.modify_user(UserId="reader", AccessString="on ~* +ping", Passwords=[OTHER])
        until(lambda: not club.active("reader"), what="a change")
        club.atoll.kill()
        club.atoll.up()
        assert not club.active("reader"), "a node has not obeyed"
    finally:
        os.kill(pid, signal.SIGCONT)

    club.settled()

    for member in (*club.members(), "lone-001"):
        assert club.say(member, "reader", "PING", password=OTHER) == ["ok", True]
        assert club.say(member, "reader", "PING", password=SECRET)[0] == "AuthenticationError"
    assert club.pid("lone-001") == pid, "nothing was started again"


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_an_iam_user_comes_in_by_a_token_that_is_meant_for_him_and_the_cache(club, library):
    if not club.knows("signed"):
        club.cache.create_user(
            UserId="signed", UserName="signed", Engine="valkey", AccessString="on ~* +@all",
            AuthenticationMode={"Type": "iam"},
        )  # fmt: skip
        club.cache.modify_user_group(UserGroupId="team", UserIdsToAdd=["signed"])
        club.settled()
    primary = next(member for member, role in club.members().items() if role == "primary")
    keys = {"key": "test", "secret": "test"}

    good = token(cache="club", user="signed", **keys)
    until(lambda: club.say(primary, "signed", "PING", password=good, library=library) == ["ok", True], 30, "the door")

    assert club.say(primary, "signed", "SET", "k", "v", password=good, library=library) == ["ok", True]
    for bad in (
        token(cache="lone", user="signed", **keys),
        token(cache="club", user="app", **keys),
        token(cache="club", user="signed", region="eu-west-1", **keys),
        token(cache="club", user="signed", seconds=901, **keys),
        good.replace("club/", "lone/"),
        SECRET,
    ):
        said = club.say(primary, "signed", "PING", password=bad, library=library)
        assert said[0] == "AuthenticationError", bad
    assert club.say(primary, "app", "PING", password=good, library=library)[0] == "AuthenticationError"
    assert good.rpartition("=")[2] not in club.atoll.log.read_text()


def test_a_daemon_that_comes_anew_lets_iam_users_in_again(club):
    primary = next(member for member, role in club.members().items() if role == "primary")
    good = token(cache="club", user="signed", key="test", secret="test")
    club.atoll.kill()
    club.atoll.up()

    until(lambda: club.say(primary, "signed", "PING", password=good) == ["ok", True], 30, "the door")

    other = token(cache="club", user="signed", key="test", secret="test", seconds=800)
    assert club.say(primary, "signed", "PING", password=other) == ["ok", True]


def test_shards_have_their_users_from_their_creation(club):
    club.cache.create_replication_group(
        ReplicationGroupId="sharded", ReplicationGroupDescription="x", Engine="valkey", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, TransitEncryptionEnabled=True, UserGroupIds=["team"],
        CacheNodeType="cache.t3.micro",
    )  # fmt: skip
    club.available("sharded")
    members = club.described("sharded")["MemberClusters"]

    assert len(members) == 4
    for member in members:
        assert club.say(member, "app", "PING") == ["ok", True]
        assert "cluster_state:ok" in str(club.say(member, "app", "CLUSTER", "INFO"))
        assert club.say(member, "", "PING", password="")[0] == "AuthenticationError"
        assert "permission" in club.say(member, "app", "CLUSTER", "FAILOVER")[1]
    club.cache.delete_replication_group(ReplicationGroupId="sharded")


def test_no_secret_lies_about(club):
    told = club.atoll.log.read_text() + str(club.atoll.get("/_atoll/status"))
    arguments = os.popen("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '").read()

    assert SECRET not in told
    assert f"-- {SECRET}" not in arguments


def test_a_token_takes_the_place_of_users_and_of_another_token(club):
    first, second = "the-first-token-here", "the-second-token-here"
    club.change("lone", RemoveUserGroups=True, AuthToken=first, AuthTokenUpdateStrategy="SET")
    assert club.say("lone-001", "", "PING", password=first) == ["ok", True]
    assert club.say("lone-001", "app", "PING")[0] == "AuthenticationError"

    club.change("lone", AuthToken=second, AuthTokenUpdateStrategy="ROTATE")
    assert [club.say("lone-001", "", "PING", password=t) for t in (first, second)] == [["ok", True]] * 2
    club.change("lone", AuthToken=second, AuthTokenUpdateStrategy="SET")

    assert club.say("lone-001", "", "PING", password=first)[0] == "AuthenticationError"
    assert club.say("lone-001", "", "PING", password=second) == ["ok", True]
    assert club.say("lone-001", "", "PING", password="")[0] == "AuthenticationError"
