"""The tags of a cache."""

from atoll.console.ask import Answered, Ask
from atoll.console.caches.subject import cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}/tags"


@page(AT)
async def tags(ask: Ask) -> Answered:
    """Show a cache's tags."""
    cache = await cache_of(ask, members=False)
    found = await ask.aws("elasticache", "ListTagsForResource", ResourceName=cache.arn)
    return ask.view("cache/tags.html", cache=cache, tabs=tabs_of(ask, cache), found=found.get("TagList", []))


@act(f"{AT}/add", back=AT)
async def add(ask: Ask) -> Answered:
    """Add a tag, or change its value."""
    cache = await cache_of(ask, members=False)
    key = ask.form.get("key")
    tag = {"Key": key, "Value": ask.form.get("value")}
    await ask.aws("elasticache", "AddTagsToResource", ResourceName=cache.arn, Tags=[tag])
    return ask.go(f"{cache.path}/tags", "cache.done_tag", id=key)


@act(f"{AT}/remove", back=AT)
async def remove(ask: Ask) -> Answered:
    """Remove a tag."""
    cache = await cache_of(ask, members=False)
    key = ask.form.get("key")
    await ask.aws("elasticache", "RemoveTagsFromResource", ResourceName=cache.arn, TagKeys=[key])
    return ask.go(f"{cache.path}/tags", "cache.done_untag", id=key)
