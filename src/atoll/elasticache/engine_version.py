"""Engine versions: what can run here, and which build a request gets."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.families import (
    DESCRIPTIONS,
    ENGINES,
    Build,
    builds,
    choose,
    names_minor_only,
    numbers,
    short_version,
)
from atoll.model.world import World

BAD_ENGINE = Err("InvalidParameterValue", "Invalid value {engine} for Engine. Must be one of {engines}.")
NO_PATCHES = Err(
    "InvalidParameterValue", "Specific version selection is not allowed for '{version}', please use '{short}'"
)
NO_VERSION = Err(
    "InvalidParameterValue",
    "Cannot find version {version} for {engine}. The versions available here are: {versions}. To have another one, "
    "put its server into a directory for `atoll up --engine-dir` (docs/engines.md).",
)
NO_BUILD = Err(
    "InvalidParameterValue",
    "Atoll found no {engine} that this machine can run; install the package that has it, and Atoll finds it "
    "within seconds.",
)


@operation("elasticache", "DescribeCacheEngineVersions")
def describe_cache_engine_versions(
    world: World,
    *,
    engine: str | None = None,
    engine_version: str | None = None,
    cache_parameter_group_family: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
    default_only: bool = False,
) -> Shape:
    """List the engines that this machine can run; `DefaultOnly`: the newest of each."""
    found = {f"{b.engine} {_sortable(b.label)}": b for b in builds(world, engine if engine in ENGINES else None)}
    newest = {b.engine: b for b in found.values()}  # the last of each engine: they are sorted by version
    rows = [
        (key, b)
        for key, b in found.items()
        if engine in (None, b.engine)
        and engine_version in (None, b.label)
        and cache_parameter_group_family in (None, b.family)
        and (not default_only or newest[b.engine] is b)
    ]
    page, marker = page_query(rows, lambda row: row[0], max_records, marker)
    return {"CacheEngineVersions": [render(build) for _, build in page], "Marker": marker}


def choose_build(world: World, engine: str, version: str | None) -> Build:
    """Return the build that a request gets: of the version asked for, else the newest.  Raises what helps."""
    if engine not in ENGINES:
        raise BAD_ENGINE(engine=engine, engines=", ".join(ENGINES))
    if version and version.count(".") > 1 and names_minor_only(engine, version):
        raise NO_PATCHES(version=version, short=short_version(version))
    build = choose(world, engine, version)
    if build is None:
        available = dict.fromkeys(b.label for b in builds(world, engine))
        if not available:
            raise NO_BUILD(engine=engine)
        raise NO_VERSION(version=version, engine=engine, versions=", ".join(available))
    return build


def render(build: Build) -> Shape:
    """Return a build as AWS's CacheEngineVersion."""
    engine = DESCRIPTIONS[build.engine]
    return {
        "Engine": build.engine,
        "EngineVersion": build.label,
        "CacheParameterGroupFamily": build.family,
        "CacheEngineDescription": engine,
        "CacheEngineVersionDescription": f"{engine} version {build.version}",
    }


def _sortable(version: str) -> str:
    return ".".join(f"{number:06d}" for number in numbers(version))
