"""Random worlds through the relay's real sockets: it lets in whom the tracer lets in, now and after a change."""

import asyncio
import itertools
import random
import socket
from dataclasses import replace

import pytest

from atoll.host.flat.judge import SOURCE_PORTS, Judge
from atoll.host.flat.places import Place
from atoll.host.flat.relay import Relay
from atoll.network.flow import TCP, Verdict
from atoll.network.plan import compile
from atoll.network.trace import EPHEMERAL, trace
from tests.flat import socks
from tests.network.changes import change, goes_on, open_flows
from tests.network.compare import booted
from tests.network.worlds import random_probes, random_world

PROBES = 150
ASKED = 25  # of each world
LONG = 10.0  # for who is let in
SILENCE_SECONDS = 0.25  # nothing else runs in this loop: who is let in is let in within a millisecond
TOKEN = "token"


class Ground:
    """A relay over a world in which one echo server is behind every interface."""

    def __init__(self, world, ports=SOURCE_PORTS):
        self.world = world
        self.judge = Judge(lambda: self.world, ports)
        self.relay = Relay(self.judge, lambda _: (self.place, ""), lambda *_: (), lambda *where: where, TOKEN)

    async def __aenter__(self):
        echo = await asyncio.start_server(self._echo, "127.0.0.1", 0)
        host, port = echo.sockets[0].getsockname()
        self.place = Place(host, port)
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.at = dict(zip(("host", "port"), sock.getsockname(), strict=True), password=TOKEN)
        self.echo = echo
        await self.relay.serve(sock)
        self.obey()
        return self

    async def __aexit__(self, *_):
        self.relay.close()
        self.echo.close()

    def obey(self):
        self.judge.obey(compile(self.world))
        self.relay.review()

    async def connect(self, sender, address, port, seconds):
        """Return a connection; None: the network dropped it."""
        begun = await asyncio.to_thread(socks.begin, self.at, str(sender), str(address), port)
        try:
            return await asyncio.to_thread(socks.finish, begun, seconds)
        except (TimeoutError, socks.Refused):
            return None

    async def _echo(self, reader, writer):
        while said := await reader.read(100):
            writer.write(said)
        writer.close()


def askable(world, rnd):
    """Return questions that a program could ask: TCP, from the sender's own address."""
    for probe in random_probes(world, rnd, PROBES):
        is_plain = probe.protocol in ("tcp", TCP) and not probe.options.get("source")
        if is_plain and 0 < probe.port < 65536:
            yield probe


def passes(sock):
    sock.settimeout(SILENCE_SECONDS)
    try:
        sock.sendall(b"x")
        return sock.recv(1) == b"x"
    except TimeoutError:
        return False


def test_the_relay_lets_in_whom_the_tracer_lets_in():
    async def ask(ground, probe):
        traced = trace(ground.world, probe.sender, probe.destination, TCP, probe.port)
        arrives = traced.verdict is Verdict.DELIVERED and isinstance(traced.receiver, str)
        sock = await ground.connect(probe.sender, probe.destination, probe.port, LONG if arrives else SILENCE_SECONDS)
        if sock:
            sock.close()
        return probe, arrives, sock is not None

    async def ask_all(seed):
        rnd = random.Random(seed)
        world = booted(random_world(rnd))
        probes = itertools.islice(askable(world, rnd), ASKED)
        async with Ground(world, (EPHEMERAL,)) as ground:
            return await asyncio.gather(*(ask(ground, probe) for probe in probes))

    found = [one for seed in range(4) for one in asyncio.run(ask_all(seed))]

    assert [one for one in found if one[1] != one[2]] == []
    assert {arrives for _, arrives, _ in found} == {True, False}, "both happen, or nothing was tried"


@pytest.mark.parametrize("seed", [4, 6])
def test_a_change_cuts_the_open_connections_that_aws_would_cut(seed):
    rnd = random.Random(seed)
    before = booted(random_world(rnd))

    async def change_under_way():
        async with Ground(before) as ground:
            opened = {}
            for n, (probe, _) in open_flows(before, askable(before, rnd)).items():
                known = set(ground.relay.flows)
                if sock := await ground.connect(probe.sender, probe.destination, probe.port, LONG):
                    (flow,) = set(ground.relay.flows) - known
                    options = {**probe.options, "source_port": flow.packet.source_port}
                    opened[n] = replace(probe, options=options), sock
            traced = {n: (probe, probe.ask(before)) for n, (probe, _) in opened.items()}
            after, what = change(before, rnd, traced)
            ground.world = after
            ground.obey()
            found = []
            for probe, sock in opened.values():
                found.append((what, probe, goes_on(before, after, probe), await asyncio.to_thread(passes, sock)))
                sock.close()
            return found

    found = asyncio.run(change_under_way())

    assert found, "somebody was connected, or nothing was tried"
    assert [one for one in found if one[2] != one[3]] == []
