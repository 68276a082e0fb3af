"""What a node in cluster mode has loaded and does not serve: keys of other shards' slots, which are removed.

A snapshot of some shards can be restored into others: each loads the files that have keys of its slots, all of them,
and keeps its own.
"""

from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.node import NodePlan
from atoll.cache.shards import SLOTS
from atoll.host.engine.resp import Connection, EngineError

KEYS_AT_ONCE = 1000
_UNKNOWN = "ERR unknown subcommand"


class OtherDatabases(Exception):
    """There are keys in databases that cluster mode does not have."""


async def trim(path: Path, password: str, node: NodePlan) -> None:
    """Remove what is not of a primary's slots.  Raises OtherDatabases, OSError, EngineError.

    Costs 20 ms where there is nothing to remove, and else what the engine needs for that.
    """
    assert node.cluster, "a node in cluster mode"
    if node.cluster.seat.leader_id is not None:
        return
    async with Connection(path, ADMINISTRATOR, password, strange="surrogateescape") as engine:  # keys are any bytes
        await _check_databases(engine)
        owners = {
            slot: seat.id
            for seat in node.cluster.seats
            if seat.id != node.cluster.id and seat.leader_id is None
            for first, last in seat.slots
            for slot in range(first, last + 1)
        }
        counts = await engine.ask_all([("CLUSTER", "COUNTKEYSINSLOT", str(slot)) for slot in range(SLOTS)])
        for slot, owner in owners.items():
            if counts[slot]:
                await _clear(engine, str(slot), owner)


async def _check_databases(engine: Connection) -> None:
    for line in str(await engine.ask("INFO", "keyspace")).splitlines():
        name = line.partition(":")[0].removeprefix("db")
        if name.isdigit() and name != "0":
            try:
                await engine.ask("SELECT", name)
            except EngineError:
                raise OtherDatabases(
                    f"it has keys in database {name}, and cluster mode has database 0 only"
                ) from None
            await engine.ask("SELECT", "0")


async def _clear(engine: Connection, slot: str, owner: str) -> None:
    """Remove a slot's keys: by the command for it, or, before Valkey 9, as if they were being imported."""
    try:
        await engine.ask("CLUSTER", "FLUSHSLOT", slot)
        return
    except EngineError as error:
        if not str(error).startswith(_UNKNOWN):
            raise
    await engine.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner)
    while keys := await engine.ask("CLUSTER", "GETKEYSINSLOT", slot, str(KEYS_AT_ONCE)):
        if not isinstance(keys, list):
            raise EngineError(f"not keys: {keys!r}")
        await engine.ask_all([("ASKING",), ("UNLINK", *map(str, keys))])
    await engine.ask("CLUSTER", "SETSLOT", slot, "STABLE")
