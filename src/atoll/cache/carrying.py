"""A whole World, carried elsewhere: what must be settled first, whose data go along, and what it is when it arrives.

Everything that runs is started anew where a World arrives: instances boot once more, from the disks that came along,
and caches are `creating` until their engines have loaded the data that came along.  Pure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from atoll.cache.tuning import at_start, wanted
from atoll.model.account import AccessKey, Territory
from atoll.model.acl import NetworkAcl
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup, Seed
from atoll.model.engine import EngineBuild
from atoll.model.event import Event
from atoll.model.fault import Fault
from atoll.model.gateway import InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.internet import OutsideHost
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.snapshot import Snapshot
from atoll.model.subnet import Subnet
from atoll.model.token import ClientToken
from atoll.model.update import UpdateAction
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Tx, World

# What is of one machine, or of a moment; and who may call here, which no file decides.
HERE_ONLY = (EngineBuild, Fault, ClientToken, AccessKey)
STANDING = ("available", "creating", "create-failed", "restore-failed", "incompatible-network", "deleting")
_NOT_MADE = (Territory, EngineBuild, Event, ClientToken, AccessKey, OutsideHost, UpdateAction)
_ONE_FOR_EACH_VPC = (RouteTable, NetworkAcl, InternetGateway)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came along with a World."""

    seeds: Mapping[str, Seed] = field(default_factory=dict)  # World id of a primary -> its data
    disks: Mapping[str, str] = field(default_factory=dict)  # instance -> its disk, below the state directory


def carried(world: World) -> Iterator[Resource]:
    """Yield what goes along."""
    return (resource for resource in world.seen_by(None) if not isinstance(resource, HERE_ONLY))


def unsettled(world: World) -> list[str]:
    """Return what changes at the moment, and cannot be carried in the middle of it."""
    whole = world.seen_by(None)
    busy = [
        f"{group.name} is {group.status}"
        for group in whole.all(ReplicationGroup)
        if group.status not in STANDING
        or group.resharding
        or any(shard.promotion or shard.source_id or shard.migration for shard in group.node_groups)
    ]
    busy += [
        f"{cluster.name} is {'changing' if cluster.is_changing else cluster.status}"
        for cluster in whole.all(CacheCluster)
        if cluster.status not in STANDING or cluster.is_changing or cluster.is_on_trial
    ]
    return busy + [f"the snapshot {s.name} is {s.status}" for s in whole.all(Snapshot) if s.status == "creating"]


def primaries(world: World) -> list[str]:
    """Return whose data are those of the caches: each shard's primary, and clusters that are alone."""
    whole = world.seen_by(None)
    led = {id for group in whole.all(ReplicationGroup) for id in group.primary_ids}
    return [
        cluster.id
        for cluster in whole.all(CacheCluster)
        if not cluster.is_memcached
        and (cluster.group_id is None or cluster.id in led)
        and cluster.status == "available"
        and cluster.nodes[0].status == "available"
    ]


def layout(world: World) -> list[tuple[str, object]]:
    """Return what must be the same before and after the data were taken: who has which keys."""
    whole = world.seen_by(None)
    groups: list[tuple[str, object]] = [(group.id, group.node_groups) for group in whole.all(ReplicationGroup)]
    return [*groups, *((cluster.id, cluster.group_id) for cluster in whole.all(CacheCluster))]


def made(world: World) -> int:
    """Count what somebody has made and a file would replace: all but what each account begins with, and keys."""
    whole, count = world.seen_by(None), 0
    room = dict.fromkeys(_ONE_FOR_EACH_VPC, sum(vpc.is_default for vpc in whole.all(Vpc)))
    for resource in whole:
        if isinstance(resource, Vpc | Subnet | DhcpOptions):
            count += not resource.is_default
        elif isinstance(resource, SecurityGroup):
            count += resource.name != "default"
        elif isinstance(resource, _ONE_FOR_EACH_VPC):
            room[type(resource)] -= 1
            count += room[type(resource)] < 0
        else:
            count += not isinstance(resource, _NOT_MADE)
    return count


def lacking(builds: Collection[tuple[str, str]], arriving: Iterable[Resource]) -> set[str]:
    """Return the engines that a World needs and a machine does not have; a newer patch of the same minor will do."""
    here = {(engine, _minor(version)) for engine, version in builds}
    needed = {(r.engine, r.engine_version) for r in arriving if isinstance(r, CacheCluster)}
    return {f"{engine} {version}" for engine, version in needed if (engine, _minor(version)) not in here}


def arrive(tx: Tx, arriving: Iterable[Resource], brought: Brought) -> None:
    """Replace everything but access keys by another World, in which everything that runs is started anew."""
    before = tx.world
    for resource in before:
        if not _stays(resource):
            tx.delete(resource)
    for resource in arriving:
        if not isinstance(resource, HERE_ONLY):
            tx.put(resource)
    for instance in tx.all(Instance):
        tx.put(_booting(before, instance, brought))
    for cluster in tx.all(CacheCluster):
        if cluster.status == "deleting":
            continue
        said, old = wanted(tx.world, cluster), before.get(CacheCluster, cluster.id)
        nodes = tuple(_starting(node, old, said) for node in cluster.nodes)
        seed = brought.seeds.get(cluster.id)
        seeds = (seed,) if seed else cluster.seeds if cluster.status == "creating" else ()
        status = "creating" if cluster.status == "available" else cluster.status
        tx.put(cluster.but(nodes=nodes, seeds=seeds, status=status))
    for group in tx.all(ReplicationGroup):
        if group.status == "available":
            tx.put(group.but(status="creating"))


def _stays(resource: Resource) -> bool:
    """Tell whether something is not of the World that goes: the machine's engines, and keys that no instance has."""
    return isinstance(resource, EngineBuild) or (isinstance(resource, AccessKey) and resource.instance_id is None)


def _booting(before: World, instance: Instance, brought: Brought) -> Instance:
    old = before.get(Instance, instance.id)
    boot = max(instance.boot, old.boot if old else 0) + 1
    state = "pending" if instance.state == "running" else instance.state
    return instance.but(boot=boot, state=state, disk=brought.disks.get(instance.id), host_error=None)


def _starting(node: CacheNode, old: CacheCluster | None, said: tuple[tuple[str, str], ...]) -> CacheNode:
    """Return a node whose next process is another than any that this machine has seen."""
    boots = [n.boot for n in old.nodes if n.id == node.id] if old else []
    status = node.status if node.status == "deleting" else "creating"
    fresh = replace(node, refused=())
    return replace(
        fresh,
        boot=max(node.boot, *boots, 0) + 1,
        status=status,
        parameters=at_start(fresh, said),
        maybe=(),
        loads=False,
        host_error=None,
        encryption="",
        access="",
        users=(),
    )


def _minor(version: str) -> str:
    return version.rpartition(".")[0]
