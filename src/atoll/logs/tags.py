"""Tags of log groups."""

from collections.abc import Mapping, Sequence

from atoll.aws.errors import AwsError
from atoll.aws.operation import Shape, operation
from atoll.logs.errors import NO_TAGGED
from atoll.logs.groups import find, made, where
from atoll.model.log_delivery import LogGroup, log_group_id
from atoll.model.world import Tx, World


@operation("logs", "ListTagsForResource")
def list_tags_for_resource(world: World, *, resource_arn: str) -> Shape:
    """Return the tags of a group."""
    known = world.get(LogGroup, log_group_id(*where(world), _name(world, resource_arn)))
    return {"tags": dict(known.tags) if known else {}}


@operation("logs", "TagResource")
def tag_resource(tx: Tx, *, resource_arn: str, tags: Mapping[str, str]) -> None:
    """Give a group tags, or other values for those that it has."""
    known = made(tx, _name(tx.world, resource_arn))
    tx.put(known.but(tags={**known.tags, **tags}))


@operation("logs", "UntagResource")
def untag_resource(tx: Tx, *, resource_arn: str, tag_keys: Sequence[str]) -> None:
    """Take tags from a group; those that it does not have are none of its."""
    known = made(tx, _name(tx.world, resource_arn))
    tx.put(known.but(tags={key: value for key, value in known.tags.items() if key not in tag_keys}))


def _name(world: World, resource_arn: str) -> str:
    """Return the name of a group that exists."""
    try:
        return find(world, None, resource_arn)
    except AwsError:
        raise NO_TAGGED() from None
