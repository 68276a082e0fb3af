"""The failover of a group: the button, and the time line of what clients saw."""

from typing import cast

from markupsafe import Markup

from atoll.admin.drill_report import Report
from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.caches import drill
from atoll.console.caches.subject import cache_of
from atoll.console.draw.time_line import Bucket, Happening, Story, Words, time_line
from atoll.console.site import act, page
from atoll.network.flow import Verdict
from atoll.network.places import PlaceError, endpoint
from atoll.network.trace import trace

AT = "/cache/caches/group/{name}/failover"
BEFORE, AFTER = 0.5, 1.6  # of the time until all was well: what is shown before the fault, and after it
LEAST_MS = 40.0
EVERY_SECONDS = 1  # a drill that runs is looked at
NOBODY = "nobody"  # writes: only what the failover does is seen
SOURCES_MAX = 50  # instances that are offered: each is traced


@page(AT)
async def failover(ask: Ask) -> Answered:
    """Show how a group can be failed over, and what the last time was like."""
    ask.parts = {**ask.parts, "kind": "group"}
    cache = await cache_of(ask)
    found = drill.last(ask.caller, cache.name)
    return ask.view(
        "cache/failover.html",
        cache=cache,
        faults=[
            (fault, ask.t(f"cache.fault_{fault}"), ask.t(f"cache.about_fault_{fault}")) for fault in drill.FAULTS
        ],
        nobody=NOBODY,
        sources=await _sources(ask, cache.name, cache.endpoint[1]) if cache.endpoint else [],
        drill=found,
        picture=Markup(_picture(ask, found)) if found and found.report else "",
        every=EVERY_SECONDS,
        is_paper=ask.service.where()["mode"] == "paper",
        has_replica=len(cache.member_names) > len(cache.shards),
    )


@act(f"{AT}/start", back=AT)
async def start(ask: Ask) -> Answered:
    """Fail over now."""
    name, fault, source = ask.parts["name"], ask.form.get("fault"), ask.form.get("source")
    if source == NOBODY:
        source = ""
    if fault not in drill.FAULTS:
        raise AwsError("InvalidParameterValue", f"{fault!r} is not one of {', '.join(drill.FAULTS)}")
    if ask.service.where()["mode"] == "paper":
        raise AwsError("InvalidReplicationGroupState", ask.t("cache.paper_cannot_fail"))
    try:
        service = cast("drill.Harmful", ask.service)  # the daemon, which does more than pages ask of it
        drill.start(service, ask.caller, name, fault, source)
    except drill.Failed as error:
        raise AwsError("InvalidReplicationGroupState", str(error)) from None
    ask.show(_command(name, fault, source))
    return ask.go(AT.format(name=name), "cache.done_failover", id=name)


def _command(name: str, fault: str, source: str) -> str:
    if fault == drill.TEST:
        return f"aws elasticache test-failover --replication-group-id {name} --node-group-id 0001"
    return f"atoll drill failover {name} --fault {fault}" + (f" --from {source}" if source else "")


async def _sources(ask: Ask, group: str, port: int) -> list[tuple[str, str]]:
    """Return the instances that run and may talk to the primary."""
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    found = await ask.aws_all("ec2", "DescribeInstances", "Reservations", Filters=running)
    world = ask.service.backend.world(ask.caller)
    sources = []
    for instance in [i for r in found for i in r["Instances"]][:SOURCES_MAX]:
        id = instance["InstanceId"]
        try:
            near, far = endpoint(world, ask.caller, id), endpoint(world, ask.caller, group)
        except PlaceError:
            continue
        if trace(world, near.at, far.address, "tcp", port).verdict is Verdict.DELIVERED:
            sources.append((id, f"{id} {name_of(instance)}".strip()))
    return sources


def _picture(ask: Ask, found: drill.Drill) -> str:
    """Return the time line of a drill that is over."""
    report = found.report
    assert report, "it is over"
    outage = None
    if report.outage_ms and report.resumed_ms is not None:
        outage = (report.resumed_ms - report.outage_ms, report.resumed_ms)
    story = Story(
        buckets=tuple(Bucket(at, writes, errors) for at, writes, errors in report.buckets),
        bucket_ms=found.bucket_seconds * 1000,
        happenings=tuple(_happenings(ask, found, report)),
        outage_ms=outage,
        from_ms=-max(found.until_ms * BEFORE, LEAST_MS),
        until_ms=max(found.until_ms * AFTER, LEAST_MS * 3),
    )
    words = Words(
        title=ask.t("cache.failover_title", name=found.group),
        writes=ask.t("cache.writes_axis"),
        outage=ask.t("cache.outage_text", ms="{ms}"),
        write_errors=ask.t("cache.write_errors", at="{at}", writes="{writes}", errors="{errors}"),
    )
    return time_line(story, words)


def _happenings(ask: Ask, found: drill.Drill, report: Report) -> list[Happening]:
    t = ask.t
    rows = [Happening(0.0, t("cache.happened_fault", what=t(f"cache.fault_{found.fault}")), "fault")]
    for step in found.steps:
        to = step.get("to") or step.get("leader_id") or ""
        about = " ".join(filter(None, (step["act"], step.get("id", ""), f"→ {to}" if to else "")))
        rows.append(Happening(round((step["at"] - found.at) * 1000, 1), f"{about}: {step['because']}"))
    if report.name_ms is not None:
        rows.append(Happening(report.name_ms, t("cache.happened_name")))
    if report.resumed_ms is not None:
        rows.append(Happening(report.resumed_ms, t("cache.happened_first"), "good"))
    if report.slowest_ms is not None and report.slowest_ms != report.resumed_ms:
        rows.append(Happening(report.slowest_ms, t("cache.happened_all"), "good"))
    if report.readonly_ms:
        until = f"{report.readonly_ms[1]:.1f}"
        rows.append(Happening(report.readonly_ms[0], t("cache.happened_readonly", ms=until), "fault"))
    return rows
