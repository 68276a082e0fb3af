"""Parameter groups: their values, with the types and limits of each, and what they are used by."""

from atoll.console.ask import Answered, Ask
from atoll.console.caches.engines import versions_of
from atoll.console.caches.parameters import choices_of, parameters_of, table_of
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/parameter-groups"
CHANGES_MAX = 20  # of one call

menu("cache", AT, "cache.parameter_groups", order=40)


@page(AT)
async def groups(ask: Ask) -> Answered:
    """List parameter groups."""
    found = await ask.aws_all("elasticache", "DescribeCacheParameterGroups", "CacheParameterGroups")
    shown = table(
        ask,
        found,
        column("name", "common.name", "CacheParameterGroupName"),
        column("family", "cache.family", "CacheParameterGroupFamily"),
        column("description", "cache.description", "Description"),
    )
    return ask.view("cache/parameter_groups.html", table=shown)


@page(f"{AT}/create")
async def form(ask: Ask) -> Answered:
    """Show the form of a new parameter group."""
    families = dict.fromkeys(family for _, _, family in await versions_of(ask))
    return ask.view("cache/parameter_group_create.html", families=[(family, family) for family in families])


@act(f"{AT}/create", back=f"{AT}/create")
async def create(ask: Ask) -> Answered:
    """Make a parameter group."""
    name = ask.form.get("name")
    await ask.aws(
        "elasticache",
        "CreateCacheParameterGroup",
        CacheParameterGroupName=name,
        CacheParameterGroupFamily=ask.form.get("family"),
        Description=ask.form.get("description") or name,
    )
    return ask.go(f"{AT}/{name.lower()}", "cache.done_create", id=name)


@page(f"{AT}/{{name}}")
async def group(ask: Ask) -> Answered:
    """Show a group's parameters; those of one that can be changed as fields."""
    name = ask.parts["name"]
    said = await ask.aws("elasticache", "DescribeCacheParameterGroups", CacheParameterGroupName=name)
    found = said["CacheParameterGroups"][0]
    rows = await parameters_of(ask, name)
    clusters = await ask.aws_all("elasticache", "DescribeCacheClusters", "CacheClusters")
    users = {
        (c.get("ReplicationGroupId", ""), c["CacheClusterId"])
        for c in clusters
        if c["CacheParameterGroup"]["CacheParameterGroupName"] == found["CacheParameterGroupName"]
    }
    paths = dict.fromkeys(("group/" + group if group else "cluster/" + cluster) for group, cluster in sorted(users))
    return ask.view(
        "cache/parameter_group.html",
        group=found,
        table=table_of(ask, rows),
        choices_of=choices_of,
        is_fixed=name.startswith("default."),
        used_by=list(paths),
    )


@act(f"{AT}/{{name}}/modify", back=f"{AT}/{{name}}")
async def modify(ask: Ask) -> Answered:
    """Set the parameters that a person wrote otherwise than they are."""
    name = ask.parts["name"]
    now = {one["ParameterName"]: str(one.get("ParameterValue") or "") for one in await parameters_of(ask, name)}
    changed = [
        {"ParameterName": field.removeprefix("p."), "ParameterValue": value.strip()}
        for field, value in ask.form.pairs()
        if field.startswith("p.") and now.get(field.removeprefix("p."), "") != value.strip()
    ]
    for first in range(0, len(changed), CHANGES_MAX):
        await ask.aws(
            "elasticache",
            "ModifyCacheParameterGroup",
            CacheParameterGroupName=name,
            ParameterNameValues=changed[first : first + CHANGES_MAX],
        )
    done = "cache.done_parameters" if changed else "cache.done_nothing"
    return ask.go(f"{AT}/{name}", done, id=", ".join(one["ParameterName"] for one in changed))


@act(f"{AT}/{{name}}/reset", back=f"{AT}/{{name}}")
async def reset(ask: Ask) -> Answered:
    """Give one parameter its default back, or all."""
    name, parameter = ask.parts["name"], ask.form.get("parameter")
    which = {"ParameterNameValues": [{"ParameterName": parameter}]} if parameter else {"ResetAllParameters": True}
    await ask.aws("elasticache", "ResetCacheParameterGroup", CacheParameterGroupName=name, **which)
    return ask.go(f"{AT}/{name}", "cache.done_reset", id=parameter or name)


@act(f"{AT}/{{name}}/delete", back=f"{AT}/{{name}}")
async def delete(ask: Ask) -> Answered:
    """Delete a parameter group."""
    name = ask.parts["name"]
    await ask.aws("elasticache", "DeleteCacheParameterGroup", CacheParameterGroupName=name)
    return ask.go(AT, "cache.done_delete", id=name)
