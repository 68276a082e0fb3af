"""The health checks of load balancers: real connections from each node to the targets that it uses.

One task for each target that is checked or drains.  What was seen is recorded when as many checks in a row passed
or failed as the target group asks for; a new target needs one that passes.  A check passes when it passes from every
node that uses the target.

A task that ends by an error of the network (the namespace is not there yet) goes on with its next check.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import TypeAlias

from atoll.control.events import log
from atoll.host.contract import Host, HostError
from atoll.model import balancer_transitions as transitions
from atoll.model.balancer import HealthCheck, LoadBalancer, Target, TargetGroup
from atoll.model.balancer_lookup import address_of, balancers_of, nodes_for, unused
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError

Write: TypeAlias = Callable[[Callable[[Tx], object], str], object]  # a transition, and what it is called
CHECKS_MAX = 200  # connections at a time, of all target groups
STATUS_LINE_BYTES_MAX = 1024
RETRY_SECONDS = 1.0  # when the store did not take what was seen


@dataclass(frozen=True, slots=True)
class Watch:
    """A target that is checked: another value is another task, which counts from nothing."""

    group_id: str
    key: tuple[str, int]
    check: HealthCheck | None  # None: it drains, until `leaves`
    leaves: datetime | None
    address: IPv4Address | None
    nodes: tuple[str, ...]  # interfaces of the balancer


def watches(world: World) -> Iterator[Watch]:
    """Yield what must be watched."""
    for group in world.all(TargetGroup):
        for target in group.targets:
            if target.state == "draining":
                yield Watch(group.id, target.key, None, target.leaves, None, ())
            elif unused(world, group, target) is None:
                yield _checked(world, group, target)


def _checked(world: World, group: TargetGroup, target: Target) -> Watch:
    owner = world[LoadBalancer, balancers_of(world, group)[0]]
    nodes = tuple(node.interface_id for node in nodes_for(owner, target))
    return Watch(group.id, target.key, group.health, None, address_of(world, group, target), nodes)


class HealthChecks:
    """Every watch that is kept."""

    def __init__(
        self, host: Host, write: Callable[[Callable[[Tx], object], str], object], now: Callable[[], datetime]
    ) -> None:
        """Connect by `host`, record by `write`."""
        self._host, self._write, self._now = host, write, now
        self._tasks: dict[Watch, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(CHECKS_MAX)

    def follow(self, world: World) -> None:
        """Watch what must be watched, and nothing else.  Costs nothing where nobody has a target group."""
        wanted = set(watches(world.seen_by(None)))
        for gone in self._tasks.keys() - wanted:
            self._tasks.pop(gone).cancel()
        for watch in wanted - self._tasks.keys():
            self._tasks[watch] = asyncio.create_task(self._keep(watch))

    def close(self) -> None:
        """Watch nothing any more."""
        while self._tasks:
            self._tasks.popitem()[1].cancel()

    async def _keep(self, watch: Watch) -> None:
        if watch.check is None:
            assert watch.leaves, "a draining target has an end"
            await asyncio.sleep(max((watch.leaves - self._now()).total_seconds(), 0))
            await self._record(transitions.drained, watch)
            return
        await self._record(transitions.begun, watch)
        passed, in_a_row, is_new = False, 0, True
        while True:
            result = await self._check(watch, watch.check)
            if result is None:
                return  # on paper
            in_a_row = in_a_row + 1 if result is passed else 1
            passed = result
            needed = watch.check.healthy_threshold if passed else watch.check.unhealthy_threshold
            if in_a_row == (1 if is_new and passed else needed):
                is_new = False
                await self._record(transitions.checked, watch, passed=passed)
            await asyncio.sleep(watch.check.interval_seconds)

    async def _record(self, change: Callable[..., bool], watch: Watch, **seen: bool) -> None:
        while True:
            try:
                self._write(lambda tx: change(tx, watch.group_id, watch.key, **seen), "observed: target")
            except StoreError as error:
                log("target not recorded", target=watch.key[0], because=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _check(self, watch: Watch, check: HealthCheck) -> bool | None:
        """Check a target from each of its nodes; tell whether it passed, None if there is no network."""
        address, port = watch.address, watch.key[1] if check.port == "traffic-port" else int(check.port)
        if address is None:
            return False
        results = await asyncio.gather(*(self._ask(node, address, port, check) for node in watch.nodes))
        return None if None in results else all(results)

    async def _ask(self, node: str, address: IPv4Address, port: int, check: HealthCheck) -> bool | None:
        async with self._room:
            try:
                sock = self._host.dial(node)
            except (HostError, OSError):
                return False
            if sock is None:
                return None
            with sock, contextlib.suppress(OSError, TimeoutError, EOFError, ValueError):
                sock.setblocking(False)
                async with asyncio.timeout(check.timeout_seconds):
                    await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
                    return check.protocol == "TCP" or await _speak(sock.dup(), f"{address}:{port}", check)
            return False


async def _speak(sock: socket.socket, host: str, check: HealthCheck) -> bool:
    """Ask over HTTP, and tell whether the status is one that is well."""
    context = None
    if check.protocol == "HTTPS":  # no load balancer looks at a target's certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname="" if context else None, limit=STATUS_LINE_BYTES_MAX
    )
    try:
        head = (
            f"GET {check.path} HTTP/1.1",
            f"Host: {host}",
            "User-Agent: ELB-HealthChecker/2.0",
            "Connection: close",
        )
        writer.write("\r\n".join((*head, "", "")).encode())
        version, status, *_ = (await reader.readline()).split(b" ")
        return version.startswith(b"HTTP/") and check.admits(int(status))
    finally:
        writer.transport.abort()
