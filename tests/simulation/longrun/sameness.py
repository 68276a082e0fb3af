"""What a daemon's kernel is held to: one made from nothing, and the tracer.  Run in a child, which may enter."""

import json
import random
import re
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from atoll.host.linux.enter import enter
from atoll.host.linux.fabric import Fabric
from atoll.host.linux.namespaces import Namespaces, set_sysctl
from atoll.model.interface import Interface
from atoll.model.names import link_name
from atoll.model.world import World
from atoll.network.facts import INTERNET, Namespace, Veth
from atoll.network.flow import ICMP, ICMPV6
from atoll.network.layers.hop import APPLIANCES
from atoll.network.plan import compile
from tests.kernel.conftest import become_ordinary
from tests.kernel.ground import internet_of_our_own
from tests.kernel.test_differential import (
    AGAIN_SECONDS,
    WAIT_SECONDS,
    Kernel,
    comes_back_to_its_source,
    expected,
    family_of,
    has_choice,
)
from tests.network.compare import comparable
from tests.network.worlds import PORTS, random_probes

DUMPS = (
    ("ip", "-4", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "-4", "rule"),
    ("ip", "-j", "addr"),
    ("ip", "neigh", "show", "nud", "permanent"),
    ("nft", "list", "ruleset"),
)
PORT_TURNS = 16  # of 4 s: a probe's number is its source port, and a connection of a minute ago may hold it
OF_NODES = DUMPS[:4]  # what a router has not, an engine's namespace may have from its terminator


def differences_from_scratch(keeper: int, spaces: Path, world: World, _: int, *, rootless: bool = False) -> None:
    """Compare each router's and node's namespace with one that a fresh fabric makes; raises AssertionError.

    An instance's is its own to change.
    """
    plan = compile(world)
    routers = {f.namespace for f in plan.facts() if isinstance(f, Namespace) and not f.is_guest} - {INTERNET}
    nodes = {it.id for it in world.all(Interface) if it.requester_managed and it.kind not in APPLIANCES}
    everybody = {f.namespace for f in plan.facts() if isinstance(f, Namespace)} - {INTERNET}
    with internet_of_our_own(for_good=False) as directory:
        namespaces = Namespaces(directory)
        fabric = Fabric(namespaces)
        failures = fabric.apply(plan)
        assert not failures, failures
        dumps = {name: DUMPS if name in routers else OF_NODES for name in routers | nodes & everybody}
        wanted = {name: _dumps(directory / "net" / name, dumps[name]) for name in dumps}
        fabric.close()
        for name in namespaces.names():
            namespaces.delete(name)
    _enter(keeper, rootless=rootless)
    there = Namespaces(spaces.parent).names() - {"internet"}
    assert there == everybody, (
        f"namespaces: {sorted(there - everybody)} too much, {sorted(everybody - there)} missing"
    )
    for name in sorted(dumps):
        found = _dumps(spaces / name, dumps[name])
        for dump, want, have in zip(dumps[name], wanted[name], found, strict=True):
            extra, lacking = sorted(set(have) - set(want)), sorted(set(want) - set(have))
            assert not extra, f"{name}, {' '.join(dump)}: {extra[:4]} too much, {lacking[:4]} missing"
            assert not lacking, f"{name}, {' '.join(dump)}: {lacking[:4]} missing"


def _enter(keeper: int, *, rootless: bool) -> None:
    """Enter a daemon's namespaces; those of an ordinary user as he would: root is nobody in his user namespace."""
    if rootless:
        become_ordinary()
    enter(keeper, rootless=rootless)


def _dumps(namespace: Path, dumps: tuple[tuple[str, ...], ...]) -> list[list[str]]:
    return [_lines(dump, _run(namespace, dump)) for dump in dumps]


def _run(namespace: Path, command: tuple[str, ...]) -> str:
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", *command], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


def _lines(dump: tuple[str, ...], said: str) -> list[str]:
    """Return what counts of a dump, in pieces that have no order."""
    if "-j" in dump:
        links: list[dict[str, Any]] = json.loads(said)
        return [
            f"{link['ifname']} {link.get('address', '')} {link['mtu']} {one['local']}/{one['prefixlen']}"
            for link in links
            for one in (*link["addr_info"], {"local": "-", "prefixlen": 0})
            if one.get("scope") != "link" and link["ifname"] != "lo"
        ]
    if dump[0] == "ip":
        return [line.strip() for line in said.splitlines() if "fe80" not in line and "multicast" not in line]
    blocks = re.split(r"(?m)^(?=\t\S)", said)  # packets fill some sets, and those count or forget
    said = "".join(block for block in blocks if not re.search(r"dynamic|timeout", block))
    said = re.sub(r"packets \d+ bytes \d+|expires \S+|# handle \d+", "", said)
    return sorted(set(re.split(r"[\s,]+", said)))


class Inside:
    """The daemon's namespaces, as the probes of `tests/kernel` know a ground."""

    def __init__(self, spaces: Path, world: World) -> None:
        self.namespaces = Namespaces(spaces.parent)
        self.fabric = self
        plan = compile(world)
        self.ends = {f.name: f.peer_namespace for f in plan.facts() if isinstance(f, Veth)}

    def socket_in(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        return self.namespaces.socket(name, family, kind, protocol)

    def place(self, name: str) -> str:
        if name and (name[0].isdigit() or ":" in name):
            return f"out-{name}"
        return self.ends.get(link_name(name), name)

    def set(self, place: str, key: str, value: int | str) -> None:
        if "ping_group_range" in key:  # everything else is the guest's own
            with self.namespaces.inside(self.place(place)):
                set_sysctl(key, value)


class Lodger(Kernel):
    """Listens where no engine does."""

    def _serve(self, place: str, ip: str) -> None:
        for port in PORTS:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                sock = self.ground.fabric.socket_in(self.ground.place(place), family_of(ip), kind)
                sock.setblocking(False)
                try:
                    sock.bind((ip, port))
                except OSError:  # who lives there serves that port itself
                    sock.close()
                    continue
                self.listeners.append(sock)
                if kind == socket.SOCK_STREAM:
                    sock.listen(1024)
                else:
                    self.datagrams[sock.fileno()] = sock
                    self.poll.register(sock.fileno(), select.EPOLLIN)

    def _store(self, namespace: str) -> None:
        """The daemon's own store answers."""


def wrong_fates(
    keeper: int, spaces: Path, world: World, seed: int, *, probes: int = 24, rootless: bool = False
) -> None:
    """Send packets, and hold their fate to the tracer; raises AssertionError."""
    dice = random.Random(seed)
    try:
        asked = dict(enumerate(random_probes(world, dice, probes), probes * (int(time.monotonic() / 4) % PORT_TURNS)))
    except IndexError:
        return  # nobody is there to ask
    traces = {n: probe.ask(world) for n, probe in asked.items()}
    asked = {n: probe for n, probe in asked.items() if _is_ours(world, probe, traces[n])}
    _enter(keeper, rootless=rootless)
    kernel = Lodger(Inside(spaces, world), world)  # type: ignore[arg-type]
    fates = kernel.run(asked, world, WAIT_SECONDS)
    wrong = {n for n in asked if fates[n].answered != expected(traces[n]).answered}
    if wrong:
        fates |= {n: kernel.run({n: asked[n]}, world, AGAIN_SECONDS)[n] for n in sorted(wrong)[:6]}
    wrong = {n for n in wrong if fates[n].answered != expected(traces[n]).answered}
    assert not wrong, "\n".join(f"{asked[n]}: {fates[n]}, but {_told(world, traces[n])}" for n in sorted(wrong)[:2])


def _told(world: World, trace: Any) -> str:
    """Return what the tracer says, in a line: each layer, and why it lets the packet pass or not."""
    steps = (f"{step.layer} {'+' if step.allowed else '-'} {step.because}" for step in (*trace.steps, *trace.back))
    there = world.get(Interface, trace.receiver) if isinstance(trace.receiver, str) else None
    whom = f"{there.kind} {there.description} {there.instance_id}" if there else "nobody"
    return f"{expected(trace)} at {whom} by {'; '.join(steps)}"


def _is_ours(world: World, probe: Any, trace: Any) -> bool:
    return (
        comparable(trace)
        and not has_choice(trace)
        and not comes_back_to_its_source(world, trace)
        and not (isinstance(trace.receiver, str) and trace.receiver.startswith("vpc"))
        and not (probe.protocol in (ICMP, ICMPV6) and "source" in probe.options)
        and trace.packet.source != trace.packet.destination
        and not any(step.layer in ("load-balancer", "endpoint") for step in trace.steps)
    )
