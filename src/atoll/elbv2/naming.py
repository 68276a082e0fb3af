"""Names and ARNs, pages and tags of load balancing."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape
from atoll.aws.page import page_query
from atoll.elbv2 import errors
from atoll.model.names import arn
from atoll.model.resource import Resource

R = TypeVar("R", bound=Resource)
SERVICE = "elasticloadbalancing"
PAGE_MAX = 400
NAME_CHARS_MAX, TAGS_MAX = 32, 50
KEY_CHARS_MAX, VALUE_CHARS_MAX = 128, 256
TOO_MANY_TAGS = Err("TooManyTags", "The number of tags exceeds the limit of {limit}")
DUPLICATE_TAGS = Err("DuplicateTagKeys", "Tag key '{key}' is specified more than once")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")


def checked_name(name: str, what: str) -> str:
    """Return a name that AWS admits.  Source: CreateLoadBalancer and CreateTargetGroup, "Name"."""
    if len(name) > NAME_CHARS_MAX:
        raise errors.INVALID(why=f"The {what} name '{name}' cannot be longer than '{NAME_CHARS_MAX}' characters")
    if not _NAME.fullmatch(name):
        why = f"The {what} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        raise errors.INVALID(why=why)
    if what == "load balancer" and name.lower().startswith("internal-"):
        raise errors.INVALID(why=f"The {what} name '{name}' cannot begin with 'internal-'")
    return name


def arn_of(region: str, account: str, *parts: str) -> str:
    """Return an ARN of this service."""
    return arn(SERVICE, region, account, "/".join(parts))


def page(items: Sequence[R], page_size: int | None, marker: str | None) -> tuple[list[R], str | None]:
    """Return a page of a listing and the next marker."""
    if page_size is not None and not 1 <= page_size <= PAGE_MAX:
        raise errors.BAD_PAGE_SIZE(got=page_size)
    try:
        return page_query(items, lambda r: r.id, page_size, marker, low=1, high=PAGE_MAX, default=PAGE_MAX)
    except AwsError as error:
        raise errors.BAD_MARKER(got=(marker or "")[:64]) from error


def tags_of(tags: Sequence[Shape]) -> dict[str, str]:
    """Return a list of `Key`, `Value` structures as a dict; raises the error of the first that breaks a rule."""
    out: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 0 < len(key) <= KEY_CHARS_MAX:
            raise errors.INVALID(why=f"A tag key has between 1 and {KEY_CHARS_MAX} characters")
        if len(value) > VALUE_CHARS_MAX:
            raise errors.INVALID(why=f"A tag value has at most {VALUE_CHARS_MAX} characters")
        if key.lower().startswith("aws:"):
            raise errors.INVALID(why="Tag keys that start with aws: are reserved")
        if key in out:
            raise DUPLICATE_TAGS(key=key)
        out[key] = value
    return within_quota(out)


def within_quota(tags: dict[str, str]) -> dict[str, str]:
    """Return tags that are not too many."""
    if len(tags) > TAGS_MAX:
        raise TOO_MANY_TAGS(limit=TAGS_MAX)
    return tags


def changed(
    attributes: Sequence[Shape],
    defaults: Mapping[str, str],
    checks: Mapping[str, Callable[[str], bool]],
    what: str,
) -> dict[str, str]:
    """Return the attributes that a call sets.

    `checks` are those that mean something here, each with what it admits; the others may only be set to what they
    are.  Raises INVALID for an attribute that AWS does not know either.
    """
    out: dict[str, str] = {}
    for attribute in attributes:
        key, value = attribute.get("Key", ""), attribute.get("Value", "")
        if key not in defaults:
            raise errors.BAD_CONFIGURATION(why=f"{what} attribute key '{key}' is not recognized")
        if key in checks:
            if not checks[key](value):
                raise errors.BAD_CONFIGURATION(why=f"{what} attribute value '{value}' of '{key}' is not valid")
            out[key] = value
        elif value != defaults[key]:
            raise errors.UNSUPPORTED(what=f"{key}={value}", because=f"here it is {defaults[key] or 'empty'}")
    return out


def is_boolean(value: str) -> bool:
    """Tell whether an attribute is true or false."""
    return value in ("true", "false")


def as_list(attributes: Mapping[str, str]) -> list[Shape]:
    """Return attributes, or tags, as a list of `Key`, `Value` structures."""
    return [{"Key": key, "Value": value} for key, value in attributes.items()]
