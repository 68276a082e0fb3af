"""Service updates: what there is, and how far each cache is with it."""

from typing import Any

from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/updates"

menu("cache", AT, "cache.updates", order=70)


@page(AT)
async def updates(ask: Ask) -> Answered:
    """List updates, and their state at each cache."""
    found = await ask.aws_all("elasticache", "DescribeServiceUpdates", "ServiceUpdates")
    actions = await ask.aws_all("elasticache", "DescribeUpdateActions", "UpdateActions")
    shown = table(
        ask,
        actions,
        column("update", "cache.update", "ServiceUpdateName"),
        column("cache", "cache.cache", lambda one: one.get("ReplicationGroupId") or one.get("CacheClusterId")),
        column("status", "cache.status", "UpdateActionStatus"),
        column("nodes", "cache.nodes_updated", "NodesUpdated"),
    )
    return ask.view("cache/updates.html", updates=found, table=shown)


@act(f"{AT}/apply", back=AT)
async def apply(ask: Ask) -> Answered:
    """Begin an update of a cache."""
    return await _batch(ask, "BatchApplyUpdateAction", "cache.done_update")


@act(f"{AT}/stop", back=AT)
async def stop(ask: Ask) -> Answered:
    """Leave the nodes alone that an update has not reached."""
    return await _batch(ask, "BatchStopUpdateAction", "cache.done_stop_update")


async def _batch(ask: Ask, action: str, done: str) -> Answered:
    """Do it to one cache; what AWS reports as not done is an error to the person who asked for it."""
    group, cluster = ask.form.get("group"), ask.form.get("cluster")
    names: dict[str, Any] = {"ReplicationGroupIds": [group]} if group else {"CacheClusterIds": [cluster]}
    said = await ask.aws("elasticache", action, ServiceUpdateName=ask.form.get("update"), **names)
    if undone := said.get("UnprocessedUpdateActions"):
        raise AwsError(undone[0]["ErrorType"], undone[0]["ErrorMessage"])
    return ask.go(AT, done, id=group or cluster)
