"""Parameters: those of a group, and the defaults of a family."""

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.families import families
from atoll.cache.parameters import Parameter, PerNodeType, of_family, per_node_type
from atoll.elasticache import errors
from atoll.elasticache.parameter_group import BAD_FAMILY, find_group
from atoll.model.world import World

SOURCES = ("user", "system", "engine-default")


@operation("elasticache", "DescribeCacheParameters")
def describe_cache_parameters(
    world: World,
    *,
    cache_parameter_group_name: str,
    source: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List a group's parameters; `Source` selects those that a user set, or the others."""
    group = find_group(world, cache_parameter_group_name)
    if source is not None and source not in SOURCES:
        raise errors.BAD_VALUE(got=source, name="Source", why=f"Must be one of {', '.join(SOURCES)}.")
    set_by_user = dict(group.values)
    rows = [
        _render(parameter, set_by_user.get(parameter.name))
        for parameter in of_family(group.family, cluster_on=group.cluster_on)
        if source is None or (source == "user") == (parameter.name in set_by_user)
    ]
    by_type = [] if source == "user" else [_render_by_type(p) for p in per_node_type(group.family)]
    return _page(rows, by_type, max_records, marker)


@operation("elasticache", "DescribeEngineDefaultParameters")
def describe_engine_default_parameters(
    world: World, *, cache_parameter_group_family: str, max_records: int | None = None, marker: str | None = None
) -> Shape:
    """List a family's parameters with their defaults."""
    if cache_parameter_group_family not in families(world):
        raise BAD_FAMILY(family=cache_parameter_group_family)
    rows = [_render(parameter, None) for parameter in of_family(cache_parameter_group_family)]
    by_type = [_render_by_type(p) for p in per_node_type(cache_parameter_group_family)]
    page = _page(rows, by_type, max_records, marker)
    return {"EngineDefaults": {"CacheParameterGroupFamily": cache_parameter_group_family, **page}}


def _page(rows: list[Shape], by_type: list[Shape], max_records: int | None, marker: str | None) -> Shape:
    """Return one page; what depends on the node type comes with the first."""
    page, following = page_query(rows, lambda row: str(row["ParameterName"]), max_records, marker)
    return {
        "Parameters": page,
        "CacheNodeTypeSpecificParameters": [] if marker else by_type,
        "Marker": following,
    }


def _render(parameter: Parameter, value: str | None) -> Shape:
    """Return a parameter as AWS shows it; `value` is the user's, None where the default holds."""
    return {
        "ParameterName": parameter.name,
        "ParameterValue": parameter.value if value is None else value,
        "Description": parameter.description,
        "Source": "system" if value is None else "user",
        "DataType": parameter.kind,
        "AllowedValues": parameter.allowed or None,
        "IsModifiable": parameter.modifiable,
        "MinimumEngineVersion": parameter.since,
        "ChangeType": "requires-reboot" if parameter.reboot else "immediate",
    }


def _render_by_type(parameter: PerNodeType) -> Shape:
    return {
        "ParameterName": parameter.name,
        "Description": parameter.description,
        "Source": "system",
        "DataType": "integer",
        "AllowedValues": "0-",
        "IsModifiable": False,
        "MinimumEngineVersion": "1.4.5" if parameter.name != "maxmemory" else "2.6.13",
        "CacheNodeTypeSpecificValues": [{"CacheNodeType": name, "Value": value} for name, value in parameter.values],
        "ChangeType": "requires-reboot",
    }
