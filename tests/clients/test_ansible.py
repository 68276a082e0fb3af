"""Ansible's community.aws modules for ElastiCache, against real nodes.  What it needs says `tests/ansible.py`."""

import os
from pathlib import Path

import pytest

from tests.ansible import INSTALL_SECONDS, RUN_SECONDS, need_ansible, play

BOOKS = Path(__file__).parent / "ansible"


@pytest.mark.skipif(os.geteuid() != 0, reason="three runs of Ansible; what they see is the same as an ordinary user")
@pytest.mark.timeout(3 * RUN_SECONDS + INSTALL_SECONDS)
def test_a_second_run_changes_nothing_and_absent_cleans_up(stage, tmp_path):
    need_ansible()

    first = play(BOOKS / "present.yml", stage.atoll.url, tmp_path)
    second = play(BOOKS / "present.yml", stage.atoll.url, tmp_path)
    clusters = stage.cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    last = play(BOOKS / "absent.yml", stage.atoll.url, tmp_path)

    assert first["changed"] == first["ok"] == 7
    assert second["changed"] == 0
    assert {(c["CacheClusterId"], c["CacheClusterStatus"], c["NumCacheNodes"]) for c in clusters} == {
        ("sessions", "available", 1),
        ("pages", "available", 2),
    }
    assert last["changed"] == 4
    assert stage.cache.describe_cache_clusters()["CacheClusters"] == []
