"""Drills and chaos: break a host, a rack, a zone or a link, with a timer that mends it; and what failovers did."""

import shlex
from datetime import UTC, datetime
from typing import Any, cast

from atoll.admin.chaos import ACTS, SECONDS_MAX
from atoll.admin.drill_routes import Service as Drills
from atoll.aws.errors import AwsError
from atoll.console import private
from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.model.digits import is_number
from atoll.model.zones import zones

AT = "/tools/chaos"
STEPS_MAX = 60  # of failovers, the newest
SECONDS = 60  # until a fault is reverted, unless a person says otherwise

menu("tools", AT, "chaos.title", order=40)


@page(AT)
async def show(ask: Ask) -> Answered:
    """Show what is broken and for how long, and offer to break more."""
    faults = await private.get(ask, "/_atoll/chaos")
    groups = await ask.aws_all("elasticache", "DescribeReplicationGroups", "ReplicationGroups")
    status = await private.get(ask, "/_atoll/status")
    ask.show("atoll chaos list")
    steps = cast(Drills, ask.service).failover_steps()[-STEPS_MAX:]
    return ask.view(
        "tools/chaos.html",
        faults=[{**fault, "left": _left(fault["until"])} for fault in faults],
        acts=[(one, ask.t(f"chaos.act_{one.replace('-', '_')}")) for one in ACTS],
        targets=_targets(ask, status),
        groups=groups,
        steps=[{**step, "when": datetime.fromtimestamp(step["at"], UTC)} for step in reversed(steps)],
        seconds=SECONDS,
        is_paper=status["mode"] == "paper",
    )


def _left(until: str | None) -> int | None:
    """Return the seconds until a fault is reverted; `None`: somebody has to do it."""
    return max(0, round((datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds())) if until else None


def _targets(ask: Ask, status: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(zone.name, ask.t("chaos.zone")) for zone in zones(ask.region)]
    found += [(i["id"], i["name"] or i["type"]) for i in status["instances"] if i["state"] == "running"]
    found += [(f"{c['name']}:{n['id']}" if len(c["nodes"]) > 1 else c["name"], c["engine"])
              for c in status["caches"] for n in c["nodes"]]  # fmt: skip
    hosts = {i["placement"]["host"] for i in status["instances"]} | {
        n["host"] for c in status["caches"] for n in c["nodes"]
    }
    return found + [(host, ask.t("chaos.host")) for host in sorted(h for h in hosts if h)]


@act(f"{AT}/begin", back=AT)
async def begin(ask: Ask) -> Answered:
    """Break something."""
    what, target, seconds = (ask.form.get(name) for name in ("act", "target", "seconds"))
    if seconds and not is_number(seconds, SECONDS_MAX):
        raise AwsError("InvalidRequest", ask.t("chaos.not_seconds", given=seconds))
    limit = float(seconds) if seconds else None
    fault = await private.post(ask, "/_atoll/chaos", act=what, target=target, seconds=limit)
    ask.show(shlex.join(["atoll", "chaos", what, target, *(["--for", seconds] if seconds else [])]))
    return ask.go(AT, "chaos.done_begun", id=fault["id"])


@act(f"{AT}/revert", back=AT)
async def revert(ask: Ask) -> Answered:
    """Mend it."""
    id = ask.form.get("id")
    await private.post(ask, "/_atoll/chaos/revert", **({"id": id} if id else {"all": True}))
    ask.show(f"atoll chaos revert {id or '--all'}")
    return ask.go(AT, "chaos.done_reverted", id=id or "")
