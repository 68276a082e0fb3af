"""`atoll flow-logs`: the records of flow logs, as they are delivered."""

import json
import time
from typing import Any

from atoll.cli import private, show
from atoll.cli.failure import NOT_RUNNING, Failure

ASK_SECONDS = 1.0
RESTART_ASKS_MAX = 30  # while nobody answers: somebody restarts the daemon


def flow_logs(log: str | None, *, follow: bool, flush: bool, as_json: bool) -> None:
    """Print the newest records, and with `follow` those that come, until interrupted."""
    if flush:
        private.post("/_atoll/flow-logs/flush")
    query = private.whose() | ({"id": log} if log else {})
    seen = private.get("/_atoll/flow-logs", **query)
    if not as_json and not seen["logs"]:
        show.line("Flow logs: none. `aws ec2 create-flow-logs` makes one.")
    _print(seen, as_json=as_json)
    if not as_json and not seen["records"] and seen["logs"] and not follow:
        _say_where(seen["logs"])
    try:
        while follow:
            time.sleep(ASK_SECONDS)
            seen = _asked(query | {"after": str(seen["next"])})
            _print(seen, as_json=as_json)
    except KeyboardInterrupt:
        return


def _asked(query: dict[str, str]) -> Any:
    """Ask for what is new; wait for a daemon that starts again."""
    for _ in range(RESTART_ASKS_MAX):
        try:
            return private.get("/_atoll/flow-logs", **query)
        except Failure as failure:
            if failure.code != NOT_RUNNING:
                raise
            time.sleep(ASK_SECONDS)
    return private.get("/_atoll/flow-logs", **query)


def _print(seen: dict[str, Any], *, as_json: bool) -> None:
    fields = {log["id"]: [field.strip("${}") for field in log["format"].split()] for log in seen["logs"]}
    for record in seen["records"]:
        line = record["line"]
        if as_json:
            named = dict(zip(fields[record["log"]], line.split(" "), strict=True))
            line = json.dumps({"log": record["log"], "interface": record["interface"]} | named)
        print(line, flush=True)


def _say_where(logs: list[dict[str, Any]]) -> None:
    columns = ("id", "of", "traffic", "seconds", "delivery", "files")
    shown = ("id", "resource", "traffic", "interval_seconds", "status", "files")
    rows = [tuple(it[name] for name in shown) for it in logs]
    show.table("Flow logs without records yet (`--flush` ends their window now)", columns, rows)
