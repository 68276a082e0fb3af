"""Tags of log groups."""

from collections.abc import Mapping, Sequence

from atoll.aws.errors import AwsError
from atoll.aws.operation import Shape, operation
from atoll.logs.errors import NO_TAGGED
from atoll.logs.groups import find, where
from atoll.model.log_delivery import LogGroup, log_group_id
from atoll.model.world import Tx, World


@operation("logs", "ListTagsForResource")
def list_tags_for_resource(world: World, *, resource_arn: str) -> Shape:
    """Return the tags of a group."""
    known = world.get(LogGroup, _id(world, resource_arn))
    return {"tags": dict(known.tags) if known else {}}


@operation("logs", "TagResource")
def tag_resource(tx: Tx, *, resource_arn: str, tags: Mapping[str, str]) -> None:
    """Give a group tags, or other values for those that it has."""
    id = _id(tx.world, resource_arn)
    known = tx.get(LogGroup, id)
    if known:
        tx.put(known.but(tags={**known.tags, **tags}))
    else:  # it came with what was delivered to it
        tx.make(LogGroup, id, name=id.split("/", 2)[2], created=tx.now, tags=dict(tags))


@operation("logs", "UntagResource")
def untag_resource(tx: Tx, *, resource_arn: str, tag_keys: Sequence[str]) -> None:
    """Take tags from a group; those that it does not have are none of its."""
    known = tx.get(LogGroup, _id(tx.world, resource_arn))
    if known:
        tx.put(known.but(tags={key: value for key, value in known.tags.items() if key not in tag_keys}))


def _id(world: World, resource_arn: str) -> str:
    """Return the World id of a group that exists."""
    account, region = where(world)
    try:
        return log_group_id(account, region, find(world, None, resource_arn))
    except AwsError:
        raise NO_TAGGED() from None
