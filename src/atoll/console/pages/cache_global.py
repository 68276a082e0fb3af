"""Global datastores: groups of several regions with the same data."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table
from atoll.model.digits import is_number

AT = "/cache/global"

menu("cache", AT, "cache.globals", order=65)


@page(AT)
async def datastores(ask: Ask) -> Answered:
    """List global datastores."""
    found = await _every(ask)
    shown = table(
        ask,
        found,
        column("name", "common.name", "GlobalReplicationGroupId"),
        column("status", "cache.status", "Status"),
        column("engine", "cache.engine", "Engine"),
        column("members", "cache.members", lambda one: len(one.get("Members", ())), is_number=True),
    )
    return ask.view("cache/globals.html", table=shown)


@page(f"{AT}/create")
async def form(ask: Ask) -> Answered:
    """Show the form of a new global datastore."""
    groups = await ask.aws_all("elasticache", "DescribeReplicationGroups", "ReplicationGroups")
    free = [g["ReplicationGroupId"] for g in groups if not g.get("GlobalReplicationGroupInfo")]
    return ask.view("cache/global_create.html", groups=[(name, name) for name in free])


@act(f"{AT}/create", back=f"{AT}/create")
async def create(ask: Ask) -> Answered:
    """Make a global datastore of a group."""
    said = await ask.aws(
        "elasticache",
        "CreateGlobalReplicationGroup",
        GlobalReplicationGroupIdSuffix=ask.form.get("suffix"),
        PrimaryReplicationGroupId=ask.form.get("group"),
        GlobalReplicationGroupDescription=ask.form.get("description") or None,
    )
    name = said["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
    return ask.go(f"{AT}/{name}", "cache.done_create", id=name)


@page(f"{AT}/{{name}}")
async def datastore(ask: Ask) -> Answered:
    """Show a global datastore and its members."""
    found = await _every(ask, ask.parts["name"])
    return ask.view("cache/global.html", one=found[0])


@act(f"{AT}/{{name}}/join", back=f"{AT}/{{name}}")
async def join(ask: Ask) -> Answered:
    """Make a secondary in this region."""
    name = ask.form.get("group")
    await ask.aws(
        "elasticache",
        "CreateReplicationGroup",
        ReplicationGroupId=name,
        ReplicationGroupDescription=name,
        GlobalReplicationGroupId=ask.parts["name"],
        NumCacheClusters=ask.form.get("count") or None,
        ReplicasPerNodeGroup=ask.form.get("replicas") or None,  # of one in cluster mode
    )
    return ask.go(f"{AT}/{ask.parts['name']}", "cache.done_join", id=name)


@act(f"{AT}/{{name}}/failover", back=f"{AT}/{{name}}")
async def failover(ask: Ask) -> Answered:
    """Make a secondary the primary."""
    group, region = ask.form.get("group"), ask.form.get("region")
    await ask.aws(
        "elasticache",
        "FailoverGlobalReplicationGroup",
        GlobalReplicationGroupId=ask.parts["name"],
        PrimaryRegion=region,
        PrimaryReplicationGroupId=group,
    )
    return ask.go(f"{AT}/{ask.parts['name']}", "cache.done_promote", id=group)


@act(f"{AT}/{{name}}/leave", back=f"{AT}/{{name}}")
async def leave(ask: Ask) -> Answered:
    """Let a secondary go."""
    group = ask.form.get("group")
    await ask.aws(
        "elasticache",
        "DisassociateGlobalReplicationGroup",
        GlobalReplicationGroupId=ask.parts["name"],
        ReplicationGroupId=group,
        ReplicationGroupRegion=ask.form.get("region"),
    )
    return ask.go(f"{AT}/{ask.parts['name']}", "cache.done_leave", id=group)


@act(f"{AT}/{{name}}/shards", back=f"{AT}/{{name}}")
async def shards(ask: Ask) -> Answered:
    """Have another number of shards, without those that are ticked; with as many as now the slots are balanced."""
    name, going = ask.parts["name"], ask.form.all("remove")
    before = len((await _every(ask, name))[0].get("GlobalNodeGroups", ()))
    wanted = ask.form.get("shards") or str(before - len(going))
    asked = {"GlobalReplicationGroupId": name, "ApplyImmediately": True}
    if wanted == str(before) and not going:
        await ask.aws("elasticache", "RebalanceSlotsInGlobalReplicationGroup", **asked)
    elif going or (is_number(wanted, 99) and int(wanted) < before):
        asked |= {"NodeGroupCount": wanted, "GlobalNodeGroupsToRemove": going or None}
        await ask.aws("elasticache", "DecreaseNodeGroupsInGlobalReplicationGroup", **asked)
    else:
        await ask.aws("elasticache", "IncreaseNodeGroupsInGlobalReplicationGroup", **asked, NodeGroupCount=wanted)
    return ask.go(f"{AT}/{name}", "cache.done_shards", id=wanted)


@act(f"{AT}/{{name}}/delete", back=f"{AT}/{{name}}")
async def delete(ask: Ask) -> Answered:
    """Delete a global datastore; its primary stays."""
    name = ask.parts["name"]
    await ask.aws(
        "elasticache",
        "DeleteGlobalReplicationGroup",
        GlobalReplicationGroupId=name,
        RetainPrimaryReplicationGroup=True,
    )
    return ask.go(AT, "cache.done_delete", id=name)


async def _every(ask: Ask, name: str | None = None) -> list[dict[str, Any]]:
    return await ask.aws_all(
        "elasticache",
        "DescribeGlobalReplicationGroups",
        "GlobalReplicationGroups",
        GlobalReplicationGroupId=name,
        ShowMemberInfo=True,
    )
