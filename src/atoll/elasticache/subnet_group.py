"""Cache subnet groups: the subnets that a cache's nodes may be put into.

The group `default` holds the subnets of the default VPC.  It is read from that VPC until somebody changes it, so that
it always tells the truth and never keeps the default VPC from being deleted.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.history import SUBNET_GROUP, record
from atoll.elasticache import errors
from atoll.elasticache.find import arn_of, owner_key
from atoll.elasticache.naming import other_name
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheCluster, CacheSubnetGroup
from atoll.model.classic import network_of, subnets_of
from atoll.model.interface import Interface
from atoll.model.quota import GROUP_SUBNETS, SUBNET_GROUPS, allowed
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

DEFAULT, CLASSIC = "default", ""

EXISTS = Err("CacheSubnetGroupAlreadyExists", "Cache subnet group {name} already exists.")
IN_USE = Err("CacheSubnetGroupInUse", "Cache subnet group {name} is currently in use by a cache cluster.")
NOT_DEFAULT = Err("InvalidParameterValue", "The default cache subnet group cannot be {done}.")
BAD_SUBNETS = Err("InvalidParameterValue", "Some input subnets in :[{ids}] are invalid.")
NO_SUBNETS = Err("InvalidParameterValue", "The parameter SubnetIds must be provided.")
SEVERAL_VPCS = Err("InvalidSubnet", "Subnets {one} and {other} are not in the same VPC.")
OTHER_VPC = Err("InvalidSubnet", "The subnets of cache subnet group {name} must stay in the VPC {vpc}.")
SUBNET_USED = Err("SubnetInUse", "The subnet {id} is in use by a cache cluster of this cache subnet group.")
TOO_MANY_SUBNETS = Err("CacheSubnetQuotaExceededFault", "A cache subnet group can have at most {limit} subnets.")
TOO_MANY_GROUPS = Err("CacheSubnetGroupQuotaExceeded", "You can have at most {limit} cache subnet groups.")


@operation("elasticache", "CreateCacheSubnetGroup")
def create_cache_subnet_group(
    tx: Tx,
    *,
    cache_subnet_group_name: str,
    cache_subnet_group_description: str,
    subnet_ids: Sequence[str],
    tags: Sequence[Shape] = (),
) -> Shape:
    """Make a subnet group out of subnets of one VPC."""
    name = other_name(cache_subnet_group_name, "CacheSubnetGroupName")
    if name == DEFAULT:
        raise NOT_DEFAULT(done="created")
    if tx.get(CacheSubnetGroup, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    limit = allowed(tx.world, SUBNET_GROUPS)
    if tx.world.count(CacheSubnetGroup) >= limit:
        raise TOO_MANY_GROUPS(limit=limit)
    subnets = named_subnets(tx.world, subnet_ids)
    group = tx.make(
        CacheSubnetGroup,
        owner_key(tx.world, name),
        name=name,
        description=cache_subnet_group_description,
        vpc_id=subnets[0].vpc_id,
        subnet_ids=tuple(subnet.id for subnet in subnets),
        tags=tags_of(tags),
    )
    record(tx, group, SUBNET_GROUP, name, f"Cache subnet group {name} created")
    return {"CacheSubnetGroup": render(tx.world, group)}


@operation("elasticache", "DescribeCacheSubnetGroups", pure=True)
def describe_cache_subnet_groups(
    world: World,
    *,
    cache_subnet_group_name: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List subnet groups, or show one."""
    groups = [find(world, cache_subnet_group_name)] if cache_subnet_group_name else every(world)
    page, marker = page_query(groups, lambda group: group.name, max_records, marker)
    return {"CacheSubnetGroups": [told(world, render, group) for group in page], "Marker": marker}


@operation("elasticache", "ModifyCacheSubnetGroup")
def modify_cache_subnet_group(
    tx: Tx,
    *,
    cache_subnet_group_name: str,
    cache_subnet_group_description: str | None = None,
    subnet_ids: Sequence[str] | None = None,
) -> Shape:
    """Change the description, or the subnets: those in use stay, and all are in the VPC they were in."""
    group = find(tx.world, cache_subnet_group_name)
    if subnet_ids is not None:
        subnets = named_subnets(tx.world, subnet_ids)
        if subnets[0].vpc_id != group.vpc_id:
            raise OTHER_VPC(name=group.name, vpc=group.vpc_id)
        kept = tuple(subnet.id for subnet in subnets)
        for id in sorted(_used(tx.world, group) - set(kept)):
            raise SUBNET_USED(id=id)
        group = group.but(subnet_ids=kept)
    if cache_subnet_group_description is not None:
        group = group.but(description=cache_subnet_group_description)
    tx.put(group)
    return {"CacheSubnetGroup": render(tx.world, group)}


@operation("elasticache", "DeleteCacheSubnetGroup")
def delete_cache_subnet_group(tx: Tx, *, cache_subnet_group_name: str) -> None:
    """Delete a subnet group that no cluster uses."""
    group = find(tx.world, cache_subnet_group_name)
    if group.name == DEFAULT:
        raise NOT_DEFAULT(done="deleted")
    if next(tx.world.all(CacheCluster, subnet_group=group.name), None):
        raise IN_USE(name=group.name)
    tx.delete(group)
    record(tx, group, SUBNET_GROUP, group.name, f"Cache subnet group {group.name} deleted")


def find(world: World, name: str) -> CacheSubnetGroup:
    """Return a subnet group of the caller's.  Raises SUBNET_GROUP_NOT_FOUND.

    CLASSIC, which is no name, means the subnets of his EC2-Classic network.
    """
    if name == CLASSIC and (classic := of_classic(world)):
        return classic
    group = world.get(CacheSubnetGroup, owner_key(world, name))
    if group is None and name.lower() == DEFAULT:
        group = of_default_vpc(world)
    if group is None:
        raise errors.SUBNET_GROUP_NOT_FOUND(name=name)
    return group


def every(world: World) -> list[CacheSubnetGroup]:
    """Return the caller's subnet groups; `default` is among them while there is a default VPC."""
    groups = list(world.all(CacheSubnetGroup))
    if not any(group.name == DEFAULT for group in groups) and (default := of_default_vpc(world)):
        groups.append(default)
    return groups


def of_default_vpc(world: World) -> CacheSubnetGroup | None:
    """Return the group `default` as the default VPC's default subnets make it; None without a default VPC."""
    assert world.caller, "an operation has a caller"
    vpc = next((vpc for vpc in world.all(Vpc) if vpc.is_default), None)
    subnets = [s.id for s in world.all(Subnet, vpc_id=vpc.id) if s.is_default] if vpc else []
    if vpc is None or not subnets:
        return None
    return CacheSubnetGroup(
        id=owner_key(world, DEFAULT),
        account=world.caller.account,
        region=world.caller.region,
        name=DEFAULT,
        description="Default CacheSubnetGroup",
        vpc_id=vpc.id,
        subnet_ids=tuple(subnets),
    )


def of_classic(world: World) -> CacheSubnetGroup | None:
    """Return the subnets of the caller's EC2-Classic network; None if he has none."""
    network = network_of(world)
    if network is None:
        return None
    return CacheSubnetGroup(
        id=owner_key(world, CLASSIC),
        account=network.account,
        region=network.region,
        name=CLASSIC,
        description="EC2-Classic",
        vpc_id=network.id,
        subnet_ids=tuple(subnet.id for subnet in subnets_of(world, network)),
    )


def render(world: World, group: CacheSubnetGroup) -> Shape:
    """Return a subnet group as AWS's CacheSubnetGroup."""
    return {
        "CacheSubnetGroupName": group.name,
        "CacheSubnetGroupDescription": group.description,
        "VpcId": group.vpc_id,
        "Subnets": [
            {
                "SubnetIdentifier": subnet.id,
                "SubnetAvailabilityZone": {"Name": subnet.zone},
                "SupportedNetworkTypes": ["ipv4"],
            }
            for subnet in (world[Subnet, id] for id in group.subnet_ids)
        ],
        "ARN": arn_of(group, "subnetgroup", group.name),
        "SupportedNetworkTypes": ["ipv4"],
    }


def named_subnets(world: World, ids: Sequence[str]) -> list[Subnet]:
    """Return the caller's subnets of one VPC, each once, in the order given."""
    if not ids:
        raise NO_SUBNETS()
    unique = list(dict.fromkeys(ids))
    found = [subnet for subnet in (world.get(Subnet, id) for id in unique) if subnet]
    if len(found) < len(unique):
        raise BAD_SUBNETS(ids=", ".join(unique))
    for subnet in found:
        if subnet.vpc_id != found[0].vpc_id:
            raise SEVERAL_VPCS(one=found[0].id, other=subnet.id)
    limit = allowed(world, GROUP_SUBNETS)
    if len(found) > limit:
        raise TOO_MANY_SUBNETS(limit=limit)
    return found


def _used(world: World, group: CacheSubnetGroup) -> set[str]:
    """Return the subnets in which clusters of the group have nodes."""
    clusters = world.all(CacheCluster, subnet_group=group.name)
    return {world[Interface, node.interface_id].subnet_id for cluster in clusters for node in cluster.nodes}
