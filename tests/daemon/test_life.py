"""The life of the daemon: up, health, reset, stop, purge."""

import pytest

from tests.daemon.atoll import running

HEALTH = ("/_atoll/health", "/_localstack/health", "/_ministack/health", "/health")


@pytest.mark.parametrize("mode", ["paper", pytest.param("root", marks=pytest.mark.kernel),
                                  pytest.param("rootless", marks=pytest.mark.kernel)])  # fmt: skip
def test_it_starts_says_where_and_leaves_nothing(mode):
    with running(mode) as atoll:
        assert [atoll.get(path)["status"] for path in HEALTH] == ["running"] * 4
        assert atoll.status()["mode"] == mode
        assert atoll.client("ec2").describe_vpcs()["Vpcs"][0]["IsDefault"]
