"""Nodes in cluster mode, asked: whether they serve their slots, and whom they know.

What a node waits for after its start is done here, too, because it is the same each time and harmless twice: a
primary takes over the slots that its file (cache/shards.py) gives to nobody, and one that joins a cluster
introduces itself.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.node import ClusterPlan, NodePlan, Seat
from atoll.cache.shards import bus_port, nobody, stranger
from atoll.host.contract import Known
from atoll.host.engine.in_step import is_fed, write
from atoll.host.engine.resp import Connection, EngineError
from atoll.host.engine.statistics import read_info
from atoll.model.global_group import on_backbone

WRITABLE_SECONDS = 2  # after its start a primary refuses everything for so long
STRANGER_SECONDS = 1  # for which one in a handshake is remembered at least: cluster.c, clusterCron
TURN_SECONDS = 0.12  # between two looks of an engine at its cluster, and a little more
NODE_TIMEOUT = "cluster-node-timeout"
GREETED_MAX = 30  # nodes; each asks each, and beyond that gossip may take its seconds
_FAILURES = (OSError, EOFError, TimeoutError, ValueError, EngineError)


class Asker:
    """Asks engines in cluster mode, and those beside them."""

    def __init__(self, socket_of: Callable[[str], Path], password: str) -> None:
        """Find administration sockets, by the names of plans, with `socket_of`."""
        self._socket_of, self._password = socket_of, password

    async def waits_for(self, engine: Connection, node: NodePlan) -> str | None:
        """Return what a node waits for; `None`: it serves.  Raises OSError, EngineError."""
        cluster = node.cluster
        assert cluster, "a node in cluster mode"
        said = read_info(str(await engine.ask("CLUSTER", "INFO")))
        seat, is_ok = cluster.seat, said.get("cluster_state") == "ok"
        # Soon: to whoever hears that it follows nobody, its slots are nobody's.  Not too soon: see `_is_old`.
        if node.copies_from_outside:
            if await _remembers_stranger(engine, cluster):
                return "its source to be forgotten"
        elif seat.leader_id is None and (is_ok or await _is_old(engine)):
            await _succeed(engine, nobody(seat.id))
        if not is_ok:
            return "cluster_state:ok"
        if waiting := await self._replication(engine, node, cluster):
            return waiting
        slots = sum(last - first + 1 for s in cluster.seats for first, last in s.slots)
        if (found := int(said.get("cluster_slots_assigned", "0"))) != slots:
            await self._remind(engine, cluster)
            return f"all slots: {found} of {slots}"
        if node.primary is None and seat.slots:
            await write(engine, seat.slots)
        if len(cluster.seats) > GREETED_MAX and not cluster.joins:
            return None
        return await self._introduced(engine, cluster)

    async def _replication(self, engine: Connection, node: NodePlan, cluster: ClusterPlan) -> str | None:
        """Return what a node's replication waits for; `None` if for nothing."""
        role = await engine.ask("ROLE")
        if not isinstance(role, list):
            raise EngineError(f"not an answer to ROLE: {role!r}")
        if node.primary is None:
            return None if role[0] == "master" else "its promotion"
        if role[:3] != ["slave", str(node.primary.address), node.primary.port]:
            return "its primary"
        leader = next((seat for seat in cluster.seats if seat.id == cluster.seat.leader_id), None)
        if role[3] == "connect" and leader and await self._answers(leader):
            await _connect_now(engine, node, leader)
        if role[3] != "connected":
            return "its first synchronisation"
        if leader is None or not leader.slots:
            return None
        async with self._at(leader) as other:  # nobody lists a replica that has read nothing yet
            return None if await is_fed(engine, other, str(node.address), leader.slots) else "a first record"

    async def _remind(self, engine: Connection, cluster: ClusterPlan) -> None:
        """Have primaries greet a node that does not know of their slots.

        It saw them follow nobody; Valkey tries a connection that was refused once again only after seconds.
        """
        said, own = repr(await engine.ask("CLUSTER", "SLOTS")), cluster.seat
        for seat in cluster.seats:
            if seat.slots and seat.id != own.id and f"'{seat.id}'" not in said:
                with contextlib.suppress(*_FAILURES):
                    async with self._at(seat) as other:
                        await other.ask("CLUSTER", "MEET", str(own.address), str(own.port), str(bus_port(own.port)))

    async def _answers(self, seat: Seat) -> bool:
        try:
            async with self._at(seat) as other:
                return await other.ask("PING") == "PONG"
        except _FAILURES:
            return False

    async def _introduced(self, engine: Connection, cluster: ClusterPlan) -> str | None:
        """Return who does not list a node to clients, after a greeting; `None`: all others that run do.

        A greeting tells how much a replica has read, as the next gossip would, seconds later.
        """
        strangers = [seat for seat in cluster.seats if seat.id != cluster.id and not await self._lists(seat, cluster)]
        for seat in strangers:
            await engine.ask("CLUSTER", "MEET", str(seat.address), str(seat.port), str(bus_port(seat.port)))
        return f"{strangers[0].address} to list it" if strangers else None

    async def _lists(self, seat: Seat, cluster: ClusterPlan) -> bool:
        """Tell whether a node lists another, or does not run: then it will find it in its file.

        A node without slots is listed by nobody, and only has to be known.
        """
        own = cluster.seat
        has_slots = any(s.slots for s in cluster.seats if s.id in (own.id, own.leader_id))
        try:
            async with self._at(seat) as other:
                if has_slots:
                    return f"'{own.id}'" in repr(await other.ask("CLUSTER", "SLOTS"))
                try:
                    await other.ask("CLUSTER", "COUNT-FAILURE-REPORTS", own.id)
                except EngineError:
                    return False
        except _FAILURES:
            return True
        return True

    def _at(self, seat: Seat) -> Connection:
        return Connection(self._socket_of(seat.name), ADMINISTRATOR, self._password)


def read_nodes(text: str) -> Known:
    """Read an answer to CLUSTER NODES."""
    epoch, ids = 0, set()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 8 or "handshake" in words[2]:
            continue
        ids.add(words[0])
        if "myself" in words[2]:
            epoch = int(words[6])
    return Known(epoch=epoch, ids=frozenset(ids))


async def _is_old(engine: Connection) -> bool:
    """Tell whether a node runs for so long that it may begin as a primary without another two seconds' delay."""
    said = read_info(str(await engine.ask("INFO", "server")))
    return int(said.get("uptime_in_seconds", "0")) > WRITABLE_SECONDS


async def _knows(engine: Connection, id: str) -> bool:
    """Tell whether a node knows one of that id."""
    try:
        await engine.ask("CLUSTER", "COUNT-FAILURE-REPORTS", id)
    except EngineError:
        return False
    return True


async def _remembers_stranger(engine: Connection, cluster: ClusterPlan) -> bool:
    """Tell whether a leader still remembers from whom it copies; after a second it is made to forget that.

    One in a handshake is forgotten after the time that gossip may take, but not before a second.  A node for which
    that is a second would soon call others lost: so it is, for a turn of the engine's clock, when it hears them all.
    """
    if not await _knows(engine, stranger(cluster.id)):
        return False
    said = read_info(str(await engine.ask("INFO", "server")))
    is_due = int(said.get("uptime_in_seconds", "0")) >= STRANGER_SECONDS
    if is_due and _hears_all(str(await engine.ask("CLUSTER", "NODES"))):
        await engine.ask("CONFIG", "SET", NODE_TIMEOUT, "1000")
        try:
            await asyncio.sleep(TURN_SECONDS)
        finally:
            await engine.ask("CONFIG", "SET", NODE_TIMEOUT, str(cluster.node_timeout_ms))
    return await _knows(engine, stranger(cluster.id))


def _hears_all(nodes: str) -> bool:
    """Tell whether a node is connected to all others, by its answer to CLUSTER NODES."""
    lines = [line.split() for line in nodes.splitlines() if "myself" not in line and "handshake" not in line]
    return all(words[7] == "connected" for words in lines if len(words) > 7)


async def _succeed(engine: Connection, id: str) -> None:
    """Have a primary that has just started take over from nobody, if it still follows that one."""
    if not await _knows(engine, id):  # it is done, or no daemon was there for too long
        said = read_info(str(await engine.ask("INFO", "replication")))
        follows_nobody = said.get("role") == "slave" and not on_backbone(said.get("master_host", ""))
        if follows_nobody and await _is_old(engine):
            await engine.ask("SHUTDOWN", "NOSAVE")  # it has no data yet, and will be started again
        return
    with contextlib.suppress(EngineError):  # it was done, and only what follows was not
        await engine.ask("CLUSTER", "FAILOVER", "TAKEOVER")
    await engine.ask("CLUSTER", "FORGET", id)


async def _connect_now(engine: Connection, node: NodePlan, leader: Seat) -> None:
    """Have a replica that found its primary not yet listening, and rests for a second, try at once."""
    if node.engine == "valkey":  # for which to follow whom it follows already is nothing to do
        try:
            await engine.ask("CLUSTER", "REPLICATE", "NO", "ONE")
        except EngineError:
            return  # before 9.0 there is no such thing
    await engine.ask("CLUSTER", "REPLICATE", leader.id)
