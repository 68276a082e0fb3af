"""What is there, in one answer, for `atoll status`."""

from typing import Any, cast

from atoll.admin.chaos import listed
from atoll.admin.status_service import balancers, endpoints
from atoll.cache.endpoint import node_name
from atoll.cache.tuning import APPLYING, state, still_refused, wanted
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.hardware import rack_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.lookup import primary_interface, public_ip_of
from atoll.model.placement_group import PlacementGroup
from atoll.model.vpc import Vpc
from atoll.model.world import World


def status(world: World) -> dict[str, Any]:
    """Return the resources that `world` shows its caller, as JSON-able values."""
    return {
        "revision": world.revision,
        "vpcs": [_vpc(world, v) for v in world.all(Vpc)],
        "instances": [_instance(world, i) for i in world.all(Instance)],
        "caches": [_cluster(world, c) for c in world.all(CacheCluster)],
        "balancers": balancers(world),
        "endpoints": endpoints(world),
        "faults": listed(world),
        "outside": [str(h.address) for h in world.seen_by(None).all(OutsideHost)],
    }


def _vpc(world: World, vpc: Vpc) -> dict[str, Any]:
    interfaces = len(world.bucket(Interface, "vpc_id", vpc.id))
    name = vpc.tags.get("Name")
    return {
        "id": vpc.id,
        "name": name,
        "cidr": str(vpc.cidr),
        "ipv6": [str(cidr) for cidr in vpc.cidrs6],
        "default": vpc.is_default,
        "interfaces": interfaces,
    }


def _instance(world: World, instance: Instance) -> dict[str, Any]:
    interface = primary_interface(world, instance.id)
    public = public_ip_of(world, interface) if interface else None
    return {
        "id": instance.id,
        "name": instance.tags.get("Name"),
        "state": instance.state,
        "type": instance.type,
        "vpc": instance.vpc_id,
        "subnet": instance.subnet_id,
        "private_ip": str(interface.address) if interface else None,
        "ipv6": [str(ip) for ip in interface.ipv6_addresses] if interface else [],
        "public_ip": str(public) if public else None,
        "placement": _placement(world, instance),
        "host_error": instance.host_error,
    }


def _placement(world: World, i: Instance) -> dict[str, Any]:
    """Return where an instance stands on the simulated hardware; nothing while it is stopped."""
    group = world.get(PlacementGroup, i.placement_group_id) if i.placement_group_id else None
    where = {"host": i.host, "rack": rack_of(i.host) if i.host else None, "zone": i.zone}
    return where | {"group": group.name if group else None, "partition": i.partition}


def _cluster(world: World, cluster: CacheCluster) -> dict[str, Any]:
    group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    nodes = []
    for node in cluster.nodes:
        interface = cast("Interface | None", world.seen_by(None).get(Interface, node.interface_id))
        nodes.append(
            {
                "id": node.id,
                "status": node.status,
                "address": str(interface.address) if interface else None,
                "endpoint": f"{node_name(cluster, node.id)}:{cluster.port}",
                "role": _role(cluster, group),
                "zone": node.zone,
                "host": interface.host if interface else None,
                "host_error": node.host_error or _refusal(world, cluster, node),
            }
        )
    return {
        "name": cluster.name,
        "engine": cluster.engine,
        "version": cluster.engine_version,
        "status": cluster.status,
        "group": group.name if group else None,
        "vpc": cluster.vpc_id,
        "endpoint": nodes[0]["endpoint"] if nodes else None,
        "nodes": nodes,
    }


def _refusal(world: World, cluster: CacheCluster, node: CacheNode) -> str | None:
    """Return which parameters an engine does not take, and why, while its group asks for them."""
    said = wanted(world.seen_by(None), cluster)
    if not (refused := still_refused(node, said)) or state(cluster, node, said) != APPLYING:
        return None
    return "it does not take " + "; ".join(f"{name}: {because}" for name, because in refused.items())


def _role(cluster: CacheCluster, group: ReplicationGroup | None) -> str:
    if group is None:
        return "node"
    return "primary" if cluster.id in group.primary_ids else "replica"
