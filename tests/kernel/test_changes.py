"""What was open before a change goes on or ends as AWS documents it: real TCP connections on random worlds."""

import errno
import os
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from atoll.model.world import World
from atoll.network.flow import TCP
from tests.kernel.ground import Ground, lay_ground, soon
from tests.kernel.test_differential import Kernel, family_of
from tests.network.changes import change, goes_on, open_flows
from tests.network.compare import booted, packet_of
from tests.network.worlds import Probe, random_probes, random_world

pytestmark = pytest.mark.kernel
WORLDS, PROBES = 12, 80
SENT_SECONDS, AGAIN_SECONDS = 0.4, 2.5  # for an answer; and longer than a lost packet takes to be sent again
UNACKNOWLEDGED_AT = 24  # in struct tcp_info: tcpi_unacked


@pytest.fixture
def ground() -> Iterator[Ground]:
    yield from lay_ground()


class Flows:
    """TCP connections, each from its probe's own port; nobody reads, but the other kernel acknowledges."""

    def __init__(self, ground: Ground, world: World, probes: dict[int, Probe]) -> None:
        self.sockets: dict[int, socket.socket] = {}
        for n, probe in probes.items():
            place = ground.place(str(probe.sender))
            sock = ground.fabric.socket_in(place, family_of(str(probe.destination)), socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.bind((str(packet_of(world, probe).source), int(probe.options["source_port"])))  # type: ignore[call-overload]
            assert sock.connect_ex((str(probe.destination), probe.port)) in (0, errno.EINPROGRESS)
            self.sockets[n] = sock

    def opened(self) -> set[int]:
        """Return those that are connected, after a while."""
        soon(lambda: all(is_connected(sock) for sock in self.sockets.values()))
        return {n for n, sock in self.sockets.items() if is_connected(sock)}

    def say(self) -> None:
        for sock in self.sockets.values():
            sock.send(b"x")

    def heard(self) -> set[int]:
        """Return those whose words have all been acknowledged."""
        return {n for n, sock in self.sockets.items() if not unacknowledged(sock)}

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()


def is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def unacknowledged(sock: socket.socket) -> int:
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
    count: int = struct.unpack_from("=I", told, UNACKNOWLEDGED_AT)[0]
    return count


def compare_changes(ground: Ground, seed: int) -> tuple[int, int, list[str]]:
    """Open flows, change something under them; returns how many went on, how many ended, and the differences."""
    dice = random.Random(seed)
    world = booted(random_world(dice))
    probes = random_probes(world, dice, PROBES)
    flows = {
        n: (probe, trace)
        for n, (probe, trace) in open_flows(world, probes).items()
        if probe.protocol == TCP and not str(trace.receiver).startswith("vpc-")  # nobody listens there in a test
    }
    changed = change(world, dice, flows)
    if changed is None:
        return 0, 0, []
    after, what = changed
    ground.apply(world)
    kernel = Kernel(ground, world)
    tried = Flows(ground, world, {n: probe for n, (probe, _) in flows.items()})
    try:
        wrong = [f"{flows[n][0]} was not open" for n in flows.keys() - tried.opened()]
        if wrong:
            return 0, 0, wrong
        ground.apply(after)
        expected = {n for n, (probe, _) in flows.items() if goes_on(world, after, probe)}
        tried.say()
        time.sleep(SENT_SECONDS)
        if tried.heard() != expected:
            time.sleep(AGAIN_SECONDS)
        heard = tried.heard()
    finally:
        tried.close()
        kernel.close()
    wrong = [f"{what}\n  {flows[n][0]} {'goes on' if n in heard else 'ends'}" for n in heard ^ expected]
    return len(expected), len(flows) - len(expected), wrong


@pytest.mark.parametrize("seed", range(int(os.environ.get("ATOLL_WORLDS", WORLDS))))
def test_open_connections_fare_as_the_documents_say(ground: Ground, seed: int) -> None:
    went_on, ended, wrong = compare_changes(ground, seed)
    print(f"seed {seed}: {went_on} went on, {ended} ended")
    assert not wrong, "\n".join(wrong[:3])
