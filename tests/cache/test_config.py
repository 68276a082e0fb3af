"""What engines are told: configuration files, access rules, arguments."""

from ipaddress import IPv4Address

import pytest

from atoll.cache.acl import client_rules
from atoll.cache.config import memcached_arguments, server_text
from atoll.cache.plan import nodes
from tests.cache.worlds import Life, cluster, group, interface, node


def plan(*, engine="redis", version="7.0.15", parameters=(), **more):
    life = Life()
    life.put(
        interface("eni-1", "10.0.1.4"),
        cluster("one", node("eni-1", parameters=parameters), engine=engine, version=version, **more),
    )
    return nodes(life.world)[0]


def text(node):
    return server_text(node, directory="/d", socket="/d/s", password="secret").splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "bind 10.0.1.4", "port 6379", "unixsocket /d/s", "unixsocketperm 700", "dir /d", "daemonize no",
        "protected-mode no", 'save ""', "appendonly no", "databases 16", "maxmemory 402653184",
        "maxmemory-policy volatile-lru", "maxclients 65000", "timeout 0", "tcp-keepalive 300",
        "repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-diskless-load on-empty-db",
        "shutdown-timeout 0", 'notify-keyspace-events ""', "client-output-buffer-limit normal 0 0 0",
        "client-output-buffer-limit pubsub 33554432 8388608 60",
        "client-output-buffer-limit replica 40265318 40265318 60", "user atoll-admin on >secret ~* &* +@all",
        "masteruser atoll-admin", "masterauth secret",
    ],
)  # fmt: skip
def test_a_lone_node_is_told(line):
    assert text(plan()).count(line) == 1


@pytest.mark.parametrize(
    "name", ["replicaof", "cluster-", "reserved-memory", "close-on-replica-write", "appendfsync"]
)
def test_a_lone_node_is_not_told(name):
    assert not [line for line in text(plan()) if line.startswith(name)]


def test_a_node_is_told_its_parameter_groups_values():
    lines = text(plan(parameters=(("reserved-memory-percent", "50"), ("timeout", "60"))))

    assert "maxmemory 268435456" in lines
    assert "timeout 60" in lines
    assert "timeout 0" not in lines


def test_an_old_engine_is_told_only_what_it_knows():
    lines = text(plan(version="6.2.14"))

    assert "hash-max-ziplist-entries 512" in lines
    assert not [line for line in lines if line.split()[0] in ("shutdown-timeout", "hash-max-listpack-entries")]


def test_a_replica_is_told_whom_to_follow():
    life, leader = Life(), cluster("rg-001", node("eni-1"), group_id="000000000000/us-east-1/rg", port=7000)
    follower = cluster("rg-002", node("eni-2"), group_id=leader.group_id, port=7000)
    life.put(interface("eni-1", "10.0.1.4"), interface("eni-2", "10.0.1.5"), leader, follower)
    life.put(group("rg", leader, follower))

    first, second = nodes(life.world)

    assert "replicaof 10.0.1.4 7000" in text(second)
    assert not [line for line in text(first) if line.startswith("replicaof")]
    assert (first.primary, second.primary.address) == (None, IPv4Address("10.0.1.4"))


@pytest.mark.parametrize("command", ["config", "debug", "shutdown", "replicaof", "acl", "cluster", "sync", "module"])
def test_clients_may_not_administer_a_node(command):
    assert f"-{command}" in client_rules("redis", "7.0.15").split()


def test_clients_may_look_at_a_node():
    rules = client_rules("redis", "6.2.14").split()

    assert {"+acl|whoami", "+acl|cat", "+cluster|info", "+cluster|slots"} <= set(rules)
    assert "+cluster|shards" not in rules
    assert "+cluster|shards" in client_rules("valkey", "7.2.6").split()


def test_memcached_gets_its_memory_without_the_overhead_and_no_udp():
    node = plan(engine="memcached", version="1.6.18")

    assert node.settings == ()
    assert memcached_arguments(node, user="nobody", files_max=1_000_000) == (
        "-l", "10.0.1.4", "-p", "11211", "-U", "0", "-m", "412", "-t", "2", "-I", "1048576", "-f", "1.25", "-n", "48",
        "-B", "auto", "-c", "65000", "-u", "nobody",
    )  # fmt: skip


def test_memcached_allows_fewer_connections_where_files_are_few():
    arguments = memcached_arguments(plan(engine="memcached", version="1.6.18"), user="root", files_max=1024)

    assert arguments[arguments.index("-c") + 1] == "960"


def test_memcached_is_told_its_parameter_groups_values():
    values = (("disable_flush_all", "1"), ("idle_timeout", "60"), ("memcached_connections_overhead", "200"))
    arguments = plan(engine="memcached", version="1.6.18", parameters=values).arguments

    assert "-F" in arguments
    assert arguments[arguments.index("-o") + 1] == "idle_timeout=60"
    assert arguments[arguments.index("-m") + 1] == "312"


def test_a_reserve_of_all_memory_leaves_none_and_is_no_lifted_limit():
    assert "maxmemory 1" in text(plan(parameters=(("reserved-memory-percent", "100"),)))
