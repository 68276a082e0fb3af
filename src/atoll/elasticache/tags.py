"""Tags of caches, as ElastiCache takes and gives them.

Source: ElastiCache User Guide, "Tagging your ElastiCache resources".
"""

from collections.abc import Mapping, Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape

KEY_CHARS_MAX, VALUE_CHARS_MAX, TAGS_MAX = 128, 256, 50

BAD_TAG = Err("InvalidParameterValue", "{why}")
TOO_MANY = Err("TagQuotaPerResourceExceeded", "A resource can have at most {limit} tags.")


def tags_of(tags: Sequence[Shape]) -> dict[str, str]:
    """Return a list of `Key`, `Value` structures as a dict; raises the error of the first that breaks a rule."""
    out: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 0 < len(key) <= KEY_CHARS_MAX:
            raise BAD_TAG(why=f"Tag keys must have between 1 and {KEY_CHARS_MAX} characters.")
        if len(value) > VALUE_CHARS_MAX:
            raise BAD_TAG(why=f"Tag values must have at most {VALUE_CHARS_MAX} characters.")
        if key.lower().startswith("aws:"):
            raise BAD_TAG(why="Tag keys that start with aws: are reserved.")
        if key in out:
            raise BAD_TAG(why=f"Tag key {key} is given twice.")
        out[key] = value
    return within_quota(out)


def within_quota(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags, if a resource may have so many.  Raises TOO_MANY."""
    if len(tags) > TAGS_MAX:
        raise TOO_MANY(limit=TAGS_MAX)
    return tags


def render_tags(tags: Mapping[str, str]) -> Shape:
    """Return tags as AWS's TagListMessage."""
    return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}
