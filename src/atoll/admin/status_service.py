"""Load balancers and endpoints, as `atoll status` shows them."""

from typing import Any

from atoll.model.balancer import Listener, LoadBalancer, TargetGroup
from atoll.model.balancer_lookup import unused
from atoll.model.endpoint import VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.world import World


def balancers(world: World) -> list[dict[str, Any]]:
    """Return each balancer with its nodes, and each of its listeners with its targets."""
    return [_balancer(world, balancer) for balancer in world.all(LoadBalancer)]


def _balancer(world: World, b: LoadBalancer) -> dict[str, Any]:
    return {
        "name": b.name,
        "state": b.state,
        "scheme": b.scheme,
        "vpc": b.vpc_id,
        "dns": b.dns_name,
        "nodes": {node.zone: str(world[Interface, node.interface_id].address) for node in b.nodes},
        "listeners": [_listener(world, one) for one in world.all(Listener, balancer_id=b.id)],
    }


def _listener(world: World, one: Listener) -> dict[str, Any]:
    group = world[TargetGroup, one.group_id]
    targets = [
        {"id": t.id, "port": t.port, "zone": t.zone, "state": (unused(world, group, t) or (t.state,))[0]}
        for t in group.targets
    ]
    return {"protocol": one.protocol, "port": one.port, "group": group.name, "targets": targets}


def endpoints(world: World) -> list[dict[str, Any]]:
    """Return each endpoint with its addresses, by zone."""
    return [
        {
            "id": e.id,
            "name": e.tags.get("Name"),
            "state": e.state,
            "type": e.type,
            "service": e.service_name,
            "vpc": e.vpc_id,
            "addresses": {foot.zone: str(world[Interface, foot.interface_id].address) for foot in e.feet},
            "tables": list(e.table_ids),
        }
        for e in world.all(VpcEndpoint)
    ]
