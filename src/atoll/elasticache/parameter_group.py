"""Cache parameter groups: AWS's default ones, which never change, and those that users make.

A node takes its group's values when it starts.  What is changed later is applied to it while it runs, by the control
loop, where the parameter's ChangeType is `immediate`; what requires a reboot waits for one (`cache/tuning.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.families import DefaultGroup, default_groups, families
from atoll.cache.history import PARAMETER_GROUP, record
from atoll.cache.parameters import Parameter, of_family
from atoll.cache.tuning import APPLYING, IN_SYNC, PENDING_REBOOT, state, wanted
from atoll.elasticache import errors
from atoll.elasticache.find import arn_of, owner_key
from atoll.elasticache.naming import other_name
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheCluster
from atoll.model.names import arn
from atoll.model.parameter import CacheParameterGroup
from atoll.model.quota import PARAMETER_GROUPS, allowed
from atoll.model.world import Tx, World

CHANGES_MAX = 20
MODE = "cluster-enabled"  # the mode of the clusters that a group is for: fixed while there are any

EXISTS = Err("CacheParameterGroupAlreadyExists", "Cache parameter group {name} already exists.")
BAD_FAMILY = Err("InvalidParameterValue", "CacheParameterGroupFamily {family} is not a valid parameter group family")
TOO_MANY = Err("CacheParameterGroupQuotaExceeded", "You can have at most {limit} cache parameter groups.")
FIXED = Err("InvalidCacheParameterGroupState", "The default parameter group {name} cannot be modified or deleted.")
IN_USE = Err(
    "InvalidCacheParameterGroupState",
    "One or more cache clusters are still members of this parameter group {name}, so the group cannot be deleted.",
)
MODE_IN_USE = Err(
    "InvalidCacheParameterGroupState",
    "The parameter cluster-enabled of {name} cannot be changed: cache clusters are members of this parameter group.",
)
TOO_MANY_CHANGES = Err(
    "InvalidParameterCombination", "Cannot modify more than {limit} parameters in a single request"
)
NO_PARAMETER = Err("InvalidParameterValue", "The parameter {parameter} does not exist in family {family}.")
NOT_MODIFIABLE = Err("InvalidParameterValue", "The parameter {parameter} cannot be modified.")
BAD_PARAMETER = Err(
    "InvalidParameterValue", "The parameter value {value} for {parameter} is invalid. Allowed values: {allowed}."
)
NOTHING_GIVEN = Err("InvalidParameterValue", "ParameterNameValues must be provided, or ResetAllParameters.")

# What AWS lets users set and no engine here can do, with the only value that it can have.
_IMMUTABLE_HERE = {
    "activedefrag": ("no", "whether an engine can do it depends on how it was built."),
    "close-on-replica-write": ("yes", "it is AWS's own addition to the engine."),
}


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group, whoever made it."""

    name: str
    family: str
    description: str
    cluster_on: bool
    values: tuple[tuple[str, str], ...]  # those set by a user
    custom: CacheParameterGroup | None  # None: a default group


@operation("elasticache", "CreateCacheParameterGroup")
def create_cache_parameter_group(
    tx: Tx,
    *,
    cache_parameter_group_name: str,
    cache_parameter_group_family: str,
    description: str,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Make a parameter group, for now with its family's defaults."""
    name = other_name(cache_parameter_group_name, "CacheParameterGroupName")
    if tx.get(CacheParameterGroup, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    if cache_parameter_group_family not in families(tx.world):
        raise BAD_FAMILY(family=cache_parameter_group_family)
    limit = allowed(tx.world, PARAMETER_GROUPS)
    if tx.world.count(CacheParameterGroup) >= limit:
        raise TOO_MANY(limit=limit)
    made = tx.make(
        CacheParameterGroup,
        owner_key(tx.world, name),
        name=name,
        family=cache_parameter_group_family,
        description=description,
        tags=tags_of(tags),
    )
    record(tx, made, PARAMETER_GROUP, name, f"Cache parameter group {name} created")
    return {"CacheParameterGroup": render(tx.world, _custom(made))}


@operation("elasticache", "DescribeCacheParameterGroups", pure=True)
def describe_cache_parameter_groups(
    world: World,
    *,
    cache_parameter_group_name: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List parameter groups, or show one."""
    groups = [find_group(world, cache_parameter_group_name)] if cache_parameter_group_name else _every(world)
    page, marker = page_query(groups, lambda group: group.name, max_records, marker)
    return {"CacheParameterGroups": [render(world, group) for group in page], "Marker": marker}


@operation("elasticache", "ModifyCacheParameterGroup")
def modify_cache_parameter_group(
    tx: Tx, *, cache_parameter_group_name: str, parameter_name_values: Sequence[Shape]
) -> Shape:
    """Set up to 20 parameters of a group."""
    group = _changeable(tx.world, cache_parameter_group_name)
    if not parameter_name_values:
        raise errors.MISSING(name="ParameterNameValues")
    changes = _named(group, parameter_name_values)
    values, mode = dict(group.values), "yes" if _custom(group).cluster_on else "no"
    for parameter, value in changes:
        _check(parameter, value)
        if parameter.name == MODE and value != mode and _is_used(tx.world, group):
            raise MODE_IN_USE(name=group.name)
        if not (parameter.name == MODE and value == mode and group.cluster_on):  # it is of that mode without a value
            values[parameter.name] = value
    tx.put(group.but(values=tuple(sorted(values.items()))))
    for parameter, value in changes:
        record(tx, group, PARAMETER_GROUP, group.name, f"Updated parameter {parameter.name} to {value}")
    return {"CacheParameterGroupName": group.name}


@operation("elasticache", "ResetCacheParameterGroup")
def reset_cache_parameter_group(
    tx: Tx,
    *,
    cache_parameter_group_name: str,
    reset_all_parameters: bool = False,
    parameter_name_values: Sequence[Shape] = (),
) -> Shape:
    """Give some parameters of a group their defaults back, or all."""
    group = _changeable(tx.world, cache_parameter_group_name)
    if not reset_all_parameters and not parameter_name_values:
        raise NOTHING_GIVEN()
    reset = {parameter.name for parameter, _ in _named(group, parameter_name_values)}
    kept = () if reset_all_parameters else tuple((name, v) for name, v in group.values if name not in reset)
    tx.put(group.but(values=kept))
    return {"CacheParameterGroupName": group.name}


@operation("elasticache", "DeleteCacheParameterGroup")
def delete_cache_parameter_group(tx: Tx, *, cache_parameter_group_name: str) -> None:
    """Delete a group that no cluster uses."""
    group = _changeable(tx.world, cache_parameter_group_name)
    if _is_used(tx.world, group):
        raise IN_USE(name=group.name)
    tx.delete(group)


def _is_used(world: World, group: CacheParameterGroup) -> bool:
    return next(world.all(CacheCluster, parameter_group=group.name), None) is not None


def find_group(world: World, name: str) -> Group:
    """Return a default group, or one of the caller's.  Raises PARAMETER_GROUP_NOT_FOUND."""
    made = world.get(CacheParameterGroup, owner_key(world, name))
    if made:
        return _custom(made)
    group = next((group for group in default_groups(world) if group.name == name.lower()), None)
    if group is None:
        raise errors.PARAMETER_GROUP_NOT_FOUND(name=name)
    return _default(group)


def find(world: World, name: str) -> CacheParameterGroup | None:
    """Return the resource of a group, None for a default one.  Raises PARAMETER_GROUP_NOT_FOUND."""
    return find_group(world, name).custom


def render(world: World, group: Group) -> Shape:
    """Return a group as AWS's CacheParameterGroup."""
    assert world.caller, "an operation has a caller"
    resource = f"parametergroup:{group.name}"
    return {
        "CacheParameterGroupName": group.name,
        "CacheParameterGroupFamily": group.family,
        "Description": group.description,
        "IsGlobal": group.custom is not None and group.custom.is_global,
        "ARN": arn_of(group.custom, "parametergroup", group.name)
        if group.custom
        else arn("elasticache", world.caller.region, world.caller.account, resource),
    }


def render_status(world: World, cluster: CacheCluster) -> Shape:
    """Return a cluster's CacheParameterGroupStatus: how far its nodes are with what its group says.

    While one still applies what it can, AWS names no nodes to reboot.
    """
    said = wanted(world, cluster)
    states = {node.id: state(cluster, node, said) for node in cluster.nodes if node.status != "deleting"}
    overall = next((s for s in (APPLYING, PENDING_REBOOT) if s in states.values()), IN_SYNC)
    return {
        "CacheParameterGroupName": cluster.parameter_group,
        "ParameterApplyStatus": overall,
        "CacheNodeIdsToReboot": [id for id, s in states.items() if s == overall == PENDING_REBOOT],
    }


def _default(group: DefaultGroup) -> Group:
    return Group(group.name, group.family, group.description, group.cluster_on, (), None)


def _custom(made: CacheParameterGroup) -> Group:
    cluster_on = dict(made.values).get(MODE, "yes" if made.cluster_on else "no") == "yes"
    return Group(made.name, made.family, made.description, cluster_on, made.values, made)


def _every(world: World) -> list[Group]:
    return [*map(_default, default_groups(world)), *map(_custom, world.all(CacheParameterGroup))]


def _changeable(world: World, name: str) -> CacheParameterGroup:
    group = find_group(world, name)
    if group.custom is None:
        raise FIXED(name=group.name)
    return group.custom


def _named(group: CacheParameterGroup, pairs: Sequence[Shape]) -> list[tuple[Parameter, str]]:
    """Return the parameters that a request names, with the values it gives."""
    if len(pairs) > CHANGES_MAX:
        raise TOO_MANY_CHANGES(limit=CHANGES_MAX)
    known: Mapping[str, Parameter] = {parameter.name: parameter for parameter in of_family(group.family)}
    out = []
    for pair in pairs:
        name = pair.get("ParameterName", "")
        if name not in known:
            raise NO_PARAMETER(parameter=name, family=group.family)
        out.append((known[name], pair.get("ParameterValue", "")))
    return out


def _check(parameter: Parameter, value: str) -> None:
    if not parameter.modifiable:
        raise NOT_MODIFIABLE(parameter=parameter.name)
    if not parameter.accepts(value):
        allowed = parameter.allowed or f"letters of {parameter.letters}"
        raise BAD_PARAMETER(value=value, parameter=parameter.name, allowed=allowed)
    only, because = _IMMUTABLE_HERE.get(parameter.name, (value, ""))
    if value != only:
        raise errors.UNSUPPORTED(what=f"{parameter.name}={value}", because=because)
