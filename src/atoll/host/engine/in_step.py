"""Replicas, asked whether they are in step: they have read all data, and their primary feeds them what is written.

The second is the primary's to say.  It feeds a replica from its first acknowledgement on, and one that comes while
the primary still ends the copy does not count, although its offset is noted; the next comes after a second, in which
writes would be acknowledged that no replica has.  So a write has to arrive.  Source: replication.c,
`repl_start_cmd_stream_on_ack`.
"""

import asyncio
from collections.abc import Callable

from atoll.cache.node import NodePlan
from atoll.cache.shards import Slots, key_in
from atoll.host.engine.resp import Connection, EngineError

PROBE = "atoll:in-step:{{{}}}"  # a key that nobody else has, in the slot of the one in braces
TAKES_NO_WRITES = ("NOREPLICAS", "OOM", "MISCONF", "READONLY")
PROBE_MILLISECONDS = "1"  # for which the key of the first write stays
SLOTS = ((0, 16383),)
ARRIVAL_SECONDS, ARRIVAL_LOOKS = 0.002, 25  # for a record to arrive that is fed to a replica


async def waits_for(engine: Connection, node: NodePlan, leader: Callable[[str], Connection]) -> str | None:
    """Return what a node's replication waits for, with cluster mode disabled; `None` if for nothing.

    A replica that found its primary not yet listening rests for a second; told its primary again, it tries at once.
    `leader` opens a connection to the node of that name.  Raises OSError, EngineError.
    """
    role = await engine.ask("ROLE")
    if not isinstance(role, list):
        raise EngineError(f"not an answer to ROLE: {role!r}")
    if node.primary is None:
        return None if role[0] == "master" else "its promotion"
    host, port = str(node.primary.address), node.primary.port
    if role[:3] != ["slave", host, port]:
        return "its primary"
    if role[3] == "connect":
        await engine.ask("REPLICAOF", "NO", "ONE")
        await engine.ask("REPLICAOF", host, str(port))
    if role[3] != "connected":
        return "its first synchronisation"
    if not node.primary.name:
        return None  # a leader that copies from outside: that one is not ours to ask
    async with leader(node.primary.name) as other:
        return None if await is_fed(engine, other, str(node.address), SLOTS) else "a first record"


async def is_fed(replica: Connection, leader: Connection, address: str, slots: Slots) -> bool:
    """Tell whether a primary sends a replica what it writes; if not, have it begin.

    `slots`: of the primary.  Raises OSError, EngineError.
    """
    own = _line_of(str(await leader.ask("INFO", "replication")), address)
    if "state=online" not in own:
        return False
    try:
        await write(leader, slots)
    except EngineError as error:
        if str(error).startswith(TAKES_NO_WRITES):
            return True  # and has none to lose
        raise
    said = await leader.ask("ROLE")
    goal = int(str(said[1])) if isinstance(said, list) and said[0] == "master" else 0
    for _ in range(ARRIVAL_LOOKS):
        said = await replica.ask("ROLE")
        if isinstance(said, list) and said[0] == "slave" and int(str(said[4])) >= goal:
            return True
        await asyncio.sleep(ARRIVAL_SECONDS)
    await _feed_now(leader, address)
    return False


async def _feed_now(leader: Connection, replica: str) -> None:
    """Have a primary that holds a replica for online send it what it writes, without waiting for another answer.

    A replica whose connection ends opens another, and goes on where it was, without an acknowledgement.
    """
    for line in str(await leader.ask("CLIENT", "LIST", "TYPE", "replica")).splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if fields.get("addr", "").rpartition(":")[0] == replica:
            await leader.ask("CLIENT", "KILL", "ID", fields["id"])


def _line_of(info: str, replica: str) -> str:
    return next((line for line in info.splitlines() if f"ip={replica}," in line), "")


async def write(primary: Connection, slots: Slots) -> None:
    """Have a primary take a write into one of its slots, which leaves nothing."""
    await primary.ask("SET", PROBE.format(key_in(slots)), "", "PX", PROBE_MILLISECONDS)
