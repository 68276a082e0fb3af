"""What would let a packet through to a cache in EC2-Classic: the authorization of an EC2 security group."""

from shlex import quote
from typing import cast

from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.world import World


def authorizing(world: World, cache: Interface, asker: Interface | None) -> tuple[str, str | None] | None:
    """Return what lets `asker` use a cache node, and its command; `None`: this is no interface of such a node."""
    found = [g for id in cache.group_ids for g in world.bucket(CacheSecurityGroup, "group_id", id).values()]
    if not found:
        return None
    name = cast(CacheSecurityGroup, found[0]).name
    if asker is None or not asker.group_ids or asker.vpc_id != cache.vpc_id:
        return "a cache in EC2-Classic is for members of EC2 security groups in EC2-Classic only", None
    group = world[SecurityGroup, asker.group_ids[0]]
    return (
        f"authorize the security group {group.name} for the cache security group {name}",
        f"aws elasticache authorize-cache-security-group-ingress --cache-security-group-name {name} "
        f"--ec2-security-group-name {quote(group.name)} --ec2-security-group-owner-id {group.account}",
    )
