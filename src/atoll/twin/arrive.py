"""A twin takes its place in the World, in one transaction: what the account has in the region gives way, or stays."""

from collections.abc import Iterator
from dataclasses import replace

from atoll.cache.carrying import made
from atoll.cache.serverless import owned_by
from atoll.model.account import AccessKey, Territory
from atoll.model.address import ElasticIp
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.internet import OutsideHost
from atoll.model.keypair import KeyPair
from atoll.model.peering import Peering
from atoll.model.quota import Quota, QuotaRequest
from atoll.model.resource import Resource
from atoll.model.serverless import ServerlessSnapshot
from atoll.model.signing import SigningKey
from atoll.model.snapshot import Snapshot
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.twin.draft import STAND_IN, Twin

# What no network is made of, and files or keys outside belong to.
STAYING = (AccessKey, KeyPair, Quota, QuotaRequest, ServerlessSnapshot, SigningKey, Snapshot)


class InTheWay(Exception):
    """Something here would have to give way, and nobody has said that it may; nothing was changed."""


def owned(world: World, account: str, region: str) -> Iterator[Resource]:
    """Yield what gives way to a twin of an account in a region, with what is there for its sake only."""
    whole, vpcs = world.seen_by(None), set()
    for resource in owned_by(whole, (account,)):
        is_outline = STAND_IN in resource.tags  # of a VPC that another account's twin is peered with
        if resource.region == region and not isinstance(resource, STAYING) and not is_outline:
            yield resource
            vpcs |= {resource.id} if isinstance(resource, Vpc) else set()
    going = [p for p in whole.all(Peering) if vpcs & {p.requester.vpc_id, p.accepter.vpc_id}]
    yield from going
    kept = {id for p in whole.all(Peering) if p not in going for id in (p.requester.vpc_id, p.accepter.vpc_id)}
    lonely = {id for p in going for id in (p.requester.vpc_id, p.accepter.vpc_id)} - kept - vpcs
    for resource in whole:
        if STAND_IN in resource.tags and getattr(resource, "vpc_id", resource.id) in lonely:
            yield resource


def without(world: World, account: str, region: str) -> World:
    """Return the World as it is once an account's region is empty, and without the outlines of VPCs in it."""
    gone = {(type(r), r.id): None for r in owned(world, account, region)}
    outlines = {(type(r), r.id): None for r in world.seen_by(None) if STAND_IN in r.tags}
    return world.seen_by(None).after(gone | outlines)


def arrive(tx: Tx, twin: Twin, *, may_replace: bool) -> int:
    """Put a twin in the place of what its account has in its region; returns how much gave way.  Raises InTheWay."""
    before = tx.world
    leaving = {(type(r), r.id): r for r in owned(before, twin.account, twin.region)}
    count = made(World().after(leaving))
    if count and not may_replace:
        what = f"the account {twin.account} has {count} resource{'' if count == 1 else 's'} in {twin.region} already"
        raise InTheWay(f"{what}: --replace ends and forgets them, --account ID imports into another account")
    _check(before, twin, set(leaving))
    for resource in leaving.values():
        tx.delete(resource)
    vpcs = {resource.id for resource in twin.resources if isinstance(resource, Vpc)}
    for resource in before:
        if STAND_IN in resource.tags and getattr(resource, "vpc_id", resource.id) in vpcs:
            tx.delete(resource)
    for resource in twin.resources:
        tx.put(_anew(before, resource))
    return count


def _check(world: World, twin: Twin, leaving: set[tuple[type[Resource], str]]) -> None:
    """Refuse ids and public addresses that somebody else has here.  Raises InTheWay."""
    public = {eip.public_ip for eip in world.all(ElasticIp) if (ElasticIp, eip.id) not in leaving}
    outside = {host.address for host in world.all(OutsideHost)}
    vpcs = {resource.id for resource in twin.resources if isinstance(resource, Vpc)}
    for resource in twin.resources:
        ends = (resource.requester.vpc_id, resource.accepter.vpc_id) if isinstance(resource, Peering) else ()
        if gone := [id for id in ends if id not in vpcs and world.get(Vpc, id) is None]:
            raise InTheWay(f"{gone[0]}, with which {resource.id} peers, was deleted meanwhile: import again")
        there = world.get(type(resource), resource.id)
        is_free = there is None or (type(there), there.id) in leaving or isinstance(there, Peering | Territory)
        if not is_free and there is not None and STAND_IN not in there.tags:
            raise InTheWay(f"{resource.id} is here already, in the account {there.account} and {there.region}")
        if isinstance(resource, ElasticIp) and resource.public_ip in public | outside:
            raise InTheWay(f"{resource.public_ip} is somebody else's here, or that of an outside host")


def _anew(world: World, resource: Resource) -> Resource:
    """Return a machine or a cache whose next process is another than any that this host has seen."""
    old = world.get(type(resource), resource.id)
    if isinstance(resource, Instance) and isinstance(old, Instance):
        return resource.but(boot=old.boot + 1)
    if isinstance(resource, CacheCluster) and isinstance(old, CacheCluster):
        boot = max((node.boot for node in old.nodes), default=0) + 1
        return resource.but(nodes=tuple(replace(node, boot=boot) for node in resource.nodes))
    return resource
