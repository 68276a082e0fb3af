"""Snapshots of caches with nodes and of serverless ones, in one table: AWS has two sets of calls for them."""

from collections.abc import Sequence
from typing import Any

from atoll.console.ask import Ask
from atoll.console.caches.subject import Cache
from atoll.console.tables import Table, column, table

Row = dict[str, Any]


async def every_snapshot(ask: Ask) -> list[Row]:
    """Return every snapshot."""
    found = await ask.aws_all("elasticache", "DescribeSnapshots", "Snapshots")
    serverless = await ask.aws_all("elasticache", "DescribeServerlessCacheSnapshots", "ServerlessCacheSnapshots")
    return [_of_nodes(one) for one in found] + [_of_serverless(one) for one in serverless]


async def snapshots_of(ask: Ask, cache: Cache) -> list[Row]:
    """Return the snapshots of a cache."""
    if cache.kind == "serverless":
        found = await ask.aws_all(
            "elasticache",
            "DescribeServerlessCacheSnapshots",
            "ServerlessCacheSnapshots",
            ServerlessCacheName=cache.name,
        )
        return [_of_serverless(one) for one in found]
    member = "ReplicationGroupId" if cache.kind == "group" else "CacheClusterId"
    found = await ask.aws_all("elasticache", "DescribeSnapshots", "Snapshots", **{member: cache.name})
    return [_of_nodes(one) for one in found]


def table_of(ask: Ask, rows: Sequence[Row]) -> Table:
    """Return the table of snapshots."""
    return table(
        ask,
        rows,
        column("name", "common.name", "name"),
        column("status", "cache.status", "status"),
        column("cache", "cache.cache", "cache"),
        column("source", "cache.snapshot_source", "source"),
        column("engine", "cache.engine", "engine"),
        column("size", "cache.size", "size"),
        column("created", "cache.created", "created"),
    )


def _of_nodes(said: Row) -> Row:
    parts = said.get("NodeSnapshots", [])
    return {
        "kind": "nodes",
        "name": said["SnapshotName"],
        "status": said["SnapshotStatus"],
        "cache": said.get("ReplicationGroupId") or said.get("CacheClusterId", ""),
        "source": said["SnapshotSource"],
        "engine": f"{said['Engine']} {said['EngineVersion']}",
        "size": ", ".join(part["CacheSize"] for part in parts if part.get("CacheSize")),
        "created": next((part["SnapshotCreateTime"] for part in parts if part.get("SnapshotCreateTime")), None),
        "said": said,
    }


def _of_serverless(said: Row) -> Row:
    about = said.get("ServerlessCacheConfiguration", {})
    return {
        "kind": "serverless",
        "name": said["ServerlessCacheSnapshotName"],
        "status": said["Status"],
        "cache": about.get("ServerlessCacheName", ""),
        "source": said["SnapshotType"],
        "engine": f"{about.get('Engine', '')} {about.get('MajorEngineVersion', '')}",
        "size": said.get("BytesUsedForCache", ""),
        "created": said.get("CreateTime"),
        "said": said,
    }
