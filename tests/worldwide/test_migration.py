"""Online migration from an engine that a user runs in an instance: real engines, real packets."""

import os
import signal
import time

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import until
from tests.worldwide.conftest import Move

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

IN_STEP = "is in sync with its source"


@pytest.fixture(scope="module")
def source(move: Move) -> tuple[str, str]:
    id, address = move.source()
    move.run_engine(id)
    until(lambda: move.redis(address, "PING") == "PONG", what="the source")
    return id, address


def start(move: Move, address: str, port: int = 6379) -> None:
    at = [{"Address": address, "Port": port}]
    move.cache.start_migration(ReplicationGroupId="auto", CustomerNodeEndpointList=at)


def test_a_group_copies_from_outside_and_goes_on_alone_with_everything(move, source):
    _, address = source
    move.redis(address, "SET", "before", "1")
    move.redis(move.endpoint(), "SET", "own", "1")

    start(move, address)

    assert move.described()["Status"] == "migrating"
    move.event(IN_STEP)
    move.redis(address, "SET", "during", "2")
    until(lambda: move.redis(move.endpoint(), "GET", "during") == "2", what="what is written meanwhile")
    assert "READONLY" in move.redis(move.endpoint(), "SET", "own", "2")
    until(lambda: move.redis(move.endpoint(kind="ReaderEndpoint"), "GET", "during") == "2", what="the replicas' copy")
    move.redis(address, "SET", "last", "3")
    move.cache.complete_migration(ReplicationGroupId="auto")
    move.available()

    assert move.redis(move.endpoint(), "MGET", "before", "during", "last", "own").split() == ["1", "2", "3"]
    assert move.redis(move.endpoint(), "SET", "own", "3") == "OK"
    assert move.redis(move.endpoint(), "WAIT", "2", "3000") == "2", "its replicas follow it"
    assert move.redis(address, "EXISTS", "own") == "0", "the source was left alone"
    assert "connected_slaves:0" in move.redis(address, "INFO", "replication")


def test_what_is_wrong_with_a_source_is_told_and_the_group_goes_on(move, source):
    id, address = source
    move.run_engine(id, 6380, "--requirepass", "secret")
    move.run_engine(id, 6381, "--cluster-enabled", "yes")
    until(lambda: "NOAUTH" in move.redis(address, "-p", "6380", "PING"), what="an engine with a password")
    until(lambda: move.redis(address, "-p", "6381", "PING") == "PONG", what="an engine in cluster mode")
    closed = move._ec2.create_security_group(GroupName="closed", Description="x")["GroupId"]
    _, behind = move.source(SecurityGroupIds=[closed])
    wrongs = {
        (address, 6380): "NOAUTH Authentication required.",
        (address, 6381): "its cluster mode is enabled, and that of the replication group is disabled",
        (address, 6399): "connection refused: nobody listens there",
        (behind, 6379): "a security group forbids it",
    }

    for (host, port), why in wrongs.items():
        at = [{"Address": host, "Port": port}]
        move.cache.test_migration(ReplicationGroupId="auto", CustomerNodeEndpointList=at)
        said = move.event(why)
        assert said.startswith(f"Migration test failed: {host}:{port}: ")
        move.available()
    start(move, address, 6380)
    assert move.event("NOAUTH Authentication required.").startswith("Migration failed: ")
    move.available()

    assert move.redis(move.endpoint(), "SET", "own", "4") == "OK"
    move.cache.test_migration(
        ReplicationGroupId="auto", CustomerNodeEndpointList=[{"Address": address, "Port": 6379}]
    )
    assert move.event("succeeded") == "Migration test succeeded"
    move.available()


def test_a_leader_that_is_lost_while_it_copies_is_replaced_and_its_successor_copies_on(move, source):
    _, address = source
    start(move, address)
    move.event(IN_STEP)
    old = move.primary()
    for member in move.described()["NodeGroups"][0]["NodeGroupMembers"]:  # else nobody has the data to go on with
        until(lambda m=member: _is_up(move, m["ReadEndpoint"]["Address"]), 20.0, member["CacheClusterId"])

    os.kill(move.pid(old), signal.SIGKILL)
    until(lambda: move.primary() != old, 20.0, "another leader")
    move.redis(address, "SET", "after", "4")

    until(lambda: move.redis(move.endpoint(), "GET", "after") == "4", 20.0, "what is written to the source")
    assert move.described()["Status"] == "migrating"
    until(lambda: _complete(move), 20.0, "a group in sync")
    move.available()
    assert move.redis(move.endpoint(), "SET", "own", "5") == "OK"
    assert move.redis(move.endpoint(), "WAIT", "2", "5000") == "2"


def test_force_ends_a_migration_whose_source_is_gone(move):
    id, address = move.source()
    move.run_engine(id)
    until(lambda: move.redis(address, "SET", "kept", "1") == "OK", what="the source")
    start(move, address)
    move.event(IN_STEP)
    move.redis(address, "SHUTDOWN", "NOSAVE")
    move.event("is no longer in sync with its source")

    with pytest.raises(ClientError, match="is not in sync with its source"):
        move.cache.complete_migration(ReplicationGroupId="auto")
    move.cache.complete_migration(ReplicationGroupId="auto", Force=True)
    move.available()

    assert move.redis(move.endpoint(), "GET", "kept") == "1"
    assert move.redis(move.endpoint(), "SET", "own", "6") == "OK"


@pytest.mark.parametrize("step", ["begun", "caught_up"])
def test_the_next_daemon_finishes_what_a_killed_one_began(move, source, step):
    _, address = source
    move.redis(address, "SET", "step", step)
    begun = move.atoll.log.stat().st_size
    start(move, address)
    if step in ("caught_up", "completed"):
        move.event(IN_STEP)
        move.cache.complete_migration(ReplicationGroupId="auto")
    end = time.monotonic() + 20.0
    while f'"step": "{step}"' not in move.atoll.said(begun):
        assert time.monotonic() < end, move.atoll.said(begun)
    move.atoll.kill()

    move.atoll.up()

    if step == "begun":
        until(lambda: _complete(move), 20.0, "a group in sync")
    move.available()
    assert move.redis(move.endpoint(), "GET", "step") == step
    assert move.redis(move.endpoint(), "SET", "own", step) == "OK"
    assert move.redis(move.endpoint(), "WAIT", "2", "5000") == "2"


def _is_up(move: Move, endpoint: str) -> bool:
    return "master_link_status:up" in move.redis(endpoint, "INFO", "replication")


def _complete(move: Move) -> bool:
    try:
        move.cache.complete_migration(ReplicationGroupId="auto")
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidReplicationGroupState":
            raise
        return False
    return True
