"""AddTagsToResource and its siblings: a resource is named by its ARN.

Source: ElastiCache API Reference.
"""

from collections.abc import Callable, Mapping, Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elasticache import parameter_group, reserved, serverless, subnet_group, user, user_group
from atoll.elasticache.find import find_cache_security_group, find_cluster, find_group, find_snapshot
from atoll.elasticache.tags import render_tags, tags_of, within_quota
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.resource import Resource
from atoll.model.world import Tx, World

BAD_ARN = Err("InvalidARN", "The requested Amazon Resource Name (ARN) does not refer to an existing resource: {arn}")
NO_TAGS_ON_DEFAULTS = Err("InvalidARN", "{arn} is AWS's own and takes no tags.")
NO_SUCH_TAG = Err("TagNotFound", "The requested tag was not found on this resource: {key}", 404)
NOT_AVAILABLE = "Cluster not in available state to perform tagging operations."
CLUSTER_BUSY = Err("InvalidCacheClusterState", NOT_AVAILABLE)
GROUP_BUSY = Err("InvalidReplicationGroupState", NOT_AVAILABLE)

# By the type in the ARN; None: it exists, but is made for everybody and carries no tags.
_FINDERS: Mapping[str, Callable[[World, str], Resource | None]] = {
    "cluster": find_cluster,
    "replicationgroup": find_group,
    "subnetgroup": subnet_group.find,
    "parametergroup": parameter_group.find,
    "securitygroup": find_cache_security_group,
    "snapshot": find_snapshot,
    "serverlesscache": serverless.find,
    "user": user.find,
    "reserved-instance": reserved.find,
    "usergroup": user_group.find,
}


@operation("elasticache", "AddTagsToResource")
def add_tags_to_resource(tx: Tx, *, resource_name: str, tags: Sequence[Shape]) -> Shape:
    """Add tags, or change their values; those of a replication group also go to its nodes."""
    resource = _changeable(tx.world, resource_name)
    return _change(tx, resource, lambda old: within_quota({**old, **tags_of(tags)}))


@operation("elasticache", "RemoveTagsFromResource")
def remove_tags_from_resource(tx: Tx, *, resource_name: str, tag_keys: Sequence[str]) -> Shape:
    """Remove tags by their keys."""
    resource = _changeable(tx.world, resource_name)
    for key in tag_keys:
        if key not in resource.tags:
            raise NO_SUCH_TAG(key=key)
    return _change(tx, resource, lambda old: {k: v for k, v in old.items() if k not in tag_keys})


@operation("elasticache", "ListTagsForResource")
def list_tags_for_resource(world: World, *, resource_name: str) -> Shape:
    """List the tags of a resource."""
    resource = _find(world, resource_name)
    return render_tags(resource.tags if resource else {})


def _find(world: World, arn: str) -> Resource | None:
    """Return what an ARN of the caller's account and region names.  Raises BAD_ARN and the noun's own not-found."""
    assert world.caller, "an operation has a caller"
    parts = arn.split(":")
    where = ["arn", "aws", "elasticache", world.caller.region, world.caller.account]
    if len(parts) != len(where) + 2 or parts[:5] != where or parts[5] not in _FINDERS:
        raise BAD_ARN(arn=arn)
    return _FINDERS[parts[5]](world, parts[6])


def _changeable(world: World, arn: str) -> Resource:
    resource = _find(world, arn)
    if resource is None:
        raise NO_TAGS_ON_DEFAULTS(arn=arn)
    if isinstance(resource, CacheCluster) and resource.status != "available":
        raise CLUSTER_BUSY()
    if isinstance(resource, ReplicationGroup) and resource.status != "available":
        raise GROUP_BUSY()
    return resource


def _change(tx: Tx, resource: Resource, change: Callable[[Mapping[str, str]], dict[str, str]]) -> Shape:
    members = resource.member_ids if isinstance(resource, ReplicationGroup) else ()
    for each in (resource, *(tx.world[CacheCluster, id] for id in members)):
        tx.put(each.but(tags=change(each.tags)))
    return render_tags(change(resource.tags))
