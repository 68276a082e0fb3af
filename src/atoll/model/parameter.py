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
    cluster_on: bool = False  # for cluster mode, as AWS's default groups of that name: without a value that says so
    is_global: bool = False  # AWS made it, for a member of a global datastore
