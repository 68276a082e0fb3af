"""`atoll usage`: how much network everybody has used."""

from typing import Any

from atoll.cli import private, show

GATEWAY_COLUMNS = {
    "bytes out": "BytesOutToDestination",
    "bytes in": "BytesInFromDestination",
    "active": "ActiveConnectionCount",
    "attempts": "ConnectionAttemptCount",
    "established": "ConnectionEstablishedCount",
    "no port": "ErrorPortAllocation",
    "idle": "IdleTimeoutCount",
    "dropped": "PacketsDropCount",
}
MACHINE_COLUMNS = ("bytes in", "bytes out", "packets in", "packets out")


def usage(*, as_json: bool) -> None:
    """Print tables for people, every metric for programs."""
    seen: dict[str, Any] = private.get("/_atoll/usage", **private.whose())
    if as_json:
        show.as_json(seen)
        return
    rows = [(*_who(g), *(g["metrics"][metric] for metric in GATEWAY_COLUMNS.values())) for g in seen["nat_gateways"]]
    show.table("NAT gateways", ("id", "name", "hours", *GATEWAY_COLUMNS), rows)
    instances = [(*_who(i), *i["metrics"].values()) for i in seen["instances"]]
    show.table("Instances", ("id", "name", "hours", *MACHINE_COLUMNS), instances)
    caches = [(c["id"], c["hours"], *c["metrics"].values()) for c in seen["caches"]]
    show.table("Caches", ("name", "hours", *MACHINE_COLUMNS), caches)


def _who(it: dict[str, Any]) -> tuple[object, ...]:
    return it["id"], it["name"], it["hours"]
