"""How `atoll reach` shows a matrix and what has changed: to people, programs, pull requests and scanners."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from atoll.cli import show
from atoll.network.reach.diff import Change
from atoll.network.reach.ends import End
from atoll.network.reach.matrix import Matrix, Ports, spelt

NAMES_MAX = 8  # in one cell; --json has them all
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RULES = {
    True: ("path-opened", "A path has opened that was closed before.", "error"),
    False: ("path-closed", "A path has closed that was open before.", "note"),
}


def matrix(found: Matrix, style: str) -> None:
    """Print who reaches what: a line for all receivers that the same senders reach on the same ports."""
    if style == "json":
        show.as_json(_as_dict(found))
        return
    rows = list(_rows(found))
    columns = ("to", "ports", "from")
    if style == "markdown":
        show.line(_markdown(columns, rows))
    else:
        show.table("Reachable", columns, rows)
    idle = [end.name for index, end in enumerate(found.ends) if not any(index in pair for pair in found.paths)]
    if idle:
        show.line(f"Neither reach nor are reached: {_some(idle)}")


def _rows(found: Matrix) -> Iterable[tuple[str, str, str]]:
    """Yield lines; a class that reaches itself says "each other", so that it is one line with others that do."""
    reached: dict[int, dict[str, list[str]]] = {}
    for (a, b), ports in found.paths.items():
        sender = "each other" if a == b else found.ends[a].name
        reached.setdefault(b, {}).setdefault(spelt(ports), []).append(sender)
    merged: dict[tuple[tuple[str, tuple[str, ...]], ...], list[int]] = {}
    for b, by_ports in reached.items():
        merged.setdefault(tuple((ports, tuple(senders)) for ports, senders in by_ports.items()), []).append(b)
    for lines, receivers in merged.items():
        name = _some([found.ends[b].name for b in receivers])
        for spelling, names in lines:
            yield name, spelling, _some(names)
            name = ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_MAX
    return ", ".join(names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)])


def _as_dict(found: Matrix) -> dict[str, Any]:
    return {
        "ends": [_end(end) for end in found.ends],
        "paths": [{"from": a, "to": b, "ports": _ports(ports)} for (a, b), ports in found.paths.items()],
    }


def _end(end: End) -> dict[str, Any]:
    if end.outside:
        return {"name": end.name, "outside": [str(address) for address in end.outside]}
    first = end.members[0]
    place = {"vpc": first.vpc_id, "subnet": first.subnet_id, "groups": list(first.group_ids)}
    members = [{"interface": i.id, "instance": i.instance_id, "address": str(i.address)} for i in end.members]
    return {"name": end.name, **place, "members": members}


def _ports(ports: Ports) -> dict[str, list[list[int]]]:
    return {kind: [list(part) for part in ranges] for kind, ranges in ports.items()}


def changes(found: Sequence[Change], style: str, *, before: str, after: str) -> None:
    """Print what has opened and what has closed."""
    if style == "json":
        show.as_json({"before": before, "after": after, "changes": [_change(c) for c in found]})
    elif style == "sarif":
        show.as_json(sarif(found, after))
    elif style == "markdown":
        show.line(_changes_markdown(found, before, after))
    elif not found:
        show.line("Nothing has opened, and nothing has closed.")
    else:
        rows = [("opened" if c.opened else "closed", c.sender.name, c.receiver.name, spelt(c.ports), c.because)
                for c in found]  # fmt: skip
        show.table("Changed", ("", "from", "to", "ports", "because"), rows)


def _change(change: Change) -> dict[str, Any]:
    return {
        "change": "opened" if change.opened else "closed",
        "from": _end(change.sender),
        "to": _end(change.receiver),
        "ports": _ports(change.ports),
        "because": change.because,
    }


def _changes_markdown(found: Sequence[Change], before: str, after: str) -> str:
    lines = [f"### Reachability: `{before}` → `{after}`", ""]
    for opened, title in ((True, "Newly opened"), (False, "Newly closed")):
        rows = [(c.sender.name, c.receiver.name, spelt(c.ports), c.because) for c in found if c.opened is opened]
        if rows:
            lines += [f"**{title}**", "", _markdown(("from", "to", "ports", "because"), rows), ""]
    if not found:
        lines.append("Nothing has opened, and nothing has closed.")
    return "\n".join(lines)


def sarif(found: Sequence[Change], after: str) -> dict[str, Any]:
    """Return the changes as a log of SARIF 2.1.0 (OASIS)."""
    rules = [
        {"id": id, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for id, text, level in RULES.values()
    ]
    driver = {"name": "atoll", "version": version("atoll"), "rules": rules}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(c, after) for c in found]}],
    }


def _result(change: Change, after: str) -> Mapping[str, Any]:
    id, _, level = RULES[change.opened]
    ends = ((change.sender, "sender"), (change.receiver, "receiver"))
    whole = "|".join([id, *(key for end, _ in ends for key in sorted(end.keys)), spelt(change.ports)])
    return {
        "ruleId": id,
        "ruleIndex": 0 if change.opened else 1,
        "level": level,
        "message": {"text": f"{change.says} ({change.because})"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(after.partition(" ")[0])}},
                "logicalLocations": [{"name": end.name, "kind": kind} for end, kind in ends],
            }
        ],
        "partialFingerprints": {"path/v1": hashlib.sha256(whole.encode()).hexdigest()},
    }
