"""A world with real engines and machines in a file, and back: data, disks, roles, rules."""

import threading

import pytest
import redis
import redis.cluster

import atoll
from atoll.cli import snapshot

pytestmark = [pytest.mark.kernel, pytest.mark.engines, pytest.mark.timeout(300)]


@pytest.fixture
def world():
    with atoll.world() as made:
        yield made


def test_data_disks_and_rules_come_back(world, tmp_path):
    pair, shards, mem = world.cache(replicas=1), world.cache(shards=2, name="shards"), world.cache("memcached")
    app, file = world.instance(), tmp_path / "w.atoll"
    app.run("echo hello > /root/kept; ln -s kept /root/link; rm /etc/inputrc")
    app.run("rm -rf /home/ec2-user && mkdir /home/ec2-user")
    stop, acknowledged = threading.Event(), []
    with app.inside():
        cluster = redis.cluster.RedisCluster(*shards.endpoint)
        for number in range(50):
            cluster.set(f"key {number}", number)
        writing = threading.Thread(target=write, args=(pair, stop, acknowledged))
        writing.start()
        while len(acknowledged) < 100:
            stop.wait(0.01)
        begun = len(acknowledged)
        snapshot.save(file, whole=True, as_json=False)
        stop.set()
        writing.join()
        ended = len(acknowledged)
        redis.Redis(*pair.endpoint).flushall()
    app.run("rm /root/kept /root/link; echo changed > /root/.bashrc")
    group = pair.describe()["NodeGroups"][0]["NodeGroupMembers"]

    snapshot.load(file, replace=True, as_json=False)
    for it in (pair, shards, mem, app):
        it.wait()

    assert app.run("cat /root/link").output == "hello\n"
    assert app.run("ls /etc/inputrc", check=False).code != 0, "what was deleted is"
    assert app.run("ls -A /home/ec2-user").output == "", "and a directory that hides another does"
    assert "changed" not in app.run("cat /root/.bashrc").output
    app.close()
    with app.inside():
        first, second = (redis.Redis(*at) for at in (pair.endpoint, pair.reader))
        kept = int(first.get("n"))
        assert begun <= kept <= ended, "all of before, some of meanwhile"
        assert first.dbsize() - 1 in (kept, kept + 1), "a moment: the next record may be there, not yet counted"
        assert int(second.get("n")) == kept
        cluster = redis.cluster.RedisCluster(*shards.endpoint)
        assert [int(cluster.get(f"key {number}")) for number in range(50)] == list(range(50))
    assert len(pair.describe()["NodeGroups"][0]["NodeGroupMembers"]) == len(group)
    world.assert_reachable(app, pair)
    world.assert_blocked("198.51.100.27", pair)
    assert pair.failover().after != "valkey-001"


def write(cache, stop, acknowledged):
    client = redis.Redis(*cache.endpoint)
    while not stop.is_set():
        number = len(acknowledged) + 1
        client.set(f"record {number}", "x")
        client.set("n", number)
        acknowledged.append(number)


def test_without_data_caches_begin_empty_and_instances_fresh(world, tmp_path):
    cache, app, file = world.cache(), world.instance(), tmp_path / "w.atoll"
    app.run("echo hello > /root/kept")
    with app.inside():
        redis.Redis(*cache.endpoint).set("a", 1)

    snapshot.save(file, whole=False, as_json=False)
    world.daemon.post("/_atoll/reset")
    snapshot.load(file, replace=False, as_json=False)
    cache.wait()
    app.wait()

    assert app.run("ls /root/kept", check=False).code != 0
    app.close()
    with app.inside():
        assert redis.Redis(*cache.endpoint).dbsize() == 0
