"""Network Insights: a path that somebody wants to know about, and what was found out about it."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import cast

from atoll.model.resource import Resource
from atoll.model.world import Tx

RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsPath(Resource):
    """A question: can the source reach the destination?"""

    source: str  # an id
    destination: str | None = None  # an id; `None`: only the address is known
    source_ip: IPv4Address | None = None
    destination_ip: IPv4Address | None = None
    protocol: str  # "tcp" or "udp"
    port: int | None = None  # of the destination; `None`: any
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsAnalysis(Resource):
    """An answer, as things were when it was asked for; shown once the status says so."""

    path_id: str
    started: datetime
    status: str = RUNNING
    found: str  # the members of the answer, as JSON; empty: it failed
    message: str | None = None  # why it failed


def finish(tx: Tx) -> None:
    """Every analysis that was started is done."""
    for resource in list(tx.world.bucket(InsightsAnalysis, "status", RUNNING).values()):
        analysis = cast(InsightsAnalysis, resource)
        tx.put(analysis.but(status=SUCCEEDED if analysis.found else FAILED))
