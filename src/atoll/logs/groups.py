"""Log groups: those that were made, and those that something was delivered to."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from atoll.aws.errors import AwsError
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.logs.errors import (
    BAD_LIMIT,
    BAD_NAME,
    BAD_TOKEN,
    BEING_DELETED,
    GROUP_EXISTS,
    NO_GROUP,
    NO_NAME,
    TWO_NAMES,
    TWO_PREFIXES,
    UNSUPPORTED,
)
from atoll.logs.shelf import shelf
from atoll.model.log_delivery import LogGroup, log_group_id
from atoll.model.names import arn
from atoll.model.world import Tx, World

PAGE = 50
NAME_CHARS_MAX = 512
STANDARD = "STANDARD"
_NAME = re.compile(r"[.\-_/#A-Za-z0-9]+")


@operation("logs", "DescribeLogGroups")
def describe_log_groups(
    world: World,
    *,
    log_group_name_prefix: str | None = None,
    log_group_name_pattern: str | None = None,
    log_group_class: str | None = None,
    next_token: str | None = None,
    limit: int | None = None,
) -> Shape:
    """List log groups."""
    if log_group_name_prefix and log_group_name_pattern:
        raise TWO_PREFIXES()
    found = [
        name
        for name in _groups(world)
        if name.startswith(log_group_name_prefix or "")
        and (log_group_name_pattern or "").lower() in name.lower()
        and log_group_class in (None, STANDARD)
    ]
    shown, token = page(found, limit, next_token)
    return {"logGroups": [_render(world, name) for name in shown], "nextToken": token}


@operation("logs", "CreateLogGroup")
def create_log_group(
    tx: Tx, *, log_group_name: str, log_group_class: str | None = None, tags: Mapping[str, str] | None = None
) -> None:
    """Make a group; what is delivered makes its own, too."""
    if log_group_class not in (None, STANDARD):
        raise UNSUPPORTED(what=f"A logGroupClass of {log_group_class}")
    if len(log_group_name) > NAME_CHARS_MAX or not _NAME.fullmatch(log_group_name):
        raise BAD_NAME(got=log_group_name)
    id = log_group_id(tx.account, tx.region, log_group_name)
    known = tx.get(LogGroup, id)
    if known and known.is_deleted:
        raise BEING_DELETED()  # what was delivered to it is still there, for a moment
    if known or log_group_name in _groups(tx.world):
        raise GROUP_EXISTS()
    tx.make(LogGroup, id, name=log_group_name, created=tx.now, tags=dict(tags or {}))


@operation("logs", "DeleteLogGroup")
def delete_log_group(tx: Tx, *, log_group_name: str) -> None:
    """Delete a group with its events; something that is delivered later makes it anew."""
    find(tx.world, log_group_name, None)
    id = log_group_id(tx.account, tx.region, log_group_name)
    known = tx.get(LogGroup, id)
    if known:
        tx.put(known.but(is_deleted=True))
    else:
        tx.make(LogGroup, id, name=log_group_name, created=tx.now, is_deleted=True)


def find(world: World, name: str | None, identifier: str | None) -> str:
    """Return the name of a group that exists, by its name or its ARN.  Raises NO_GROUP."""
    if name and identifier:
        raise TWO_NAMES()
    found = name or (identifier or "").rpartition(":log-group:")[2].removesuffix(":*")
    if not found:
        raise NO_NAME()
    if found not in _groups(world):
        raise NO_GROUP()
    return found


def page(names: Sequence[str], limit: int | None, token: str | None) -> tuple[list[str], str | None]:
    """Return a page of names, in their order, and the next token."""
    if limit is not None and not 1 <= limit <= PAGE:
        raise BAD_LIMIT(got=limit, most=PAGE)
    try:
        return page_ec2(names, str, limit or PAGE, token, low=1, high=PAGE)
    except AwsError:
        raise BAD_TOKEN() from None


def where(world: World) -> tuple[str, str]:
    """Return the caller's account and region."""
    assert world.caller, "an operation has a caller"
    return world.caller.account, world.caller.region


def group_arn(world: World, name: str) -> str:
    """Return the ARN of a group."""
    account, region = where(world)
    return arn("logs", region, account, f"log-group:{name}")


def _groups(world: World) -> dict[str, int]:
    """Return the caller's groups by name, with their age: since when in milliseconds of Unix time."""
    found = {name: int(at * 1000) for name, at in shelf().groups(*where(world)).items()}
    for group in world.all(LogGroup):
        found[group.name] = _milliseconds(group.created)
        if group.is_deleted:
            del found[group.name]
    return dict(sorted(found.items()))


def made(tx: Tx, name: str) -> LogGroup:
    """Return the record of a group that exists; one that came with what was delivered to it gets its first."""
    account, region = where(tx.world)
    id = log_group_id(account, region, name)
    return tx.get(LogGroup, id) or tx.make(LogGroup, id, name=name, created=tx.now)


def _render(world: World, name: str) -> Shape:
    known = world.get(LogGroup, log_group_id(*where(world), name))
    size = sum(stream.size for stream in shelf().streams(*where(world), name))
    return {
        "logGroupName": name,
        "creationTime": _groups(world)[name],
        "retentionInDays": known.retention_days if known else None,
        "metricFilterCount": 0,
        "arn": f"{group_arn(world, name)}:*",
        "logGroupArn": group_arn(world, name),
        "storedBytes": size,
        "logGroupClass": STANDARD,
    }


def _milliseconds(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)
