"""Cache security groups: who may use the caches of EC2-Classic."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An EC2 security group whose members are let in."""

    name: str
    owner: str
    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSecurityGroup(Resource):
    """A cache security group; its World id is `names.key(account, region, name)`.

    `group_id` is the security group that the nodes' interfaces carry, whose rules are the grants; nobody sees it.
    """

    name: str
    description: str
    group_id: str  # an index field
    grants: tuple[Grant, ...] = ()
