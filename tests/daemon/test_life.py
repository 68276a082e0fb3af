"""The life of the daemon: up, health, reset, stop, purge."""

import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from atoll.cli import up
from tests.daemon.atoll import Atoll, running, until
from tests.daemon.stage import Stage

HEALTH = ("/_atoll/health", "/_localstack/health", "/_ministack/health", "/health")
KERNEL = [pytest.mark.kernel, pytest.mark.engines]


@pytest.mark.parametrize("mode", ["paper", pytest.param("root", marks=pytest.mark.kernel),
                                  pytest.param("rootless", marks=pytest.mark.kernel)])  # fmt: skip
def test_it_starts_says_where_and_leaves_nothing(mode):
    with running(mode) as atoll:
        assert [atoll.get(path)["status"] for path in HEALTH] == ["running"] * 4
        assert atoll.status()["mode"] == mode
        assert atoll.client("ec2").describe_vpcs()["Vpcs"][0]["IsDefault"]


def test_a_reset_on_paper_brings_back_the_default_vpc_and_nothing_else(paper):
    ec2 = paper.client("ec2")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    paper.reset()
    assert [vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [True]


@pytest.mark.kernel
@pytest.mark.parametrize("mode", ["root"])
def test_what_a_daemon_leaves_that_dies_while_it_ends_everything_is_removed_too(mode, monkeypatch, capsys):
    with running(mode) as atoll:
        atoll.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        monkeypatch.setenv("ATOLL_ENDPOINT", atoll.url)

        def die(*_, **__):
            atoll.daemon.kill()
            atoll.daemon.wait()

        monkeypatch.setattr(up.private, "post", die)
        up.down(purge=True, meant=None)

        assert "Nothing is left" in capsys.readouterr().out
        until(lambda: not atoll.leftovers(), 15, "nothing left")


@pytest.mark.kernel
@pytest.mark.engines
def test_a_reset_takes_less_than_a_second_and_leaves_the_kernel_empty(atoll):
    stage = Stage(atoll)
    stopped = stage.run()
    stage.ec2.stop_instances(InstanceIds=[stopped])
    stage.state(stopped, "stopped", 40)
    for number in range(8):
        stage.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
    stage.cluster("more", "memcached", 3)
    stage.settled()
    pids = stage.pids()
    assert len(pids) == 9

    took = atoll.reset()

    print(f"a reset of {len(pids)} machines took {took * 1e3:.0f} ms")
    assert took < 1.0
    assert not [pid for pid in pids.values() if os.path.exists(f"/proc/{pid}")]
    assert held(atoll) <= {"internet"}
    until(lambda: disks(atoll) == [], 5, "the end of all disks")
    assert [vpc["IsDefault"] for vpc in stage.ec2.describe_vpcs()["Vpcs"]] == [True]
    stage.cluster("mem", "memcached", 1)
    stage.settled()


def held(atoll: Atoll) -> set[str]:
    """Return the names of the network namespaces that the keeper holds."""
    status = atoll.status()
    lines = Path(f"/proc/{status['keeper']}/mountinfo").read_text().splitlines()
    paths = (line.split()[4] for line in lines)
    return {path.rpartition("/")[2] for path in paths if path.startswith(status["namespaces"] + "/")}


def disks(atoll: Atoll) -> list[Path]:
    return [*(atoll.state / "instances").glob("*"), *(atoll.run_dir / "nodes").glob("*")]


@pytest.mark.kernel
@pytest.mark.engines
def test_what_runs_goes_on_when_the_daemon_is_told_to_end(atoll):
    stage = Stage(atoll)
    pids = stage.pids()
    begun = time.perf_counter()
    assert atoll.stop() == 0
    assert time.perf_counter() - begun < 3
    assert all(os.path.exists(f"/proc/{pid}") for pid in pids.values())
    atoll.up()
    assert stage.pids() == pids


@pytest.mark.kernel
@pytest.mark.engines
def test_the_daemon_ends_at_once_while_an_instance_takes_its_time_to_stop(atoll):
    stage = Stage(atoll)
    atoll.inside(stage.instance, "trap '' TERM HUP; (while :; do sleep 1; done) >/dev/null 2>&1 &")
    stage.ec2.stop_instances(InstanceIds=[stage.instance])
    begun = time.perf_counter()
    assert atoll.stop() == 0
    assert time.perf_counter() - begun < 3
    atoll.up()
    stage.state(stage.instance, "stopped", 45)


@pytest.mark.kernel
def test_nothing_that_others_could_use_lies_about(atoll):
    atoll.client("ec2").describe_vpcs()
    for path in (atoll.state, atoll.run_dir):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


@pytest.mark.parametrize("damage", ["not a database", "newer"])
def test_a_store_that_cannot_be_read_is_left_alone_and_said(damage):
    with running("paper") as atoll:
        atoll.stop()
        store = atoll.state / "atoll.db"
        if damage == "newer":
            with sqlite3.connect(store) as db:
                db.execute("pragma user_version = 999")
            db.close()
        else:
            store.write_bytes(b"this is no database, " * 100)
        before = store.read_bytes()
        said = atoll.up(expect=False)
        assert "Traceback" not in said
        assert ("newer Atoll" if damage == "newer" else "cannot open the store") in said
        assert store.read_bytes() == before


@pytest.mark.kernel
def test_a_daemon_that_cannot_read_its_store_leaves_no_keeper():
    with running(started=False) as atoll:
        atoll.state.mkdir(mode=0o700)
        if atoll.uid is not None:
            os.chown(atoll.state, atoll.uid, atoll.uid)
        (atoll.state / "atoll.db").write_bytes(b"this is no database, " * 100)
        assert "cannot open the store" in atoll.up(expect=False)
        until(lambda: [left for left in atoll.leftovers() if "state" not in left] == [], 5)
        shutil.rmtree(atoll.state)


def test_a_reset_of_an_account_leaves_all_others_as_they_were(paper):
    kept, gone = ({"account": f"{number:012}"} for number in (1, 2))
    for whose in (kept, gone):
        cache = paper.client("elasticache", **whose)
        cache.create_serverless_cache(ServerlessCacheName="s", Engine="valkey")
        cache.create_cache_cluster(
            CacheClusterId="m", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro"
        )
    before = paper.get("/_atoll/status?account=000000000001")["caches"]

    paper.post("/_atoll/reset", {"accounts": ["000000000002"]})

    cache = paper.client("elasticache", **gone)
    assert cache.describe_cache_clusters()["CacheClusters"] == []
    assert cache.describe_serverless_caches()["ServerlessCaches"] == []
    cache.create_serverless_cache(ServerlessCacheName="s", Engine="valkey")  # nothing of the old one is in the way
    after = paper.get("/_atoll/status?account=000000000001")["caches"]
    assert [c["name"] for c in after] == [c["name"] for c in before]
    cache = paper.client("elasticache", **kept)
    assert [c["ServerlessCacheName"] for c in cache.describe_serverless_caches()["ServerlessCaches"]] == ["s"]


@pytest.mark.parametrize("accounts", [[], "000000000002", ["me"], [2]])
def test_a_reset_of_what_is_no_account_changes_nothing(paper, accounts):
    paper.client("ec2").create_key_pair(KeyName="k")

    with pytest.raises(AssertionError, match="have 12 digits"):
        paper.post("/_atoll/reset", {"accounts": accounts})

    assert len(paper.client("ec2").describe_key_pairs()["KeyPairs"]) == 1
