"""Cache security groups belong to EC2-Classic: every call is refused, in the words that AWS uses today."""

from atoll.aws.operation import Shape, operation
from atoll.elasticache import errors
from atoll.model.world import World

# ruff: noqa: ARG001 - the signatures are AWS's; every call has the same answer


@operation("elasticache", "CreateCacheSecurityGroup")
def create_cache_security_group(
    world: World, *, cache_security_group_name: str, description: str, tags: list[Shape] | None = None
) -> Shape:
    """Refuse."""
    raise errors.CACHE_SECURITY_GROUPS()


@operation("elasticache", "DescribeCacheSecurityGroups")
def describe_cache_security_groups(
    world: World,
    *,
    cache_security_group_name: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """Refuse."""
    raise errors.CACHE_SECURITY_GROUPS()


@operation("elasticache", "AuthorizeCacheSecurityGroupIngress")
def authorize_cache_security_group_ingress(
    world: World, *, cache_security_group_name: str, ec2_security_group_name: str, ec2_security_group_owner_id: str
) -> Shape:
    """Refuse."""
    raise errors.CACHE_SECURITY_GROUPS()


@operation("elasticache", "RevokeCacheSecurityGroupIngress")
def revoke_cache_security_group_ingress(
    world: World, *, cache_security_group_name: str, ec2_security_group_name: str, ec2_security_group_owner_id: str
) -> Shape:
    """Refuse."""
    raise errors.CACHE_SECURITY_GROUPS()


@operation("elasticache", "DeleteCacheSecurityGroup")
def delete_cache_security_group(world: World, *, cache_security_group_name: str) -> None:
    """Refuse."""
    raise errors.CACHE_SECURITY_GROUPS()
