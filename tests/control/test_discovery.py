"""The loop that has nodes tell clients of their cluster."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from atoll.cache.node import NodePlan
from atoll.control.discovery import Discovery
from atoll.host.contract import HostError

FIRST = NodePlan(
    name="mem:0001", cluster_id="mem", node_id="0001", interface_id="eni-1", vpc_id="vpc-1", engine="memcached",
    version="1.6.18", boot=1, address=IPv4Address("10.0.1.1"), port=11211, memory_bytes=1, discovery=b"1\na|1|1\n",
)  # fmt: skip
SECOND = replace(FIRST, name="mem:0002", node_id="0002")


class Room:
    """The loop, with a host and a recorder that write down what they are told."""

    def __init__(self, *nodes):
        self.ended = set()  # processes
        self.want = {node.process: node for node in nodes}
        self.silent, self.asked, self.recorded = set(), [], []
        self.loop = Discovery(lambda: self.want, self, self)

    def vital(self, name):
        return None if name in self.ended else name

    async def announce(self, node):
        self.asked.append((node.node_id, node.discovery))
        await asyncio.sleep(0)
        if node.node_id in self.silent:
            raise HostError("no answer")

    def announced(self, cluster_id, version):
        self.recorded.append((cluster_id, version))

    def become(self, discovery):
        self.want = {name: replace(node, discovery=discovery) for name, node in self.want.items()}
        self.loop.wake()

    async def until(self, true):
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110  (somebody else changes it)
                await asyncio.sleep(0.001)


@pytest.fixture
def during():
    """Run a coroutine function while the loop of a room runs."""

    def run(room, body):
        async def both():
            task = asyncio.create_task(room.loop.run())
            try:
                await body()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(both())

    return run


def test_a_change_is_written_down_when_every_node_tells_it(during):
    room = Room(FIRST, SECOND)

    async def body():
        room.loop.wake()
        await room.until(lambda: room.recorded)
        assert room.recorded == [("mem", 1)]
        assert sorted(room.asked) == [("0001", FIRST.discovery), ("0002", FIRST.discovery)]

        room.become(b"2\na|1|1\n")
        await room.until(lambda: len(room.recorded) > 1)
        assert room.recorded[1] == ("mem", 2)
        assert sorted(room.asked[2:4]) == [("0001", b"2\na|1|1\n"), ("0002", b"2\na|1|1\n")]

    during(room, body)


def test_a_silent_node_holds_up_nobody_and_is_asked_again(during):
    room = Room(FIRST, SECOND)
    room.silent = {"0002"}

    async def body():
        room.loop.wake()
        await room.until(lambda: room.recorded)
        asked = len(room.asked)
        room.silent = set()
        await room.until(lambda: ("0002", FIRST.discovery) in room.asked[asked:])

    during(room, body)


def test_nobody_is_spoken_to_at_the_port_of_a_node_that_has_ended(during):
    room = Room(FIRST, SECOND)
    room.ended = {SECOND.process}

    async def body():
        room.loop.wake()
        await room.until(lambda: room.recorded)
        assert room.asked == [("0001", FIRST.discovery)]
        room.ended = set()
        await room.until(lambda: ("0002", FIRST.discovery) in room.asked)

    during(room, body)


def test_news_that_come_meanwhile_are_not_missed(during):
    room = Room(FIRST)

    async def body():
        room.loop.wake()
        await room.until(lambda: room.asked)
        room.become(b"2\n\n")
        await room.until(lambda: ("mem", 2) in room.recorded)

    during(room, body)


def test_clusters_that_do_not_answer_do_not_wake_each_other(during):
    other = replace(SECOND, name="other:0001", cluster_id="other")
    room = Room(FIRST)
    room.silent = {FIRST.node_id, other.node_id}

    async def body():
        room.loop.wake()
        while not room.asked:  # noqa: ASYNC110  (in the very turn of the loop)
            await asyncio.sleep(0)
        room.want = {one.process: one for one in (FIRST, other)}
        room.loop.wake()  # while the first one is being asked
        await asyncio.sleep(0.3)
        assert 3 <= len(room.asked) <= 6, "the first one twice, the other one, and perhaps all by the clock"

    during(room, body)
