"""Slots move between real engines on loopback: with all their keys, under load, and broken off anywhere."""

import asyncio
import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from atoll.cache.shards import slot_of
from atoll.host.contract import HostError
from atoll.host.engine.slot_mover import SlotMover, is_atomic
from tests.cache.test_real_engines import redis_program, valkey_program
from tests.host.ring import PASSWORD, Ring

pytestmark = pytest.mark.engines

OWNED = (((0, 8191),), ((8192, 16383),), ())
GOING = ((7000, 8191),)


@pytest.fixture(scope="module", params=["valkey", "redis"])
def engines(request):
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:  # they fsync
        program = {"redis": redis_program, "valkey": valkey_program}[request.param](Path(place))
        if program is None:
            pytest.skip(f"NOT TESTED: no {request.param}-server on this machine")
        said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"v=([0-9.]+)", said)[1]
        ring = Ring(Path(place), request.param, version, str(program), OWNED, replicas=1)
        yield ring
        ring.close()


@pytest.fixture
def ring(engines):
    """Give the engines without a key, and with their slots as in the beginning."""
    if moved := topology(engines, 2).myself.slots:
        migrate(engines, source=2, target=0, going=moved)
    for node in engines.nodes[:3]:
        engines.ask(node, "FLUSHALL")
    return engines


def client(ring):
    """Connect as applications do: with the client library of the engine."""
    if ring.nodes[0].engine == "valkey":
        from valkey import ValkeyCluster

        return ValkeyCluster("127.0.0.1", ring.nodes[1].port)
    from redis import RedisCluster

    return RedisCluster("127.0.0.1", ring.nodes[1].port)


class Writers:
    """Write numbered records, and remember which were acknowledged."""

    def __init__(self, ring, count=2):
        self.acks, self.errors, self._stop = [], [], threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(client(ring), n)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _write(self, link, writer):
        record = 0
        while not self._stop.is_set():
            record += 1
            key = f"record:{writer}:{record}"
            try:
                link.set(key, record)
                self.acks.append((key, record))
            except Exception as error:
                self.errors.append(repr(error))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def migrate(ring, source=0, target=2, going=GOING, seconds=30.0):
    """Move slots; None as `seconds`: to the end."""
    nodes = ring.nodes

    async def run():
        async with asyncio.timeout(seconds):
            await SlotMover(PASSWORD, ring.socket).move(nodes[source], nodes[target], going, nodes[:3])

    asyncio.run(run())


def topology(ring, number):
    return asyncio.run(SlotMover(PASSWORD, ring.socket).topology(ring.nodes[number]))


def owners_agree(ring):
    """Wait until every node says the same, and return who has what, by number."""
    end = time.monotonic() + 10.0
    while True:
        views = []
        for n in range(len(ring.nodes)):
            said = topology(ring, n)
            views.append([found.slots if (found := said.find(node.id)) else None for node in ring.nodes])
        if all(view == views[0] for view in views):
            return views[0]
        assert time.monotonic() < end, views
        time.sleep(0.02)


def missing(ring, records):
    with client(ring) as link:
        return [key for key, value in records if link.get(key) != str(value).encode()]


def test_slots_go_with_their_keys_while_clients_write(ring):
    with client(ring) as link:
        kept = [(f"kept:{n}", n) for n in range(2000)]
        for key, value in kept:
            link.set(key, value)
        link.set(b"\xff\x00 any bytes \r\n", "1")
    writers = Writers(ring)
    time.sleep(0.2)

    migrate(ring)

    writers.stop()
    assert writers.errors == []
    assert missing(ring, [*kept, *writers.acks, (b"\xff\x00 any bytes \r\n", 1)]) == []
    assert owners_agree(ring)[:3] == [((0, 6999),), ((8192, 16383),), GOING]
    held = [key for key, _ in kept if 7000 <= slot_of(key.encode()) < 8192]
    assert topology(ring, 0).myself.migrating == topology(ring, 2).myself.importing == {}
    assert held


@pytest.mark.parametrize("seconds", [0.03])
def test_a_migration_that_was_broken_off_is_finished_by_the_next(ring, seconds):
    with client(ring) as link:
        kept = [(f"kept:{n}", n) for n in range(2000)]
        for key, value in kept:
            link.set(key, value)
    broken = False
    while not broken:  # a fast machine may be done before
        try:
            migrate(ring, seconds=seconds)
            migrate(ring, source=2, target=0)
            seconds /= 2
        except (HostError, TimeoutError):
            broken = True

    migrate(ring)

    assert missing(ring, kept) == []
    assert owners_agree(ring)[:3] == [((0, 6999),), ((8192, 16383),), GOING]
    assert topology(ring, 0).myself.migrating == topology(ring, 2).myself.importing == {}


def test_a_target_that_forgot_whose_its_slots_were_while_it_imports_them_is_told(ring):
    """So it is when their primary is lost, forgotten, and has a successor: what is imported is no news to gossip."""
    if is_atomic(ring.nodes[0]):
        pytest.skip("a whole migration imports nothing slot by slot")
    source, target = ring.nodes[0], ring.nodes[2]
    key = next(k for k in (f"key:{n}" for n in range(100_000)) if 8000 <= slot_of(k.encode()) <= 8191)
    ring.ask(source, "SET", key, "1")
    ring.ask(target, "CLUSTER", "SETSLOT", slot_of(key.encode()), "IMPORTING", topology(ring, 0).myself.id)
    ring.ask(target, "CLUSTER", "DELSLOTS", slot_of(key.encode()))

    migrate(ring, going=((8000, 8191),))

    assert ring.ask(target, "GET", key) in ("1", b"1")


def test_slots_that_are_there_already_are_no_mistake(ring):
    migrate(ring, going=((8000, 8191),))

    migrate(ring, going=((8000, 8191),))

    assert owners_agree(ring)[2] == ((8000, 8191),)


def test_slots_that_are_nobody_s_of_the_two_are_refused_by_older_engines(ring):
    if is_atomic(ring.nodes[0]):
        pytest.skip("a whole migration moves what the source has")

    with pytest.raises(HostError, match="belong to neither"):
        migrate(ring, going=((9000, 9001),))


def test_a_target_that_is_gone_is_told_of(ring):
    ring.kill(ring.nodes[2])

    with pytest.raises(HostError, match="move slots 7000-8191 from n0 to n2"):
        migrate(ring)
