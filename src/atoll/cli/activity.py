"""`atoll activity`: what was asked of AWS's API."""

import json
import time
from typing import Any

from atoll.cli import private, show

COLUMNS = ("number", "time", "call", "result", "ms", "parameters")
FOLLOW_SECONDS = 0.5
PARAMETERS_MAX = 120  # characters in a row


def activity(*, follow: bool, writes: bool, failed: bool, as_json: bool) -> None:
    """Print the newest calls; with `follow`, what comes, until Ctrl-C."""
    after, first = 0, True
    while True:
        page: dict[str, Any] = private.get("/_atoll/activity", after=str(after), **private.whose())
        calls = [c for c in page["calls"] if (c["writes"] or not writes) and (c["error"] or not failed)]
        after = page["next"]
        _print(calls, follow=follow, as_json=as_json, titled=first)
        if not follow:
            return
        first = False
        time.sleep(FOLLOW_SECONDS)


def _print(calls: list[dict[str, Any]], *, follow: bool, as_json: bool, titled: bool) -> None:
    if as_json and not follow:
        show.as_json(calls)
    elif as_json:
        for call in calls:  # a line for each: a program reads them as they come
            print(json.dumps(call), flush=True)
    elif follow:
        for call in calls:
            show.line("  ".join(map(str, _row(call))))
    elif titled:
        show.table("Calls", COLUMNS, [_row(call) for call in calls])


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    text = json.dumps(call["parameters"], ensure_ascii=False) if call["whole"] else "too many to keep"
    short = text if len(text) <= PARAMETERS_MAX else f"{text[:PARAMETERS_MAX]}..."
    what = f"{call['service']} {call['action']}".strip() or "?"
    result = call["error"] or "ok"
    return call["number"], call["at"][11:23], what, result, f"{call['milliseconds']:.1f}", short
