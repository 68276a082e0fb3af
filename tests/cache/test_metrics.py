"""Metrics: which field of an engine is which of AWS's, and what is added between two readings."""

import pytest

from atoll.cache.metrics import READING, WRITING, Reading, read, since, unit
from atoll.host.engine.statistics import read_info, read_stats

INFO = """# Server
redis_version:7.2.4\r
# Memory
used_memory:400\r
used_memory_rss:600\r
maxmemory:1000\r
mem_fragmentation_ratio:1.50\r
# Clients
connected_clients:7\r
# Stats
total_connections_received:20\r
keyspace_hits:30\r
keyspace_misses:10\r
evicted_keys:3\r
expired_keys:4\r
rdb_bgsave_in_progress:0\r
aof_rewrite_in_progress:0\r
# Replication
role:%s
master_link_status:%s\r
master_last_io_seconds_ago:2\r
master_repl_offset:500\r
# CPU
used_cpu_sys:1.0\r
used_cpu_user:2.0\r
used_cpu_sys_main_thread:0.5\r
used_cpu_user_main_thread:1.5\r
# Commandstats
cmdstat_get:calls=11,usec=1,usec_per_call=1.00\r
cmdstat_hget:calls=2,usec=1\r
cmdstat_set:calls=5,usec=1\r
cmdstat_config|get:calls=9,usec=1\r
cmdstat_xgroup|create:calls=1,usec=1\r
# Keyspace
db0:keys=8,expires=2,avg_ttl=0\r
db1:keys=1,expires=1,avg_ttl=0\r
"""
STATS = """STAT curr_items 3
STAT bytes 100
STAT limit_maxbytes 1000
STAT curr_connections 4
STAT cmd_get 9
STAT cmd_set 5
STAT get_hits 6
STAT get_misses 3
STAT evictions 1
STAT rusage_user 0.25
STAT rusage_system 0.75
END
"""


def server(role="master", link="up"):
    return read(read_info(INFO % (role, link)), is_memcached=False, memory_bytes=2000)


def test_info_says_what_is():
    assert server().gauges == {
        "BytesUsedForCache": 400.0, "FreeableMemory": 1400.0, "DatabaseMemoryUsagePercentage": 40.0,
        "MemoryFragmentationRatio": 1.5, "CurrConnections": 7.0, "CurrItems": 9.0, "CurrVolatileItems": 3.0,
        "IsMaster": 1.0, "SaveInProgress": 0.0,
    }  # fmt: skip


def test_info_says_what_was_counted():
    assert server().totals == {
        "CacheHits": 30.0, "CacheMisses": 10.0, "Evictions": 3.0, "Reclaimed": 4.0, "NewConnections": 20.0,
        "GetTypeCmds": 13.0, "SetTypeCmds": 6.0, "ReplicationBytes": 500.0,
    }  # fmt: skip
    assert (server().engine_seconds, server().all_seconds) == (2.0, 3.0)


@pytest.mark.parametrize(("link", "said"), [("up", {"ReplicationLag": 2.0}), ("down", {})])
def test_a_replica_tells_its_lag_while_it_hears_its_primary(link, said):
    replica = server("slave", link)
    assert {k: v for k, v in replica.gauges.items() if k == "ReplicationLag"} == said
    assert (replica.gauges["IsMaster"], replica.gauges["MasterLinkHealthStatus"]) == (0.0, float(link == "up"))
    assert "ReplicationBytes" not in replica.totals


def test_memcached_says_the_same_in_its_own_names():
    found = read(read_stats(STATS), is_memcached=True, memory_bytes=2000)
    assert found.gauges == {
        "BytesUsedForCacheItems": 100.0, "CurrConnections": 4.0, "CurrItems": 3.0, "UnusedMemory": 900.0,
        "FreeableMemory": 1900.0,
    }  # fmt: skip
    assert found.totals == {"CmdGet": 9.0, "CmdSet": 5.0, "Evictions": 1.0, "GetHits": 6.0, "GetMisses": 3.0}
    assert (found.engine_seconds, found.all_seconds) == (None, 1.0)


def test_a_sample_has_what_was_added_since_the_one_before():
    before = Reading({}, {"CacheHits": 10.0, "CacheMisses": 9.0}, 1.0, 1.0)
    now = Reading({"CurrItems": 5.0}, {"CacheHits": 13.0, "CacheMisses": 10.0}, 4.0, 7.0)
    assert since(now, before, 60.0, vcpus=2) == {
        "CurrItems": 5.0, "CacheHits": 3.0, "CacheMisses": 1.0, "CacheHitRate": 75.0, "CPUUtilization": 5.0,
        "EngineCPUUtilization": 5.0,
    }  # fmt: skip


def test_without_a_reading_before_there_is_only_what_is():
    assert since(server(), None, 60.0, vcpus=1) == server().gauges


def test_totals_that_fell_began_anew_and_those_that_are_new_say_nothing_yet():
    before = Reading({}, {"Evictions": 100.0}, None, None)
    now = Reading({}, {"Evictions": 4.0, "ReplicationBytes": 5000.0}, None, None)
    assert since(now, before, 60.0, vcpus=1) == {"Evictions": 4.0}


def test_units_are_those_of_cloudwatch():
    named = ("CacheHits", "BytesUsedForCache", "EngineCPUUtilization", "ReplicationLag")
    assert [unit(name) for name in named] == ["Count", "Bytes", "Percent", "Seconds"]


def test_no_command_both_reads_and_writes():
    assert not READING & WRITING
