"""Snapshots: what there is of them, and what is made of one: a copy, an export, a new cache."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.caches.snapshots import every_snapshot, table_of
from atoll.console.site import act, menu, page

AT = "/cache/snapshots"
ONE = f"{AT}/{{kind}}/{{name}}"  # kind: "nodes" or "serverless", as AWS has calls for them

menu("cache", AT, "cache.snapshots", order=20)


@page(AT)
async def snapshots(ask: Ask) -> Answered:
    """List snapshots."""
    return ask.view("cache/snapshots.html", table=table_of(ask, await every_snapshot(ask)))


@page(ONE)
async def snapshot(ask: Ask) -> Answered:
    """Show a snapshot."""
    name = ask.parts["name"]
    if _is_serverless(ask):
        said = await ask.aws("elasticache", "DescribeServerlessCacheSnapshots", ServerlessCacheSnapshotName=name)
        found = said["ServerlessCacheSnapshots"][0]
        about: dict[str, Any] = found.get("ServerlessCacheConfiguration", {})
        shards: list[dict[str, Any]] = []
        engine = about.get("Engine", "")
    else:
        said = await ask.aws("elasticache", "DescribeSnapshots", SnapshotName=name, ShowNodeGroupConfig=True)
        found = said["Snapshots"][0]
        shards, engine = found.get("NodeSnapshots", []), found["Engine"]
    status = found.get("SnapshotStatus") or found.get("Status")
    return ask.view(
        "cache/snapshot.html",
        name=name,
        kind=ask.parts["kind"],
        said=found,
        shards=shards,
        state=status,
        engine=engine,
    )


@act(f"{ONE}/copy", back=ONE)
async def copy(ask: Ask) -> Answered:
    """Make a second snapshot of the same data."""
    name, target = ask.parts["name"], ask.form.get("target")
    if _is_serverless(ask):
        await ask.aws(
            "elasticache",
            "CopyServerlessCacheSnapshot",
            SourceServerlessCacheSnapshotName=name,
            TargetServerlessCacheSnapshotName=target,
        )
    else:
        await ask.aws("elasticache", "CopySnapshot", SourceSnapshotName=name, TargetSnapshotName=target)
    return ask.go(AT, "cache.done_copy", id=target)


@act(f"{ONE}/export", back=ONE)
async def export(ask: Ask) -> Answered:
    """Put a snapshot's files into a bucket."""
    name, bucket = ask.parts["name"], ask.form.get("bucket")
    if _is_serverless(ask):
        names = {"ServerlessCacheSnapshotName": name, "S3BucketName": bucket}
        await ask.aws("elasticache", "ExportServerlessCacheSnapshot", **names)
    else:
        target = ask.form.get("target") or name
        names = {"SourceSnapshotName": name, "TargetSnapshotName": target, "TargetBucket": bucket}
        await ask.aws("elasticache", "CopySnapshot", **names)
    return ask.go(f"{AT}/{ask.parts['kind']}/{name}", "cache.done_export", id=bucket)


@act(f"{ONE}/delete", back=ONE)
async def delete(ask: Ask) -> Answered:
    """Delete a snapshot."""
    name = ask.parts["name"]
    if _is_serverless(ask):
        await ask.aws("elasticache", "DeleteServerlessCacheSnapshot", ServerlessCacheSnapshotName=name)
    else:
        await ask.aws("elasticache", "DeleteSnapshot", SnapshotName=name)
    return ask.go(AT, "cache.done_delete", id=name)


def _is_serverless(ask: Ask) -> bool:
    return ask.parts["kind"] == "serverless"
