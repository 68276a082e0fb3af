"""Cache parameter groups and parameters through boto3."""

import pytest

from atoll.admin.status import status
from atoll.cache import transitions
from atoll.cache.plan import nodes
from tests.api.caches import settle, tune
from tests.api.paper import ACCOUNT, code, refusal


@pytest.fixture
def custom(cache):
    """A parameter group of the family redis7."""
    cache.create_cache_parameter_group(
        CacheParameterGroupName="Custom", CacheParameterGroupFamily="redis7", Description="mine"
    )
    return "custom"


def put(cache, group, **values):
    pairs = [{"ParameterName": n.replace("_", "-"), "ParameterValue": v} for n, v in values.items()]
    return cache.modify_cache_parameter_group(CacheParameterGroupName=group, ParameterNameValues=pairs)


def values(cache, group, **asked):
    pages = cache.get_paginator("describe_cache_parameters").paginate(CacheParameterGroupName=group, **asked)
    return {p["ParameterName"]: p.get("ParameterValue") for page in pages for p in page["Parameters"]}


def test_the_default_groups_of_aws_are_there(cache):
    groups = cache.describe_cache_parameter_groups()["CacheParameterGroups"]

    names = {g["CacheParameterGroupName"] for g in groups}
    assert {
        "default.memcached1.6", "default.redis6.x", "default.redis7", "default.redis7.cluster.on", "default.valkey7",
        "default.valkey8", "default.valkey9", "default.valkey9.cluster.on",
    } <= names  # fmt: skip
    assert next(g for g in groups if g["CacheParameterGroupName"] == "default.redis7") == {
        "CacheParameterGroupName": "default.redis7",
        "CacheParameterGroupFamily": "redis7",
        "Description": "Default parameter group for redis7",
        "IsGlobal": False,
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:parametergroup:default.redis7",
    }


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("default.redis7", {"maxmemory-policy": "volatile-lru", "timeout": "0", "cluster-enabled": "no",
                            "reserved-memory-percent": "25", "hash-max-listpack-entries": "512",
                            "tcp-keepalive": "300", "notify-keyspace-events": None}),
        ("default.redis7.cluster.on", {"cluster-enabled": "yes"}),
        ("default.redis6.x", {"hash-max-ziplist-entries": "512", "activerehashing": "yes"}),
        ("default.valkey9", {"maxmemory-samples": "3", "acl-pubsub-default": "allchannels"}),
        ("default.memcached1.6", {"chunk_size": "48", "memcached_connections_overhead": "100",
                                  "max_simultaneous_connections": "65000"}),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_a_default_group_has_awss_defaults(cache, group, expected):
    found = values(cache, group)

    assert {name: found[name] for name in expected} == expected


def test_a_family_shows_only_its_own_parameters(cache):
    assert "hash-max-ziplist-entries" not in values(cache, "default.redis7")
    assert "hash-max-listpack-entries" not in values(cache, "default.redis6.x")


def test_the_defaults_of_a_family_come_with_what_the_node_type_decides(cache):
    defaults = cache.describe_engine_default_parameters(CacheParameterGroupFamily="memcached1.6")["EngineDefaults"]

    assert defaults["CacheParameterGroupFamily"] == "memcached1.6"
    by_type = {p["ParameterName"]: p for p in defaults["CacheNodeTypeSpecificParameters"]}
    micro = {"CacheNodeType": "cache.t3.micro", "Value": "512"}
    assert micro in by_type["max_cache_memory"]["CacheNodeTypeSpecificValues"]
    assert (
        code(cache.describe_engine_default_parameters, CacheParameterGroupFamily="mysql8") == "InvalidParameterValue"
    )


def test_a_family_of_defaults_comes_in_pages(cache):
    paginator = cache.get_paginator("describe_engine_default_parameters")
    pages = list(paginator.paginate(CacheParameterGroupFamily="redis7", PaginationConfig={"PageSize": 20}))

    assert len(pages) > 2
    names = [p["ParameterName"] for page in pages for p in page["EngineDefaults"]["Parameters"]]
    assert names == sorted(set(names))


def test_a_group_keeps_what_a_user_sets(cache, custom):
    put(cache, custom, maxmemory_policy="allkeys-lru", timeout="60")

    shown = cache.describe_cache_parameters(CacheParameterGroupName=custom, Source="user")["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"], p["Source"]) for p in shown] == [
        ("maxmemory-policy", "allkeys-lru", "user"),
        ("timeout", "60", "user"),
    ]
    assert "timeout" not in values(cache, custom, Source="system")
    assert values(cache, custom)["timeout"] == "60"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "maxmemory-policy",
            "often",
            "The parameter value often for maxmemory-policy is invalid. Allowed values: vol",
        ),
        ("timeout", "5", "The parameter value 5 for timeout is invalid. Allowed values: 0,20-."),
        ("timeout", "soon", "The parameter value soon for timeout is invalid."),
        ("no-such", "1", "The parameter no-such does not exist in family redis7."),
        ("maxclients", "10", "The parameter maxclients cannot be modified."),
        ("close-on-replica-write", "no", "Atoll does not support close-on-replica-write=no: "),
    ],
)
def test_a_value_that_cannot_be_is_refused(cache, custom, name, value, words):
    got, message = refusal(
        cache.modify_cache_parameter_group,
        CacheParameterGroupName=custom,
        ParameterNameValues=[{"ParameterName": name, "ParameterValue": value}],
    )

    assert got == "InvalidParameterValue"
    assert message.startswith(words)
    assert values(cache, custom, Source="user") == {}


def test_a_request_changes_at_most_20_parameters(cache, custom):
    pairs = [{"ParameterName": "timeout", "ParameterValue": str(n + 20)} for n in range(21)]

    assert refusal(cache.modify_cache_parameter_group, CacheParameterGroupName=custom, ParameterNameValues=pairs) == (
        "InvalidParameterCombination",
        "Cannot modify more than 20 parameters in a single request",
    )


def test_parameters_get_their_defaults_back(cache, custom):
    put(cache, custom, maxmemory_policy="allkeys-lru", timeout="60")

    cache.reset_cache_parameter_group(
        CacheParameterGroupName=custom, ParameterNameValues=[{"ParameterName": "timeout"}]
    )
    assert values(cache, custom, Source="user") == {"maxmemory-policy": "allkeys-lru"}
    cache.reset_cache_parameter_group(CacheParameterGroupName=custom, ResetAllParameters=True)
    assert values(cache, custom, Source="user") == {}
    assert code(cache.reset_cache_parameter_group, CacheParameterGroupName=custom) == "InvalidParameterValue"


def applied(cache, name="one"):
    found = cache.cluster(name)["CacheParameterGroup"]
    return found["ParameterApplyStatus"], found["CacheNodeIdsToReboot"]


def test_what_is_immediate_is_applied_to_running_nodes(cache, paper, custom):
    put(cache, custom, timeout="60")
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)
    (began,) = nodes(paper.world)
    assert ("timeout", "60") in began.settings
    assert applied(cache) == ("in-sync", [])

    put(cache, custom, timeout="90")

    assert applied(cache) == ("applying", [])
    (plan,) = nodes(paper.world)
    assert [(o.directive, o.value) for o in plan.tuning.orders] == [("timeout", "90")]
    tune(paper)
    assert applied(cache) == ("in-sync", [])
    (plan,) = nodes(paper.world)
    assert (plan.process, plan.tuning) == (began.process, None)
    assert ("timeout", "90") in plan.settings


def test_what_requires_a_reboot_waits_for_one(cache, paper, custom):
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)

    put(cache, custom, databases="20", timeout="90")
    tune(paper)

    assert applied(cache) == ("pending-reboot", ["0001"])
    settings = nodes(paper.world)[0].settings
    assert ("databases", "16") in settings
    assert ("timeout", "90") in settings
    cache.reboot_cache_cluster(CacheClusterId="one", CacheNodeIdsToReboot=["0001"])
    assert ("databases", "20") in nodes(paper.world)[0].settings
    settle(paper)
    assert applied(cache) == ("in-sync", [])


def test_a_node_that_is_started_again_has_its_groups_newest_values(cache, paper, custom):
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)
    put(cache, custom, databases="20")
    (plan,) = nodes(paper.world)

    paper.write(lambda tx: transitions.node_silent(tx, plan.cluster_id, plan.node_id))

    assert ("databases", "20") in nodes(paper.world)[0].settings
    assert applied(cache) == ("in-sync", [])


def test_a_change_that_is_taken_back_needs_no_reboot(cache, paper, custom):
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)
    put(cache, custom, databases="20")
    assert applied(cache) == ("pending-reboot", ["0001"])

    cache.reset_cache_parameter_group(CacheParameterGroupName=custom, ResetAllParameters=True)

    assert applied(cache) == ("in-sync", [])


def test_a_default_that_a_user_has_set_is_the_users_and_changes_nothing(cache, paper, custom):
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)
    (before,) = nodes(paper.world)

    put(cache, custom, maxmemory_policy="volatile-lru", databases="16")

    said = {"maxmemory-policy": "volatile-lru", "databases": "16"}
    assert values(cache, custom, Source="user") == said, "else Terraform wants to set it again each time"
    assert applied(cache) == ("in-sync", [])
    assert nodes(paper.world) == (before,)
    cache.redis("two", CacheParameterGroupName=custom)
    settle(paper)
    assert applied(cache, "two") == ("in-sync", [])
    cache.reboot_cache_cluster(CacheClusterId="one", CacheNodeIdsToReboot=["0001"])
    settle(paper)
    tune(paper)
    assert applied(cache) == ("in-sync", [])
    cache.reset_cache_parameter_group(CacheParameterGroupName=custom, ResetAllParameters=True)
    assert values(cache, custom, Source="user") == {}
    assert applied(cache) == ("in-sync", [])


def test_a_new_node_waits_for_no_reboot_because_of_a_default_that_a_user_has_set(cache, paper):
    cache.create_cache_parameter_group(
        CacheParameterGroupName="chunks", CacheParameterGroupFamily="memcached1.6", Description="mine"
    )
    default = [{"ParameterName": "chunk_size", "ParameterValue": "48"}]
    cache.modify_cache_parameter_group(CacheParameterGroupName="chunks", ParameterNameValues=default)
    cache.memcached("mem", CacheParameterGroupName="chunks")
    settle(paper)

    cache.modify_cache_cluster(CacheClusterId="mem", NumCacheNodes=3, ApplyImmediately=True)
    settle(paper)
    tune(paper)

    assert cache.cluster("mem")["NumCacheNodes"] == 3
    assert applied(cache, "mem") == ("in-sync", [])


def test_a_reset_is_applied_as_a_change_is(cache, paper, custom):
    put(cache, custom, maxmemory_policy="allkeys-lru")
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)

    cache.reset_cache_parameter_group(CacheParameterGroupName=custom, ResetAllParameters=True)

    assert applied(cache) == ("applying", [])
    tune(paper)
    assert applied(cache) == ("in-sync", [])
    assert ("maxmemory-policy", "volatile-lru") in nodes(paper.world)[0].settings


def test_another_group_is_applied_as_far_as_that_needs_no_reboot(cache, paper, custom):
    put(cache, custom, timeout="60", databases="20")
    cache.redis()
    settle(paper)

    changed = cache.modify_cache_cluster(CacheClusterId="one", CacheParameterGroupName=custom)["CacheCluster"]

    assert changed["CacheParameterGroup"] == {
        "CacheParameterGroupName": custom,
        "ParameterApplyStatus": "applying",
        "CacheNodeIdsToReboot": [],
    }
    tune(paper)
    assert applied(cache) == ("pending-reboot", ["0001"])
    cache.modify_cache_cluster(CacheClusterId="one", CacheParameterGroupName="default.redis7")
    assert applied(cache) == ("applying", [])
    tune(paper)
    assert applied(cache) == ("in-sync", [])


def test_a_replication_groups_members_all_take_another_group(cache, paper):
    cache.create_cache_parameter_group(
        CacheParameterGroupName="v", CacheParameterGroupFamily="valkey9", Description="mine"
    )
    put(cache, "v", timeout="60")
    cache.group()
    settle(paper)

    cache.modify_replication_group(ReplicationGroupId="rg", CacheParameterGroupName="v")

    assert [applied(cache, name)[0] for name in ("rg-001", "rg-002")] == ["applying"] * 2
    tune(paper)
    assert [applied(cache, name)[0] for name in ("rg-001", "rg-002")] == ["in-sync"] * 2


def test_nothing_of_memcached_changes_without_a_reboot(cache, paper):
    cache.create_cache_parameter_group(
        CacheParameterGroupName="m", CacheParameterGroupFamily="memcached1.6", Description="mine"
    )
    cache.memcached(count=2, CacheParameterGroupName="m")
    settle(paper)

    pair = {"ParameterName": "idle_timeout", "ParameterValue": "60"}
    cache.modify_cache_parameter_group(CacheParameterGroupName="m", ParameterNameValues=[pair])

    assert applied(cache, "mem") == ("pending-reboot", ["0001", "0002"])
    assert [plan.tuning for plan in nodes(paper.world)] == [None, None]
    cache.reboot_cache_cluster(CacheClusterId="mem", CacheNodeIdsToReboot=["0002"])
    settle(paper)
    assert applied(cache, "mem") == ("pending-reboot", ["0001"])


def test_what_an_engine_refuses_is_told_once_and_keeps_nothing_else_back(cache, paper, custom):
    cache.redis(CacheParameterGroupName=custom)
    settle(paper)
    put(cache, custom, maxmemory_policy="allkeys-lru", timeout="60")

    for _ in range(2):
        tune(paper, maxmemory_policy="ERR no")

    assert applied(cache) == ("applying", [])
    settings = nodes(paper.world)[0].settings
    assert ("maxmemory-policy", "volatile-lru") in settings
    assert ("timeout", "60") in settings
    told = "Cache node 0001 did not take parameters of its group: maxmemory-policy: ERR no"
    assert cache.told("one", "cache-cluster").count(told) == 1
    (shown,) = status(paper.world)["caches"]
    assert shown["nodes"][0]["host_error"] == "it does not take maxmemory-policy: ERR no"
    cache.reboot_cache_cluster(CacheClusterId="one", CacheNodeIdsToReboot=["0001"])
    assert ("maxmemory-policy", "volatile-lru") in nodes(paper.world)[0].settings, "with the other it would not start"
    settle(paper)
    put(cache, custom, maxmemory_policy="noeviction")
    tune(paper)
    assert applied(cache) == ("in-sync", [])
    (shown,) = status(paper.world)["caches"]
    assert shown["nodes"][0]["host_error"] is None


def test_a_group_in_use_is_not_deleted(cache, custom):
    cache.redis(CacheParameterGroupName=custom)

    assert refusal(cache.delete_cache_parameter_group, CacheParameterGroupName=custom) == (
        "InvalidCacheParameterGroupState",
        "One or more cache clusters are still members of this parameter group custom, "
        "so the group cannot be deleted.",
    )


def test_a_deleted_group_is_gone(cache, custom):
    cache.delete_cache_parameter_group(CacheParameterGroupName=custom)

    assert refusal(cache.describe_cache_parameters, CacheParameterGroupName=custom) == (
        "CacheParameterGroupNotFound",
        "CacheParameterGroup not found: custom",
    )


def test_the_default_groups_do_not_change(cache):
    default = {"CacheParameterGroupName": "default.redis7"}
    pair = [{"ParameterName": "timeout", "ParameterValue": "60"}]

    assert code(cache.modify_cache_parameter_group, **default, ParameterNameValues=pair) == (
        "InvalidCacheParameterGroupState"
    )
    assert code(cache.reset_cache_parameter_group, **default, ResetAllParameters=True) == (
        "InvalidCacheParameterGroupState"
    )
    assert code(cache.delete_cache_parameter_group, **default) == "InvalidCacheParameterGroupState"


@pytest.mark.parametrize(
    ("name", "family", "expected"),
    [
        ("custom", "redis7", "CacheParameterGroupAlreadyExists"),
        ("default.redis7", "redis7", "InvalidParameterValue"),
        ("9", "redis7", "InvalidParameterValue"),
        ("other", "redis99", "InvalidParameterValue"),
    ],
)
def test_a_group_that_cannot_be_is_refused(cache, custom, name, family, expected):
    assert custom == "custom"
    assert (
        code(
            cache.create_cache_parameter_group,
            CacheParameterGroupName=name,
            CacheParameterGroupFamily=family,
            Description="",
        )
        == expected
    )
