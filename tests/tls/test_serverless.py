"""Serverless caches with real engines: one name, two ports, TLS only, cluster mode, and data that outlive a node."""

import pytest

from tests.daemon.atoll import until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

CLUSTER = """
import sys, redis
client = redis.RedisCluster(host=sys.argv[1], port=int(sys.argv[2]), ssl=True, socket_timeout=10)
for n in range(100):
    client.set(f"key:{n}", n)
hosts = {node.host for node in client.get_nodes()}
print(sum(int(client.get(f"key:{n}")) for n in range(100)), hosts == {sys.argv[1]})
"""
MEMCACHED = """
import socket, ssl, sys
link = ssl.create_default_context().wrap_socket(
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 10), server_hostname=sys.argv[1])
link.sendall(sys.argv[3].encode().decode("unicode_escape").encode())
print(link.recv(1000).decode().split()[0])
"""


@pytest.fixture(scope="module")
def burst(vault):
    vault.needs("valkey")
    vault.cache.create_serverless_cache(
        ServerlessCacheName="burst", Engine="valkey", CacheUsageLimits={"DataStorage": {"Maximum": 1, "Unit": "GB"}}
    )
    return available(vault, "burst")["Endpoint"]["Address"]


def available(vault, name):
    def found():
        (one,) = vault.cache.describe_serverless_caches(ServerlessCacheName=name)["ServerlessCaches"]
        return one if one["Status"] == "available" else None

    return until(found, 30.0, f"{name} available ({vault.atoll.log})")


def test_a_cluster_client_knows_it_by_its_one_name(vault, burst):
    assert vault.python(CLUSTER, burst, "6379") == "4950 True"
    assert vault.cli(burst, "GET", "key:7") == "7"
    assert vault.cli(burst, "-p", "6380", "GET", "key:7") == "7"
    assert vault.cli(burst, "PING", tls=False) != "PONG"
    assert f"maxmemory:{1 << 30}" in vault.cli(burst, "INFO", "memory")
    assert "unknown command" in vault.cli(burst, "CONFIG", "GET", "maxmemory")


def test_its_data_outlive_its_primary(vault, burst):
    assert vault.cli(burst, "SET", "kept", "1") == "OK"
    assert vault.cli(burst, "WAIT", "1", "5000") in (
        "1",
        "0",
    )  # on another connection: it may know nothing to wait for
    until(lambda: "connected_slaves:1" in vault.cli(burst, "INFO", "replication"), 30.0, "a replica")
    before = vault.cli(burst, "CLUSTER", "MYID")
    vault.kill_engine(burst)
    until(lambda: vault.cli(burst, "CLUSTER", "MYID") not in ("", before), 30.0, "another primary")
    assert vault.cli(burst, "GET", "kept") == "1"
    until(lambda: "connected_slaves:1" in vault.cli(burst, "INFO", "replication"), 30.0, "a replica again")
    available(vault, "burst")


def test_a_snapshot_of_one_begins_another(vault, burst):
    vault.cli(burst, "SET", "old", "1")
    vault.cache.create_serverless_cache_snapshot(ServerlessCacheSnapshotName="first", ServerlessCacheName="burst")
    found = until(lambda: taken(vault, "first"), 30.0, "a snapshot")
    vault.cache.create_serverless_cache(
        ServerlessCacheName="again", Engine="valkey", SnapshotArnsToRestore=[found["ARN"]]
    )
    assert vault.cli(available(vault, "again")["Endpoint"]["Address"], "GET", "old") == "1"

    vault.cache.delete_serverless_cache(ServerlessCacheName="again", FinalSnapshotName="last")
    until(lambda: taken(vault, "last"), 30.0, "the last snapshot")
    until(lambda: "again" not in names(vault), 30.0, "it is gone")


def taken(vault, name):
    (found,) = vault.cache.describe_serverless_cache_snapshots(ServerlessCacheSnapshotName=name)[
        "ServerlessCacheSnapshots"
    ]
    return found if found["Status"] == "available" else None


def test_memcached_serves_by_tls_at_both_ports(vault):
    vault.needs("memcached")
    vault.cache.create_serverless_cache(ServerlessCacheName="mem", Engine="memcached")
    host = available(vault, "mem")["Endpoint"]["Address"]
    assert vault.python(MEMCACHED, host, "11211", "set a 0 0 1\\r\\n1\\r\\n") == "STORED"
    assert vault.python(MEMCACHED, host, "11212", "get a\\r\\n") == "VALUE"
    vault.cache.delete_serverless_cache(ServerlessCacheName="mem")
    until(lambda: "mem" not in names(vault), 30.0, "it is gone")


def names(vault):
    return [one["ServerlessCacheName"] for one in vault.cache.describe_serverless_caches()["ServerlessCaches"]]
