"""Flow logs for people and programs of this machine: what is logged, where the files are, and the newest records."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from atoll.model.flow_log import FlowLog, stands
from atoll.model.world import World
from atoll.network.flow_records import Shown

RECORDS_MAX = 2_000  # in one answer


class Places(Protocol):
    """Where the records of flow logs are."""

    def place(self, log: FlowLog) -> Path: ...  # noqa: D102


class Loop(Protocol):
    """What is asked of the loop that writes flow logs."""

    @property
    def files(self) -> Places: ...  # noqa: D102
    async def look(self, *, flush: bool = False) -> int: ...  # noqa: D102
    def records(self, log_ids: Iterable[str], after: int) -> Sequence[Shown]: ...  # noqa: D102


def described(world: World, places: dict[str, Path]) -> list[dict[str, Any]]:
    """Return the caller's flow logs."""
    return [
        {
            "id": log.id,
            "resource": log.resource_id,
            "vpc": log.vpc_id,
            "traffic": log.traffic,
            "format": log.format,
            "interval_seconds": log.interval_seconds,
            "status": log.status,
            "files": str(places[log.id]),
        }
        for log in standing(world)
    ]


def standing(world: World) -> list[FlowLog]:
    """Return the caller's flow logs whose resources exist."""
    return [log for log in world.all(FlowLog) if stands(world, log)]


def page(records: Sequence[Shown], after: int) -> dict[str, Any]:
    """Return records, and after which to ask next: those that come next, or, from the start, the newest."""
    cut = records[:RECORDS_MAX] if after else records[-RECORDS_MAX:]
    return {
        "records": [{"log": shown.log_id, "interface": shown.interface_id, "line": shown.line} for shown in cut],
        "next": cut[-1].sequence if cut else after,
    }
