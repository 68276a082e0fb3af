"""Which references of a World lead nowhere: found by their look, in every field of every resource."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from atoll.model.alarm import AlarmEvent
from atoll.model.event import Event
from atoll.model.insight import InsightsAnalysis, InsightsPath
from atoll.model.prefix_list import PrefixList
from atoll.model.token import ClientToken

HISTORY = (AlarmEvent, ClientToken, Event, InsightsAnalysis, InsightsPath)  # they tell of what may be gone
LOOKS = re.compile(
    r"(vpc|subnet|sg|rtb|acl|eni|i|igw|eigw|nat|pcx|vol|eipalloc|dopt|vpce|vpce-svc|fl|pl)-[0-9a-f]+"
    r"|[0-9]{12}/[a-z0-9-]+/.+"
)


def dangling(world) -> list[str]:
    """Return "KIND ID FIELD: VALUE" of each reference to nothing."""
    resources = [r for r in world.seen_by(None) if not isinstance(r, HISTORY)]
    known = {r.id for r in world.seen_by(None)}
    lists = {r.id for r in resources if isinstance(r, PrefixList)}
    found = []
    for resource in resources:
        for path, value in _texts(resource, ""):
            of_aws = value.startswith("pl-") and value not in lists  # AWS's own lists are in no account
            if LOOKS.fullmatch(value) and value not in known and not of_aws:
                found.append(f"{type(resource).__name__} {resource.id} {path}: {value}")
    return found


def _texts(value, path) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{path}[{key}]")
    elif isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from _texts(item, path)
