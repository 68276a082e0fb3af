"""The parameters that a cache's nodes have: its group's, with those that wait for a reboot."""

from atoll.console.ask import Answered, Ask
from atoll.console.caches.change import modify
from atoll.console.caches.parameters import parameters_of, table_of
from atoll.console.caches.subject import cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}/parameters"


@page(AT)
async def parameters(ask: Ask) -> Answered:
    """Show a cache's parameter group and its values."""
    cache = await cache_of(ask)
    status = next(iter(cache.clusters), {}).get("CacheParameterGroup", {})
    group = str(status.get("CacheParameterGroupName", ""))
    rows = await parameters_of(ask, group) if group else []
    every = await ask.aws_all("elasticache", "DescribeCacheParameterGroups", "CacheParameterGroups")
    family = next((g["CacheParameterGroupFamily"] for g in every if g["CacheParameterGroupName"] == group), "")
    return ask.view(
        "cache/parameters.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        state=status,
        group=group,
        table=table_of(ask, rows),
        choices=[
            (g["CacheParameterGroupName"], g["CacheParameterGroupName"])
            for g in every
            if g["CacheParameterGroupFamily"] == family
        ],
    )


@act(f"{AT}/group", back=AT)
async def set_group(ask: Ask) -> Answered:
    """Give a cache another parameter group."""
    cache = await cache_of(ask, members=False)
    name = ask.form.get("group")
    await modify(ask, cache, CacheParameterGroupName=name)
    return ask.go(f"{cache.path}/parameters", "cache.done_parameter_group", id=name)
