"""The engines that this machine can run, as AWS lists them."""

from collections.abc import Sequence

from atoll.console.ask import Ask


async def versions_of(ask: Ask, engine: str | None = None) -> Sequence[tuple[str, str, str]]:
    """Return engine, version and parameter family of each build, the newest of an engine first."""
    found = await ask.aws_all("elasticache", "DescribeCacheEngineVersions", "CacheEngineVersions", Engine=engine)
    return [(v["Engine"], v["EngineVersion"], v["CacheParameterGroupFamily"]) for v in reversed(found)]
