"""Rows 152 to 170: the engines, what they keep and lose, and replicas."""

import os
import signal
from pathlib import Path

from tests.daemon.atoll import until
from tests.scenario.shop import info, redis, user_program
from tests.scenario.stage import NODE_TYPE, QUICK, refused_with

T3_MICRO_BYTES = 536870912  # the `maxmemory` parameter of cache.t3.micro in AWS's table of node types


def test_row_152_a_cache_is_easily_created_and_extended(stage, shop):
    cluster = stage.cluster("memcached", shop.subnet_group, shop.group)
    stage.cache.modify_cache_cluster(CacheClusterId=cluster, NumCacheNodes=2, ApplyImmediately=True)
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=cluster, WaiterConfig=QUICK)
    first, second = stage.node_addresses(cluster)
    for node in (first, second):
        assert stage.reach(shop.app, node, 11211, "version").startswith("connected VERSION")
    stage.delete_cluster(cluster)


def test_row_154_memcached_redis_and_valkey_run_as_real_processes(stage, shop):
    offered = {row["Engine"] for row in stage.cache.describe_cache_engine_versions()["CacheEngineVersions"]}
    assert offered == {"memcached", "redis", "valkey"}
    (member, *_) = stage.members(shop.valkey)
    for cluster, program in ((f"{shop.memcached}:0001", "memcached"), (shop.redis, "redis"), (member, "valkey")):
        running = Path(f"/proc/{stage.machine(cluster)['pid']}/cmdline").read_bytes().decode()
        assert program in running


def test_row_155_memcached_keys_are_distributed_over_the_nodes_by_the_client(stage, shop):
    nodes = stage.node_addresses(shop.memcached)
    script = (
        "$cache = new Memcache;\n"
        + "".join(f"$cache->addServer('{node}', 11211);\n" for node in nodes)
        + 'for ($i = 0; $i < 60; $i++) $cache->set("key$i", "value$i");\n'
        + 'for ($i = 0; $i < 60; $i++) if ($cache->get("key$i") === "value$i") echo \'y\';\n'
    )

    def items(node):
        return int(stage.reach(shop.app, node, 11211, "stats").split("STAT curr_items ")[1].split()[0])

    before = [items(node) for node in nodes]  # those of auto discovery
    assert stage.shell(shop.app, f"php <<'END'\n<?php\n{script}\nEND").output == "y" * 60
    kept = [items(node) - had for node, had in zip(nodes, before, strict=True)]
    assert sum(kept) == 60
    assert min(kept) > 0


def test_row_155_memcached_nodes_tell_clients_of_each_other(stage, shop):
    nodes = stage.node_addresses(shop.memcached)
    told = [stage.reach(shop.app, node, 11211, "config get cluster") for node in nodes]
    assert len(set(told)) == 1
    assert all(f"|{node}|11211" in told[0] for node in nodes)
    assert told[0].startswith("connected CONFIG cluster 0 ")


def test_row_156_redis_has_strings_hashes_lists_sets_and_sorted_sets(stage, shop):
    script = """
import redis, sys
cache = redis.Redis(sys.argv[1], decode_responses=True, socket_timeout=10)
cache.set("string", "s"); cache.hset("hash", "field", "h"); cache.rpush("list", 1, 2)
cache.sadd("set", "member"); cache.zadd("sorted", {"low": 1, "high": 2})
print(cache.get("string"), cache.hget("hash", "field"), cache.lrange("list", 0, -1), cache.smembers("set"),
      cache.zrevrange("sorted", 0, 0))
"""
    ((name, _),) = stage.endpoints(shop.redis)
    assert user_program(stage, shop, script, name) == "s h ['1', '2'] {'member'} ['high']"


def test_row_157_data_is_in_memory_only(stage, shop):
    for node in (shop.redis, stage.members(shop.valkey)[0]):
        redis(stage, shop, node, "SET", "kept", "nowhere")
        assert info(stage, shop, node, "aof_enabled") == "0"
        assert int(info(stage, shop, node, "rdb_changes_since_last_save")) > 0
        assert info(stage, shop, node, "rdb_bgsave_in_progress") == "0"


def test_row_158_no_more_data_than_the_node_type_has_memory(stage, shop):
    assert info(stage, shop, shop.redis, "maxmemory") == str(T3_MICRO_BYTES * 3 // 4)  # a quarter is reserved
    family = stage.cache.describe_cache_engine_versions(Engine="redis")["CacheEngineVersions"][0]
    name = stage.name("small")
    stage.cache.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily=family["CacheParameterGroupFamily"], Description="x"
    )
    values = [
        {"ParameterName": "reserved-memory-percent", "ParameterValue": "97"},
        {"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"},
    ]
    stage.cache.modify_cache_parameter_group(CacheParameterGroupName=name, ParameterNameValues=values)
    node = stage.cluster("redis", shop.subnet_group, shop.group, CacheParameterGroupName=name)
    assert 0 < int(info(stage, shop, node, "maxmemory")) < 20_000_000
    script = """
import redis, sys
cache = redis.Redis(sys.argv[1], socket_timeout=10)
try:
    for i in range(40):
        cache.set(i, bytes(1000000))
except redis.exceptions.OutOfMemoryError as error:
    print(error)
"""
    said = user_program(stage, shop, script, stage.node_addresses(node)[0])
    assert said == "command not allowed when used memory > 'maxmemory'."
    stage.delete_cluster(node)


def test_row_159_a_node_that_is_rebooted_or_killed_has_lost_its_data(stage, shop):
    node = shop.redis
    redis(stage, shop, node, "SET", "row", "159")
    stage.cache.reboot_cache_cluster(CacheClusterId=node, CacheNodeIdsToReboot=["0001"])
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=node, WaiterConfig=QUICK)
    assert redis(stage, shop, node, "DBSIZE") == "0"
    redis(stage, shop, node, "SET", "row", "159")
    pid = stage.machine(node)["pid"]
    os.kill(pid, signal.SIGKILL)  # the power goes
    until(
        lambda: redis(stage, shop, node, "PING") == "PONG" and stage.machine(node)["pid"] != pid, 20, "the next one"
    )
    assert redis(stage, shop, node, "DBSIZE") == "0"


def test_row_160_query_results_are_kept_for_a_while(stage, shop):
    script = """
import redis, sqlite3, sys, time
cache, table = redis.Redis(sys.argv[1], decode_responses=True, socket_timeout=10), sqlite3.connect(":memory:")
table.execute("create table sales (amount integer)")
table.executemany("insert into sales values (?)", [(i,) for i in range(100)])
asked = 0
def total():
    global asked
    if (known := cache.get("total")) is not None:
        return int(known)
    asked += 1
    (found,) = table.execute("select sum(amount) from sales").fetchone()
    cache.set("total", found, px=300)
    return found
print([total() for _ in range(5)], asked)
while cache.exists("total"):
    time.sleep(0.02)
print(total(), asked)
"""
    said = user_program(stage, shop, script, stage.node_addresses(shop.redis)[0])
    assert said.splitlines() == ["[4950, 4950, 4950, 4950, 4950] 1", "4950 2"]


def test_row_161_more_nodes_are_not_more_room(stage, shop):
    primary, *replicas = stage.members(shop.valkey)
    for i in range(20):
        redis(stage, shop, primary, "SET", f"row161-{i}", "x")
    assert len({info(stage, shop, node, "maxmemory") for node in (primary, *replicas)}) == 1
    size = redis(stage, shop, primary, "DBSIZE")
    assert int(size) >= 20
    until(lambda: all(redis(stage, shop, node, "DBSIZE") == size for node in replicas), 10, "a copy on each replica")


def test_row_162_up_to_five_read_replicas_really_replicate(stage, shop):
    group = stage.replication_group("valkey", shop.subnet_group, shop.group, 6)
    primary, *replicas = stage.members(group)
    assert redis(stage, shop, primary, "SET", "row", "162") == "OK"
    until(lambda: [redis(stage, shop, node, "GET", "row") for node in replicas] == ["162"] * 5, 10, "five copies")
    offset = int(info(stage, shop, primary, "master_repl_offset"))
    until(
        lambda: all(int(info(stage, shop, node, "slave_repl_offset")) >= offset for node in replicas), 10, "offsets"
    )
    assert redis(stage, shop, replicas[0], "SET", "row", "no").startswith("READONLY")
    stage.delete_replication_group(group)
    refused_with(
        "InvalidParameterValue",
        stage.cache.create_replication_group,
        ReplicationGroupId=stage.name("seven"),
        ReplicationGroupDescription="x",
        Engine="valkey",
        CacheNodeType=NODE_TYPE,
        NumCacheClusters=7,
        CacheSubnetGroupName=shop.subnet_group,
    )


def test_row_164_an_application_shards_over_several_caches(stage, shop):
    second = stage.cluster("redis", shop.subnet_group, shop.group)
    nodes = [stage.node_addresses(node)[0] for node in (shop.redis, second)]
    script = """
import bisect, hashlib, redis, sys
def place(text):
    return int(hashlib.md5(text.encode()).hexdigest(), 16)
ring = sorted((place(f"{node}#{i}"), node) for node in sys.argv[1:] for i in range(64))
shards = {node: redis.Redis(node, decode_responses=True, socket_timeout=10) for node in sys.argv[1:]}
def shard(key):
    return shards[ring[bisect.bisect(ring, (place(key), "")) % len(ring)][1]]
for shard_ in shards.values():
    shard_.flushall()
for i in range(200):
    shard(f"key{i}").set(f"key{i}", i)
print(all(shard(f"key{i}").get(f"key{i}") == str(i) for i in range(200)), [s.dbsize() for s in shards.values()])
"""
    said = user_program(stage, shop, script, *nodes)
    assert said.startswith("True ")
    sizes = [int(size) for size in said.removeprefix("True ").strip("[]").split(",")]
    assert sum(sizes) == 200
    assert min(sizes) > 20
    stage.delete_cluster(second)


def test_row_168_the_number_of_replicas_is_chosen_at_creation(stage, shop):
    assert stage.members(shop.valkey) == [f"{shop.valkey}-{number:03}" for number in (1, 2, 3)]
    roles = [info(stage, shop, node, "role") for node in stage.members(shop.valkey)]
    assert roles == ["master", "slave", "slave"]
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=shop.valkey)["ReplicationGroups"]
    members = found["NodeGroups"][0]["NodeGroupMembers"]
    assert [member["CurrentRole"] for member in members] == ["primary", "replica", "replica"]
