"""Tags, as EC2 takes and gives them.  Limits: EC2 User Guide, "Tag restrictions"."""

from collections.abc import Mapping, Sequence

from atoll.aws.operation import Shape
from atoll.ec2 import errors
from atoll.model.resource import Resource

KEY_CHARS_MAX = 128
VALUE_CHARS_MAX = 256
TAGS_MAX = 50  # of the user's own on one resource


def tags_for(type: str, specifications: Sequence[Shape], *, also: Sequence[str] = ()) -> dict[str, str]:
    """Return the tags that a create call gives to a resource of a type.

    `also` are the further types that the call makes and may tag (RunInstances: `volume`, `network-interface`).
    Raises BAD_TAG_TYPE for any other type, and what `checked` raises.
    """
    seen: set[str] = set()
    found: dict[str, str] = {}
    for specification in specifications:
        of = specification.get("ResourceType")
        if not of:
            raise errors.NO_TAG_TYPE()
        if of != type and of not in also:
            raise errors.BAD_TAG_TYPE(type=of)
        if of in seen:
            raise errors.REPEATED_TAG_TYPE()
        seen.add(of)
        if not specification.get("Tags"):
            raise errors.NO_TAGS()
        tags = checked(specification["Tags"])
        if of == type:
            found = tags
    return found


def checked(tags: Sequence[Shape]) -> dict[str, str]:
    """Return a list of `Key`, `Value` structures as a dict; raises the error of the first that breaks a rule."""
    out: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not key:
            raise errors.EMPTY_TAG()
        if len(key) > KEY_CHARS_MAX:
            raise errors.LONG_TAG_KEY(limit=KEY_CHARS_MAX)
        if len(value) > VALUE_CHARS_MAX:
            raise errors.LONG_TAG_VALUE(limit=VALUE_CHARS_MAX)
        if is_reserved(key):
            raise errors.RESERVED_TAG()
        if key in out:
            raise errors.REPEATED_TAG(key=key)
        out[key] = value
    if len(out) > TAGS_MAX:
        raise errors.TAG_LIMIT()
    return out


def is_reserved(key: str) -> bool:
    """Tell whether a key belongs to AWS."""
    return key.lower().startswith("aws:")


def render_tags(tagged: Resource | Mapping[str, str]) -> list[Shape]:
    """Return a resource's tags as a list of `Key`, `Value` structures."""
    tags = tagged.tags if isinstance(tagged, Resource) else tagged
    return [{"Key": key, "Value": value} for key, value in tags.items()]
