"""Cache security groups: who may use the caches of EC2-Classic, named by EC2 security groups.

An account without EC2-Classic is refused, whatever it asks, in the words that AWS uses today.  Source: ElastiCache
API Reference of 2014, "CreateCacheSecurityGroup" and its neighbours.
"""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.history import SECURITY_GROUP, record
from atoll.elasticache import errors
from atoll.elasticache.find import arn_of, find_cache_security_group, owner_key
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheCluster
from atoll.model.cache_security_group import CacheSecurityGroup, Grant
from atoll.model.classic import network_of
from atoll.model.group import Rule, SecurityGroup
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

GROUPS_MAX, NAME_CHARS_MAX = 50, 255

EXISTS = Err("CacheSecurityGroupAlreadyExists", "Cache security group {name} already exists.")
TOO_MANY = Err("QuotaExceeded.CacheSecurityGroup", "You can have at most {limit} cache security groups.")
BAD_NAME = Err(
    "InvalidParameterValue",
    "The parameter CacheSecurityGroupName is not valid: it takes up to 255 letters and digits, and is not Default.",
)
IN_USE = Err("InvalidCacheSecurityGroupState", "Cache security group {name} is in use by cache cluster {cluster}.")
NOT_DEFAULT = Err("InvalidCacheSecurityGroupState", "The default cache security group cannot be deleted.")
NO_EC2_GROUP = Err("InvalidParameterValue", "The EC2 security group {name} of account {owner} does not exist.")
OTHER_OWNER = "each account has an EC2-Classic network of its own here, in which no group of another account is."
GRANTED = Err("AuthorizationAlreadyExists", "EC2 security group {name} is authorized for {group} already.")
NOT_GRANTED = Err("AuthorizationNotFound", "EC2 security group {name} is not authorized for {group}.", 404)


@operation("elasticache", "CreateCacheSecurityGroup")
def create_cache_security_group(
    tx: Tx, *, cache_security_group_name: str, description: str, tags: Sequence[Shape] = ()
) -> Shape:
    """Make a group that lets nobody in."""
    network, name = _classic(tx.world), cache_security_group_name.lower()
    if not name.isalnum() or not name.isascii() or len(name) > NAME_CHARS_MAX or name == "default":
        raise BAD_NAME()
    if tx.get(CacheSecurityGroup, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    if tx.world.count(CacheSecurityGroup) >= GROUPS_MAX:
        raise TOO_MANY(limit=GROUPS_MAX)
    id = tx.new_id("sg")
    everything = next(r for r in _hidden(tx, find_cache_security_group(tx.world, "default")).rules if r.egress)
    tx.put(
        SecurityGroup(
            id=id, account=network.account, region=network.region, vpc_id=network.id, name=id,
            description="cache security group", rules=(replace(everything, id=tx.new_id("sgr")),),
        )
    )  # fmt: skip
    group = tx.make(
        CacheSecurityGroup,
        owner_key(tx.world, name),
        name=name,
        description=description,
        group_id=id,
        tags=tags_of(tags),
    )
    record(tx, group, SECURITY_GROUP, name, f"Cache security group {name} created")
    return {"CacheSecurityGroup": render(group)}


@operation("elasticache", "DescribeCacheSecurityGroups")
def describe_cache_security_groups(
    world: World,
    *,
    cache_security_group_name: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List groups, or show one."""
    _classic(world)
    found = list(world.all(CacheSecurityGroup))
    if cache_security_group_name:
        found = [find_cache_security_group(world, cache_security_group_name)]
    page, marker = page_query(found, lambda group: group.name, max_records, marker)
    return {"CacheSecurityGroups": [render(group) for group in page], "Marker": marker}


@operation("elasticache", "AuthorizeCacheSecurityGroupIngress", network=True)
def authorize_cache_security_group_ingress(
    tx: Tx, *, cache_security_group_name: str, ec2_security_group_name: str, ec2_security_group_owner_id: str
) -> Shape:
    """Let the members of an EC2 security group in; the answer says `authorizing`, as it is not in force before it."""
    network = _classic(tx.world)
    group = find_cache_security_group(tx.world, cache_security_group_name)
    name, owner = ec2_security_group_name, ec2_security_group_owner_id
    if owner != tx.account:
        raise errors.UNSUPPORTED(what=f"EC2SecurityGroupOwnerId={owner}", because=OTHER_OWNER)
    if any(grant.name == name for grant in group.grants):
        raise GRANTED(name=name, group=group.name)
    source = next((g for g in tx.world.all(SecurityGroup, vpc_id=network.id) if g.name == name), None)
    if source is None:
        raise NO_EC2_GROUP(name=name, owner=owner)
    hidden = _hidden(tx, group)
    rule = Rule(id=tx.new_id("sgr"), egress=False, protocol="-1", group_id=source.id, group_account=source.account)
    tx.put(hidden.but(rules=(*hidden.rules, rule)))
    grant = Grant(name=name, owner=owner, group_id=source.id)
    group = tx.put(group.but(grants=(*group.grants, grant)))
    return {"CacheSecurityGroup": render(group, moving=name, status="authorizing")}


@operation("elasticache", "RevokeCacheSecurityGroupIngress", network=True)
def revoke_cache_security_group_ingress(
    tx: Tx, *, cache_security_group_name: str, ec2_security_group_name: str, ec2_security_group_owner_id: str
) -> Shape:
    """Let the members of an EC2 security group in no more; connections that are open go on."""
    _classic(tx.world)
    group = find_cache_security_group(tx.world, cache_security_group_name)
    name, owner = ec2_security_group_name, ec2_security_group_owner_id
    gone = next((g for g in group.grants if (g.name, g.owner) == (name, owner)), None)
    if gone is None:
        raise NOT_GRANTED(name=name, group=group.name)
    hidden = _hidden(tx, group)
    tx.put(hidden.but(rules=tuple(rule for rule in hidden.rules if rule.group_id != gone.group_id)))
    tx.put(group.but(grants=tuple(grant for grant in group.grants if grant != gone)))
    return {"CacheSecurityGroup": render(group, moving=name, status="revoking")}


@operation("elasticache", "DeleteCacheSecurityGroup")
def delete_cache_security_group(tx: Tx, *, cache_security_group_name: str) -> None:
    """Delete a group that no cluster has."""
    _classic(tx.world)
    group = find_cache_security_group(tx.world, cache_security_group_name)
    if group.name == "default":
        raise NOT_DEFAULT()
    for cluster in tx.world.all(CacheCluster):
        if group.group_id in cluster.security_group_ids:
            raise IN_USE(name=group.name, cluster=cluster.name)
    tx.delete(_hidden(tx, group))
    tx.delete(group)
    record(tx, group, SECURITY_GROUP, group.name, f"Cache security group {group.name} deleted")


def render(group: CacheSecurityGroup, *, moving: str = "", status: str = "") -> Shape:
    """Return a group as AWS's CacheSecurityGroup; the grant `moving` has this status, all others are in force."""
    return {
        "OwnerId": group.account,
        "CacheSecurityGroupName": group.name,
        "Description": group.description,
        "EC2SecurityGroups": [
            {
                "Status": status if grant.name == moving else "authorized",
                "EC2SecurityGroupName": grant.name,
                "EC2SecurityGroupOwnerId": grant.owner,
            }
            for grant in group.grants
        ],
        "ARN": arn_of(group, "securitygroup", group.name),
    }


def _classic(world: World) -> Vpc:
    network = network_of(world)
    if network is None:
        raise errors.CACHE_SECURITY_GROUPS()
    return network


def _hidden(tx: Tx, group: CacheSecurityGroup) -> SecurityGroup:
    """Return the security group that the nodes carry: the landlord's, so not among the caller's."""
    return tx.world[SecurityGroup, group.group_id]
