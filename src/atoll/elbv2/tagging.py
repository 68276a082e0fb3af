"""Tags of load balancers, target groups and listeners, which are named by their ARNs.

Source: ELB API Reference, AddTags, RemoveTags, DescribeTags.
"""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors, listener, load_balancer, target_group
from atoll.elbv2.naming import as_list, tags_of, within_quota
from atoll.model.resource import Resource
from atoll.model.world import Tx, World

RESOURCES_MAX = 20
FINDERS = {
    ":loadbalancer/": load_balancer.find,
    ":targetgroup/": target_group.find,
    ":listener/": listener.find,
}


@operation("elbv2", "AddTags")
def add_tags(tx: Tx, *, resource_arns: Sequence[str], tags: Sequence[Shape]) -> Shape:
    """Add tags, or change their values."""
    given = tags_of(tags)
    for resource in _named(tx.world, resource_arns):
        tx.put(resource.but(tags=within_quota({**resource.tags, **given})))
    return {}


@operation("elbv2", "RemoveTags")
def remove_tags(tx: Tx, *, resource_arns: Sequence[str], tag_keys: Sequence[str]) -> Shape:
    """Remove tags by their keys; one that is not there is no error."""
    for resource in _named(tx.world, resource_arns):
        tx.put(resource.but(tags={k: v for k, v in resource.tags.items() if k not in tag_keys}))
    return {}


@operation("elbv2", "DescribeTags")
def describe_tags(world: World, *, resource_arns: Sequence[str]) -> Shape:
    """Show the tags of each resource."""
    found = _named(world, resource_arns)
    return {"TagDescriptions": [{"ResourceArn": r.id, "Tags": as_list(r.tags)} for r in found]}


def _named(world: World, arns: Sequence[str]) -> list[Resource]:
    if len(arns) > RESOURCES_MAX:
        raise errors.INVALID(why=f"At most {RESOURCES_MAX} resources can be described at a time")
    found = []
    for arn in dict.fromkeys(arns):
        finder = next((find for kind, find in FINDERS.items() if kind in arn), None)
        if finder is None:
            raise errors.INVALID(why=f"'{arn}' is not a valid ARN of a load balancer, target group or listener")
        found.append(finder(world, arn))
    return found
