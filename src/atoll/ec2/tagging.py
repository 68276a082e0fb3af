"""Tags of any EC2 resource, after it was made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import BY_PREFIX, check_id, find, tagged
from atoll.ec2.metadata import check_tags
from atoll.ec2.peering import retag, tagged_peerings
from atoll.ec2.rule import RULE_NOT_FOUND
from atoll.ec2.rule_changes import RULE_MALFORMED
from atoll.ec2.tags import TAGS_MAX, checked, is_reserved
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.world import Tx, World

TOO_MANY = Err("InvalidParameterValue", "At most {limit} resources may be specified.")

RESOURCES_MAX = 1000  # EC2 API Reference, CreateTags
RULE_PREFIX, RULE_TYPE = "sgr", "security-group-rule"

Change = Callable[[Mapping[str, str]], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the resource that has it."""

    key: str
    value: str
    resource_id: str
    resource_type: str


FILTERS: Table = {
    "key": "key",
    "resource-id": "resource_id",
    "resource-type": "resource_type",
    "value": "value",
}


@operation("ec2", "CreateTags")
def create_tags(tx: Tx, *, resources: Sequence[str], tags: Sequence[Shape]) -> None:
    """Put tags on resources; a tag with the same key is overwritten."""
    _check_count(resources)
    if not tags:
        raise errors.MISSING(name="Tag")
    new = checked(tags)

    def more(old: Mapping[str, str]) -> dict[str, str]:
        both = {**old, **new}
        if sum(not is_reserved(key) for key in both) > TAGS_MAX:
            raise errors.TAG_LIMIT()
        return both

    for id in dict.fromkeys(resources):
        _change(tx, id, more)


@operation("ec2", "DeleteTags")
def delete_tags(tx: Tx, *, resources: Sequence[str], tags: Sequence[Shape] = ()) -> None:
    """Take tags off resources: with a value only if it is the tag's, without tags all of the user's own."""
    _check_count(resources)
    for tag in tags:
        if not tag.get("Key"):
            raise errors.EMPTY_TAG()
        if is_reserved(tag["Key"]):
            raise errors.RESERVED_TAG()

    def fewer(old: Mapping[str, str]) -> dict[str, str]:
        if not tags:
            return {key: value for key, value in old.items() if is_reserved(key)}
        gone = {tag["Key"] for tag in tags if "Value" not in tag or tag["Value"] == old.get(tag["Key"])}
        return {key: value for key, value in old.items() if key not in gone}

    for id in dict.fromkeys(resources):
        _change(tx, id, fewer)


@operation("ec2", "DescribeTags", pure=True)
def describe_tags(
    world: World,
    *,
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List tags; `tag:<key>` as a filter means a tag with this key and value."""
    found = select(world, _all(world), filters, FILTERS, tags=lambda t: {t.key: t.value})
    page, token = page_ec2(found, lambda t: f"{t.resource_id}/{t.key}", max_results, next_token)
    shown = [
        {"Key": t.key, "Value": t.value, "ResourceId": t.resource_id, "ResourceType": t.resource_type} for t in page
    ]
    return {"Tags": shown, "NextToken": token}


def _all(world: World) -> Iterator[Tag]:
    for type, resource in tagged(world):
        for key, value in resource.tags.items():
            yield Tag(key, value, resource.id, type)
    for peering, tags in tagged_peerings(world):
        for key, value in tags.items():
            yield Tag(key, value, peering.id, "vpc-peering-connection")
    for group in world.all(SecurityGroup):
        for rule in group.rules:
            for key, value in rule.tags.items():
                yield Tag(key, value, rule.id, RULE_TYPE)


def _check_count(resources: Sequence[str]) -> None:
    if not resources:
        raise errors.MISSING(name="resourceIdSet")
    if len(resources) > RESOURCES_MAX:
        raise TOO_MANY(limit=RESOURCES_MAX)


def _change(tx: Tx, id: str, change: Change) -> None:
    """Change the tags of what an id names; raises its NotFound error, or BAD_ID if it could name nothing."""
    prefix = id.rpartition("-")[0]
    if special := SPECIAL.get(prefix):
        special(tx, id, change)
        return
    noun = BY_PREFIX.get(prefix)
    if noun is None:
        raise errors.BAD_ID(id=id)
    resource = find(tx.world, noun.kind, id)
    new = change(resource.tags)
    if isinstance(resource, Instance):
        check_tags(resource.metadata, new.keys() - resource.tags.keys())
    tx.put(resource.but(tags=new))


def _change_rule(tx: Tx, id: str, change: Change) -> None:
    for group in tx.all(SecurityGroup):
        for rule in group.rules:
            if rule.id == id:
                new = replace(rule, tags=change(rule.tags))
                tx.put(group.but(rules=tuple(new if r.id == id else r for r in group.rules)))
                return
    check_id(id, RULE_PREFIX, RULE_MALFORMED)
    raise RULE_NOT_FOUND(id=id)


# What is no resource of one owner: the prefix of its ids -> how its tags change.
SPECIAL: Mapping[str, Callable[[Tx, str, Change], None]] = {RULE_PREFIX: _change_rule, "pcx": retag}
