"""A backup that is taken while clients create, delete and write: what was acknowledged before it is in it, all of it
leads somewhere, and a disk that is full or a file that is garbled costs nobody anything."""

import itertools
import os
import random
import subprocess
import threading
import urllib.request
from contextlib import contextmanager

import pytest
import redis
from botocore.exceptions import ClientError

import atoll
from atoll.admin import snapshot as worlds
from atoll.cli import snapshot
from tests.daemon.atoll import running, until
from tests.daemon.test_trouble import fill, on_a_small_disk
from tests.store.references import dangling

pytestmark = pytest.mark.timeout(300)
CLIENTS = 6


class Crowd:
    """Clients that create things, delete every other one, and remember what was acknowledged."""

    def __init__(self, client, count=CLIENTS):
        self.kept, self.gone, self.wrong, self.rounds = set(), set(), [], [0] * count
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(client, n)) for n in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: min(self.rounds) >= 2 or self.wrong, 60, "clients at work")
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client, number):
        ec2, cache = client("ec2"), client("elasticache")
        for turn in itertools.count():
            if self._stop.is_set():
                return
            try:
                self._turn(ec2, cache, number, turn)
            except (ClientError, OSError) as error:
                self.wrong.append(str(error))
                return
            self.rounds[number] += 1

    def _turn(self, ec2, cache, number, turn):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="g", Description="x", VpcId=vpc)["GroupId"]
        eni = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
        name = f"p{number}-{turn}"
        cache.create_cache_subnet_group(
            CacheSubnetGroupName=name, CacheSubnetGroupDescription="x", SubnetIds=[subnet]
        )
        if turn % 2 == 0 and turn < 12:  # there is a quota of VPCs
            self.kept.add((vpc, subnet, group, eni, name))
            return
        self.gone.add(vpc)
        cache.delete_cache_subnet_group(CacheSubnetGroupName=name)
        ec2.delete_network_interface(NetworkInterfaceId=eni)
        ec2.delete_security_group(GroupId=group)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)


def world_of(url):
    with urllib.request.urlopen(f"{url}/_atoll/world") as answer:
        return worlds.read(answer.read())


def test_what_was_made_before_a_backup_is_in_it_and_everything_leads_somewhere():
    with running("paper") as daemon:
        file = daemon.place / "home" / "w.atoll"
        with Crowd(daemon.client) as crowd:
            for _ in range(3):
                before, gone = set(crowd.kept), set(crowd.gone) - {vpc for vpc, *_ in crowd.kept}
                turns = sum(crowd.rounds)
                daemon.cli("backup", str(file))
                until(lambda turns=turns: sum(crowd.rounds) > turns, 30, "a call meanwhile")
        assert crowd.wrong == []
        daemon.post("/_atoll/reset")

        daemon.cli("restore", str(file))

        world = world_of(daemon.url)
        assert dangling(world) == []
        known = {r.id for r in world} | {getattr(r, "name", "") for r in world}
        assert {id for made in before for id in made} <= known
        assert len(before) >= CLIENTS
        finished = gone & known
        assert len(finished) <= CLIENTS, "only those that were being deleted just then"
        assert daemon.client("ec2").create_vpc(CidrBlock="10.0.0.0/16"), "and it goes on"


@pytest.mark.kernel
@pytest.mark.engines
def test_records_that_were_acknowledged_before_a_backup_are_in_it(tmp_path):
    with atoll.world() as world:
        pair, shards, app = world.cache(replicas=1), world.cache(shards=2, name="shards"), world.instance()
        with app.inside(), writing(pair, redis.Redis) as one, writing(shards, redis.RedisCluster) as two:
            with Crowd(world.client, 2) as crowd:
                until(lambda: min(len(one), len(two)) > 200, 60, "records")
                begun = len(one), len(two)
                snapshot.save(tmp_path / "w.atoll", whole=True, as_json=False)
            assert crowd.wrong == []
        ended = len(one), len(two)

        snapshot.load(tmp_path / "w.atoll", replace=True, as_json=False)
        for it in (pair, shards, app):
            it.wait()

        app.close()
        with app.inside():
            for cache, kind, first, last in zip(
                (pair, shards), (redis.Redis, redis.RedisCluster), begun, ended, strict=True
            ):
                client = kind(*cache.endpoint)
                assert [n for n in range(first) if client.get(f"record {n}") != b"%d" % n] == []
                assert client.get(f"record {last + 1}") is None
        world.assert_reachable(app, pair)


@contextmanager
def writing(cache, kind):
    """Write records, one after another; what is yielded grows by each that was acknowledged."""
    stop, acknowledged = threading.Event(), []
    client = kind(*cache.endpoint)

    def write():
        for number in itertools.count():
            if stop.is_set():
                return
            client.set(f"record {number}", number)
            acknowledged.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


@pytest.mark.kernel
def test_a_disk_that_fills_while_a_backup_is_made_keeps_no_half_of_it():
    with on_a_small_disk(24, "paper") as daemon:
        daemon.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        daemon.cli("backup", str(daemon.place / "home" / "good.atoll"))
        good = (daemon.place / "home" / "good.atoll").read_bytes()
        with pytest.raises(OSError, match="No space"):
            fill(daemon.state / "filler")

        said = daemon.cli("backup", str(daemon.place / "home" / "good.atoll"), ok=False)

        assert "No space left" in said
        assert "nothing was changed" in said
        assert (daemon.place / "home" / "good.atoll").read_bytes() == good, "the last good one is kept"
        assert os.listdir(daemon.place / "home") == ["good.atoll"]
        assert os.listdir(daemon.state / "worlds") == []
        (daemon.state / "filler").unlink()
        daemon.cli("backup", str(daemon.place / "home" / "good.atoll"))


@pytest.mark.kernel
def test_a_full_disk_in_the_place_of_the_backup_keeps_no_half_of_it():
    if os.geteuid():
        pytest.skip("ONLY ROOT MAKES FILE SYSTEMS: bin/test as root covers a full disk")
    with running("paper") as daemon:
        daemon.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        place = daemon.place / "small"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "atoll-test", str(place)], check=True)
        try:
            said = daemon.cli("backup", str(place / "w.atoll"), ok=False)
            assert "cannot be written: No space left on device; nothing is left of it" in said
            assert os.listdir(place) == []
        finally:
            subprocess.run(["umount", str(place)], check=True)
        assert os.listdir(daemon.state / "worlds") == []


def test_a_garbled_backup_is_refused_or_whole_and_changes_nothing():
    """Bytes become others, anywhere in the file; or its end is lost."""
    rng = random.Random(8)
    with running("paper") as daemon:
        daemon.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        file = daemon.place / "home" / "w.atoll"
        daemon.cli("backup", str(file))
        good, refused = file.read_bytes(), 0
        for turn in range(40):
            size = rng.choice((1, 16, 512))
            at = rng.randrange(len(good))
            text = good[:at] if turn % 4 == 0 else good[:at] + rng.randbytes(size) + good[at + size :]
            before = daemon.get("/_atoll/history")[0]
            copy = daemon.post("/_atoll/worlds/place")["file"]
            with open(copy, "wb") as out:
                out.write(text)
            if because := refusal(daemon, os.path.basename(copy)):
                refused += 1
                assert " 409 " in because
                assert daemon.get("/_atoll/history")[0] == before, "nothing was changed"
                continue
            assert [v["CidrBlock"] for v in daemon.client("ec2").describe_vpcs()["Vpcs"]].count("10.0.0.0/16") == 1
        assert refused > 20
        assert len(os.listdir(daemon.state / "worlds")) <= 40 - refused, "a sweep removes what came with the others"
        assert "Traceback" not in daemon.said()


def refusal(daemon, name):
    """Load a file; returns why it is refused, or nothing."""
    try:
        daemon.post("/_atoll/worlds/load", {"name": name, "replace": True})
    except AssertionError as error:
        return str(error)
    return ""
