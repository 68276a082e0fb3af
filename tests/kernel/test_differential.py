"""Random VPCs with real packets: what the tracer says of a probe is what becomes of it."""

import errno
import os
import random
import select
import socket
import time
from dataclasses import dataclass

import pytest

from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.lookup import interfaces_of
from atoll.model.world import World
from atoll.network.compile.gateway_endpoints import PORTS as STORE_PORTS
from atoll.network.flow import ICMP, ICMPV6, TCP, UDP, Trace, Verdict
from atoll.network.layers.hop import APPLIANCES
from tests.kernel.ground import Ground, lay_ground
from tests.network.compare import booted, comparable, packet_of
from tests.network.worlds import PORTS, Probe, random_probes, random_world

pytestmark = pytest.mark.kernel
WORLDS, PROBES = 20, 60
WAIT_SECONDS = 0.3
AGAIN_SECONDS = 2.5  # longer than the second TCP SYN takes, before we call it a difference
TRANSPARENT = {socket.AF_INET: (socket.SOL_IP, 19), socket.AF_INET6: (socket.IPPROTO_IPV6, 75)}


def family_of(address: str) -> socket.AddressFamily:
    """Return the family of the sockets for an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest.fixture
def ground():
    yield from lay_ground()


@dataclass
class Fate:
    """What became of a probe's packets."""

    answered: bool = False
    arrived_at: str = ""  # datagrams: the address that got it


class Kernel:
    """Listens everywhere, and sends every probe for real; all sockets are in this process."""

    def __init__(self, ground: Ground, world: World) -> None:
        self.ground, self.poll = ground, select.epoll()
        self.datagrams: dict[int, socket.socket] = {}
        self.listeners: list[socket.socket] = []
        for interface in world.all(Interface):
            if interface.kind in APPLIANCES:
                continue  # nobody lives there
            ground.set(interface.id, "net.ipv4.ping_group_range", "0 0")
            if not interface.source_dest_check:
                ground.set(interface.id, "net.ipv4.ip_forward", 1)
                link = f"eth{interface.attachment.device_index if interface.instance_id else 0}"
                for which in ("all", "default", "eth0", link):
                    ground.set(interface.id, f"net.ipv4.conf.{which}.send_redirects", 0)
                    ground.set(interface.id, f"net.ipv4.conf.{which}.rp_filter", 0)  # it may come in by another
                if interface.ipv6_addresses:
                    ground.set(interface.id, "net.ipv6.conf.all.forwarding", 1)
            for ip in interface.ips:
                self._serve(interface.id, str(ip))
        for endpoint in world.all(VpcEndpoint):
            if endpoint.serves_objects and endpoint.stands:
                self._store(endpoint.id)
        for host in world.all(OutsideHost):
            ground.set(str(host.address), "net.ipv4.ping_group_range", "0 0")
            self._serve(str(host.address), str(host.address))

    def _store(self, namespace: str) -> None:
        """Accept what the store of objects behind a gateway endpoint would."""
        for port in STORE_PORTS:
            sock = self.ground.fabric.socket_in(namespace, socket.AF_INET, socket.SOCK_STREAM)
            sock.bind((str(S3_ADDRESS), port))
            sock.listen(1024)
            self.listeners.append(sock)

    def _serve(self, place: str, ip: str) -> None:
        for port in PORTS:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                sock = self.ground.fabric.socket_in(self.ground.place(place), family_of(ip), kind)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((ip, port))
                self.listeners.append(sock)
                if kind == socket.SOCK_STREAM:
                    sock.listen(1024)
                else:
                    self.datagrams[sock.fileno()] = sock
                    self.poll.register(sock.fileno(), select.EPOLLIN)

    def run(self, probes: dict[int, Probe], world: World, seconds: float) -> dict[int, Fate]:
        """Send the probes, all at once; wait, and tell what became of each."""
        fates = {n: Fate() for n in probes}
        waiting: dict[int, tuple[int, socket.socket]] = {}
        for n, probe in probes.items():
            sock = self._send(n, probe, world)
            if sock is not None:
                waiting[sock.fileno()] = n, sock
                event = select.EPOLLOUT if probe.protocol == TCP else select.EPOLLIN
                self.poll.register(sock.fileno(), event)
        end = time.monotonic() + seconds
        while waiting and (left := end - time.monotonic()) > 0:
            for fd, _ in self.poll.poll(left):
                if fd in self.datagrams:
                    self._echo(self.datagrams[fd], fates)
                elif fd in waiting:
                    n, sock = waiting.pop(fd)
                    fates[n].answered = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                    self.poll.unregister(fd)
                    sock.close()
        for fd, (_, sock) in waiting.items():
            self.poll.unregister(fd)
            sock.close()
        return fates

    def _send(self, n: int, probe: Probe, world: World) -> socket.socket | None:
        place = self.ground.place(str(probe.sender))
        kind = socket.SOCK_STREAM if probe.protocol == TCP else socket.SOCK_DGRAM
        is_icmp = probe.protocol in (ICMP, ICMPV6)
        family = family_of(str(probe.destination))
        sock = self.ground.fabric.socket_in(place, family, kind, probe.protocol if is_icmp else 0)
        sock.setblocking(False)
        source = str(packet_of(world, probe).source)
        # One port for each probe, of the class that was asked for: below 1024, or one that Linux itself may choose.
        port = (600 if probe.options["source_port"] == 1023 else 33000) + n
        try:
            if is_icmp:
                sock.bind((source, 0))
                sock.connect((str(probe.destination), 0))
                sock.send(bytes((probe.options["source_port"],)) + bytes(5) + n.to_bytes(2, "big") + b"abcd")
                return sock
            level, option = TRANSPARENT[family]
            sock.setsockopt(level, option, 1)  # also a forged source
            if probe.protocol == TCP:  # a port rests for a minute after the connection of an earlier probe
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((source, port))
            if sock.connect_ex((str(probe.destination), probe.port)) not in (0, errno.EINPROGRESS):
                raise OSError
            if probe.protocol == UDP:
                sock.send(str(n).encode())
        except OSError:
            sock.close()
            return None
        return sock

    def _echo(self, sock: socket.socket, fates: dict[int, Fate]) -> None:
        try:
            said, source = sock.recvfrom(100)
            if int(said) in fates:
                fates[int(said)].arrived_at = sock.getsockname()[0]
            sock.sendto(said, source)
        except OSError:
            pass  # an answer that has no way

    def close(self) -> None:
        """Close all sockets."""
        for sock in self.listeners:
            sock.close()
        self.poll.close()


def expected(trace: Trace) -> Fate:
    """Return what the tracer says will become of a probe."""
    arrives = trace.received.destination if trace.received and trace.packet.protocol == UDP else ""
    return Fate(trace.verdict is Verdict.DELIVERED, str(arrives))


def has_choice(trace: Trace) -> bool:
    """Tell whether a load balancer chose one of several targets."""
    return any(step.layer == "load-balancer" and "one of" in step.because for step in trace.steps)


def comes_back_to_its_source(world: World, trace: Trace) -> bool:
    """Tell whether a machine is to forward a packet from its own address: Linux takes it for forged."""
    return any(
        step.packet.source in interface.ips
        for step in (*trace.steps, *trace.back)
        if step.layer == "delivery" and step.at.startswith("i-")
        for interface in interfaces_of(world, step.at)
    )


def compare_packets(ground: Ground, seed: int, *, plugged: bool = False) -> tuple[int, list[str]]:
    """Send the probes of a random world; returns how many, and where packets and tracer differ."""
    dice = random.Random(seed)
    world = booted(random_world(dice, plugged=plugged))
    probes = dict(enumerate(random_probes(world, dice, PROBES)))
    traces = {n: probe.ask(world) for n, probe in probes.items()}
    # A service answers by its own program; a forged source gets no answer that we could see by ICMP; and a packet
    # whose source is its receiver's own address is refused by the receiver.  Which of several targets a balancer
    # gives a flow to is nobody's promise.
    asked = {
        n: probes[n]
        for n, trace in traces.items()
        if comparable(trace)
        and not has_choice(trace)
        and not comes_back_to_its_source(world, trace)
        and not (isinstance(trace.receiver, str) and trace.receiver.startswith("vpc-"))
        and not (probes[n].protocol in (ICMP, ICMPV6) and "source" in probes[n].options)
        and (trace.packet.source != trace.packet.destination or trace.receiver == trace.sender)
    }
    ground.apply(world)
    kernel = Kernel(ground, world)
    try:
        fates = kernel.run(asked, world, WAIT_SECONDS)
        wrong = {n for n in asked if fates[n] != expected(traces[n])}
        if wrong:
            fates |= {n: kernel.run({n: asked[n]}, world, AGAIN_SECONDS)[n] for n in sorted(wrong)[:10]}
        wrong = {n for n in wrong if fates[n] != expected(traces[n])}
    finally:
        kernel.close()
    return len(asked), [f"{asked[n]}: {fates[n]}, but {traces[n]}" for n in sorted(wrong)]


@pytest.mark.parametrize("seed", range(int(os.environ.get("ATOLL_WORLDS", WORLDS))))
def test_real_packets_fare_as_the_tracer_says(ground, seed):
    _, wrong = compare_packets(ground, seed)
    assert not wrong, "\n".join(wrong[:3])
    assert ground.fabric.verify() == []


@pytest.mark.parametrize("seed", range(6))
def test_real_packets_of_machines_with_several_interfaces_fare_as_the_tracer_says(ground, seed):
    _, wrong = compare_packets(ground, seed, plugged=True)
    assert not wrong, "\n".join(wrong[:3])
    assert ground.fabric.verify() == []
