"""Node types: which a request may name, and which an existing cache may change to."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.node_types import NODE_TYPES, PREVIOUS_GENERATIONS, TIERED, line_of
from atoll.elasticache import errors
from atoll.elasticache.find import find_cluster, find_group
from atoll.model.world import World

BAD_TYPE = Err("InvalidParameterValue", "Invalid Cache Node Type: {type}.")
OLD_TYPE = Err("InvalidParameterValue", "The cache node type {type} is of a previous generation: no new nodes.")
ONE_OF_TWO = Err(
    "InvalidParameterCombination", "Exactly one of CacheClusterId and ReplicationGroupId must be provided."
)


@operation("elasticache", "ListAllowedNodeTypeModifications")
def list_allowed_node_type_modifications(
    world: World, *, cache_cluster_id: str | None = None, replication_group_id: str | None = None
) -> Shape:
    """List the types that a cache may change to: all others of which nodes can be made, by their memory."""
    if bool(cache_cluster_id) == bool(replication_group_id):
        raise ONE_OF_TWO()
    if cache_cluster_id:
        name = find_cluster(world, cache_cluster_id).node_type
    else:
        name = find_group(world, replication_group_id or "").node_type
    now, others = NODE_TYPES[name], [t for t in NODE_TYPES.values() if t.name != name]
    up = sorted(t.name for t in others if t.memory_bytes >= now.memory_bytes)
    down = sorted(t.name for t in others if t.memory_bytes < now.memory_bytes)
    return {"ScaleUpModifications": up, "ScaleDownModifications": down}


def check(name: str) -> str:
    """Return the name of a type of which new nodes can be made."""
    line = line_of(name)
    if line in PREVIOUS_GENERATIONS:
        raise OLD_TYPE(type=name)
    if line in TIERED:
        raise errors.UNSUPPORTED(what=f"CacheNodeType={name}", because="no node here keeps data on a disk.")
    if name not in NODE_TYPES:
        raise BAD_TYPE(type=name)
    return name
