"""Terraform against the real daemon: every kind of cache is changed in place.  See `conftest.py`."""

import os

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="four runs of Terraform; what they see is the same as an ordinary user")
@pytest.mark.timeout(900)
def test_every_kind_of_cache_is_applied_changed_in_place_and_destroyed(stage, configured):
    terraform = configured("caches.tf")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")
    output = {name: terraform("output", "-raw", name) for name in ("configuration", "serverless", "discovery")}
    assert output["configuration"].startswith("clustercfg.sharded.")
    assert ".serverless." in output["serverless"]
    assert ".cfg." in output["discovery"]
    (group,) = stage.cache.describe_replication_groups(ReplicationGroupId="sharded")["ReplicationGroups"]
    assert len(group["NodeGroups"]) == 2
    assert group["UserGroupIds"] == ["team"]

    changed = ("-var=policy=volatile-lfu", "-var=nodes=3")
    terraform("apply", "-auto-approve", *changed)
    terraform("plan", "-detailed-exitcode", *changed)
    (cluster,) = stage.cache.describe_cache_clusters(CacheClusterId="memcached")["CacheClusters"]
    assert cluster["NumCacheNodes"] == 3

    terraform("destroy", "-auto-approve", *changed)
    assert stage.cache.describe_replication_groups()["ReplicationGroups"] == []
    assert stage.cache.describe_serverless_caches()["ServerlessCaches"] == []
    assert [u["UserId"] for u in stage.cache.describe_users()["Users"]] == ["default"]
