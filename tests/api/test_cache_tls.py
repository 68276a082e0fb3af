"""TransitEncryptionEnabled and TransitEncryptionMode through boto3."""

import pytest

from atoll.cache.endpoint import resolve
from tests.api import caches
from tests.api.caches import settle
from tests.api.paper import refusal

BOTH, VALUE = "InvalidParameterCombination", "InvalidParameterValue"
ON, PREFERRED, REQUIRED = (
    {"TransitEncryptionEnabled": True},
    {"TransitEncryptionMode": "preferred"},
    {"TransitEncryptionMode": "required"},
)
OFF = {"TransitEncryptionEnabled": False}


@pytest.fixture
def group(cache, paper, private):
    """Return how to make an available group of two, and say how it is."""

    def make(name="rg", **asked):
        cache.group(name, 2, CacheSubnetGroupName=private, **{"Engine": "redis", "EngineVersion": "7.0", **asked})
        settle(paper)
        return name

    return make


def described(cache, name="rg"):
    return cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def change(cache, **asked):
    return cache.modify_replication_group(ReplicationGroupId="rg", ApplyImmediately=True, **asked)


def names(found):
    shard = found["NodeGroups"][0]
    return [shard[kind]["Address"] for kind in ("PrimaryEndpoint", "ReaderEndpoint")]


def test_a_group_with_tls_has_the_names_that_certificates_have(cache, paper, group):
    group(**ON)

    found = described(cache)
    zone = names(found)[0].removeprefix("master.rg.")
    assert (found["TransitEncryptionEnabled"], found["TransitEncryptionMode"]) == (True, "required")
    assert names(found)[1] == f"replica.rg.{zone}"
    member = found["NodeGroups"][0]["NodeGroupMembers"][1]
    assert member["ReadEndpoint"]["Address"] == f"rg-002.rg.{zone}"
    for name in (*names(found), member["ReadEndpoint"]["Address"], f"RG-001.rg.{zone}."):
        assert resolve(paper.world, name)
    assert resolve(paper.world, f"rg.{zone.replace('.', '.ng.0001.', 1)}") is None
    assert cache.cluster("rg-001")["TransitEncryptionEnabled"] is True


def test_tls_comes_in_two_steps_and_goes_in_two_and_is_told_when_it_is_in_force(cache, paper, group):
    group()
    before = names(described(cache))
    for asked, mode in (
        ({**ON, **PREFERRED}, "preferred"),
        ({**ON, **REQUIRED}, "required"),
        (PREFERRED, "preferred"),
    ):
        former = described(cache).get("TransitEncryptionMode")

        shown = change(cache, **asked)["ReplicationGroup"]

        assert shown["Status"] == "modifying"
        pending = shown["PendingModifiedValues"]
        assert (pending["TransitEncryptionEnabled"], pending["TransitEncryptionMode"]) == (True, mode)
        assert shown.get("TransitEncryptionMode") == former
        settle(paper)
        found = described(cache)
        assert (found["Status"], found["TransitEncryptionMode"]) == ("available", mode)
        assert found["PendingModifiedValues"] == {}
        assert [bool(resolve(paper.world, name)) for name in before] == [mode == "preferred"] * 2
        assert all(resolve(paper.world, name) for name in names(found))

    change(cache, **OFF)
    settle(paper)

    assert described(cache)["TransitEncryptionEnabled"] is False
    assert "TransitEncryptionMode" not in described(cache)
    assert names(described(cache)) == before


@pytest.mark.parametrize(
    ("had", "asked", "expected"),
    [
        ({}, PREFERRED, "To modify transit encryption mode, set encryption-in-transit as enabled."),
        ({}, ON, "Setting TransitEncryptionMode to required is a two-step process"),
        ({}, {**ON, **REQUIRED}, "Setting TransitEncryptionMode to required is a two-step process"),
        (ON, OFF, "Disabling in-transit encryption is a two-step process"),
        (ON, {**OFF, **PREFERRED}, "To modify transit encryption mode, set encryption-in-transit as enabled."),
        (
            {"EngineVersion": "6.2"},
            {**ON, **PREFERRED},
            "Transit encryption mode is not supported for engine version 6",
        ),
        (
            {**ON, "AuthToken": "a" * 16},
            {**ON, **PREFERRED},
            "Modification of transit encryption is not supported for",
        ),
    ],
)
def test_a_step_that_aws_does_not_take_changes_nothing(cache, paper, group, had, asked, expected):
    group(**had)
    before = list(paper.world)

    code, message = refusal(change, cache, **asked)

    assert code == BOTH
    assert message.startswith(expected)
    assert list(paper.world) == before


def test_what_is_so_already_is_no_change(cache, group):
    group(**ON)

    for asked in (ON, REQUIRED, {**ON, **REQUIRED}):
        assert change(cache, **asked)["ReplicationGroup"]["Status"] == "available"


def test_a_password_is_never_taken_in_plain_text(cache, private):
    found = refusal(cache.group, "rg", 1, CacheSubnetGroupName=private, AuthToken="a" * 16, **ON, **PREFERRED)

    assert found == (BOTH, "Transit encryption preferred is not supported with redis access control.")


def test_memcached_has_tls_since_1_6_12_and_at_creation_only(cache, paper, private):
    caches.install(paper, [("memcached", "1.6.6")])
    asked = {"CacheSubnetGroupName": private, **ON}
    cache.memcached("new", 2, EngineVersion="1.6.18", **asked)
    settle(paper)

    assert cache.cluster("new")["TransitEncryptionEnabled"] is True
    code, message = refusal(cache.memcached, "old", 1, EngineVersion="1.6.6", **asked)
    assert (code, message[:39]) == (BOTH, "In-transit encryption is not supported ")


def test_without_a_terminator_tls_is_refused_with_what_to_install(cache, paper, private):
    caches.install(paper, tls=False)

    code, message = refusal(cache.group, "rg", 1, CacheSubnetGroupName=private, **ON)

    assert code == VALUE
    assert "Install the package haproxy" in message
