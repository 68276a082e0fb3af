"""TagResource and its siblings: tags of alarms, which are named by their ARNs."""

from collections.abc import Sequence

from atoll.aws.dialect import clip
from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.model.alarm import MetricAlarm
from atoll.model.world import Tx, World

TAGS_MAX = 50

NOT_FOUND = Err("ResourceNotFoundException", "No alarm has the ARN {arn}", 404)
TOO_MANY_TAGS = Err("InvalidParameterValue", "A resource can have {limit} tags.")


@operation("cloudwatch", "ListTagsForResource")
def list_tags_for_resource(world: World, *, resource_arn: str) -> Shape:
    """List the tags of an alarm."""
    tags = _find(world, resource_arn).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


@operation("cloudwatch", "TagResource")
def tag_resource(tx: Tx, *, resource_arn: str, tags: Sequence[Shape]) -> Shape:
    """Add tags to an alarm, or change their values."""
    alarm = _find(tx.world, resource_arn)
    changed = {**alarm.tags, **{tag["Key"]: tag["Value"] for tag in tags}}
    if len(changed) > TAGS_MAX:
        raise TOO_MANY_TAGS(limit=TAGS_MAX)
    tx.put(alarm.but(tags=changed))
    return {}


@operation("cloudwatch", "UntagResource")
def untag_resource(tx: Tx, *, resource_arn: str, tag_keys: Sequence[str]) -> Shape:
    """Remove tags of an alarm by their keys."""
    alarm = _find(tx.world, resource_arn)
    tx.put(alarm.but(tags={key: value for key, value in alarm.tags.items() if key not in tag_keys}))
    return {}


def _find(world: World, arn: str) -> MetricAlarm:
    found = next((alarm for alarm in world.all(MetricAlarm) if alarm.arn == arn), None)
    if found is None:
        raise NOT_FOUND(arn=clip(arn))
    return found
