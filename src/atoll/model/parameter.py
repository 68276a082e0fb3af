"""Cache parameter groups that users made.  The default groups are not resources: `cache/families.py` knows them."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheParameterGroup(Resource):
    """A set of engine parameters; its World id is `names.key(account, region, name)`."""

    name: str
    family: str  # "redis7"
    description: str
    values: tuple[tuple[str, str], ...] = ()  # those that a user has set, by name; to the default, too
