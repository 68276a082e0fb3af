"""A global datastore whose groups speak TLS with their clients: the backbone leads past the terminators."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.worldwide.test_global import FAR, NEAR, Globe

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


class Encrypted(Globe):
    """The same, with in-transit encryption."""

    more: Mapping[str, Any] = {"TransitEncryptionEnabled": True}

    def redis(self, region, *words):
        return self.inside(region, f"redis-cli --tls -h {self.endpoint(region)} {' '.join(words)}")


def test_a_secondary_has_the_encryption_of_its_datastore_and_copies_over_the_backbone():
    with running(own_mode()) as atoll:
        builds = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if "valkey" not in {build["Engine"] for build in builds}:
            pytest.skip("NOT TESTED: no valkey on this machine")
        globe = Encrypted(atoll)

        assert globe.group(FAR)["TransitEncryptionEnabled"]
        assert globe.datastore()["TransitEncryptionEnabled"]
        globe.redis(NEAR, "SET", "kept", "yes")
        globe.copied("kept", "yes")
        plain = globe.inside(FAR, f"redis-cli -h {globe.endpoint(FAR)} GET kept", ok=False)
        assert "yes" not in plain
        globe.fail_over(FAR)
        until(lambda: globe.roles()[FAR] == "PRIMARY", 30.0, "another primary")
        globe.whole()
        globe.redis(FAR, "SET", "later", "yes")
        globe.copied("later", "yes")


class Sharded(Encrypted):
    """With two shards of Redis OSS, whose nodes tell their clients names."""

    engine = "redis"
    size: Mapping[str, Any] = {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1, "ClusterMode": "enabled"}

    def endpoint(self, region):
        return self.group(region)["ConfigurationEndpoint"]["Address"]

    def redis(self, region, *words):
        at = self.endpoint(region)
        return self.inside(region, f"redis-cli -c --tls -h {at} {' '.join(words)}", ok=False)


def test_each_shard_of_a_secondary_copies_over_the_backbone_whatever_its_clients_speak():
    with running(own_mode()) as atoll:
        globe = Sharded(atoll)
        globe.redis(NEAR, "SET", "{a}", "1")  # of one shard
        globe.redis(NEAR, "SET", "{b}", "2")  # of the other
        globe.copied("{a}", "1")
        globe.copied("{b}", "2")
        assert "READONLY" in globe.redis(FAR, "SET", "{b}", "3")

        globe.fail_over(FAR)
        globe.whole()

        assert globe.roles()[FAR] == "PRIMARY"
        assert globe.redis(FAR, "SET", "{b}", "3") == "OK"
        globe.copied("{b}", "3")
        globe.copied("{a}", "1")
        assert "READONLY" in globe.redis(NEAR, "SET", "{a}", "4")
