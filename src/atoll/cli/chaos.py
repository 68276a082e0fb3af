"""`atoll chaos`: break hardware and links on purpose, and mend them again."""

from typing import Any

from atoll.cli import private, show
from atoll.cli.failure import Failure

COLUMNS = ("id", "act", "target", "since", "until", "hits")
NAMES_MAX = 6  # of what a fault hits: a zone may hold hundreds


def begin(act: str, target: str, seconds: float | None, *, as_json: bool) -> None:
    """Break something, and say what it hits and how it ends.  Raises Failure."""
    question = {"act": act, "target": target, "seconds": seconds} | private.whose()
    with show.progress(f"{act} {target}"):
        fault: dict[str, Any] = private.post("/_atoll/chaos", question)
    if as_json:
        show.as_json(fault)
        return
    hits = fault["hits"]
    show.line(f"{fault['id']}: {act} {fault['target']} hits {_names(hits) if hits else 'nothing'}.")
    if fault["until"]:
        show.line(f"It ends by itself at {fault['until']}, or with: atoll chaos revert {fault['id']}")
    else:
        show.line(f"It ends with: atoll chaos revert {fault['id']}")


def listed(*, as_json: bool) -> None:
    """Print every fault."""
    faults: list[dict[str, Any]] = private.get("/_atoll/chaos")
    if as_json:
        show.as_json(faults)
    else:
        table(faults)


def revert(fault: str | None, *, every: bool, as_json: bool) -> None:
    """Revert a fault, or all of them.  Raises Failure."""
    if every is (fault is not None):
        raise Failure("which fault?", "name one of `atoll chaos list`, or give --all", 2)
    with show.progress(f"Reverting {fault or 'everything'}"):
        over: list[dict[str, Any]] = private.post("/_atoll/chaos/revert", {"all": True} if every else {"id": fault})
    if as_json:
        show.as_json(over)
        return
    for one in over:
        show.line(f"{one['id']}: {one['act']} {one['target']} is over.")
    if not over:
        show.line("Nothing was broken.")


def table(faults: list[dict[str, Any]]) -> None:
    """Print a table of faults."""
    rows = [(*(f[name] for name in COLUMNS[:-1]), _names(f["hits"])) for f in faults]
    show.table("Faults", COLUMNS, rows)


def _names(hits: list[str]) -> str:
    more = len(hits) - NAMES_MAX
    return ", ".join(hits[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")
