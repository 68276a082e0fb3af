"""A World becomes the scene of a VPC: who stands where, and what is beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from atoll.cache.serverless import front_of
from atoll.model.balancer import KIND as BALANCER
from atoll.model.balancer import LoadBalancer
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.endpoint import KIND as ENDPOINT
from atoll.model.endpoint import VpcEndpoint
from atoll.model.fault import dead
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.lookup import (
    HALTED,
    egress_only_gateway_of,
    internet_gateway_of,
    is_public,
    public_ip_of,
    route_state,
    route_table_of,
)
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import ENDED, peerings_of
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.picture.scene import KINDS, Beside, Flow, Item, Scene, SubnetOn, TableOn


class NoVpc(LookupError):
    """There is no such VPC, or several are meant; `candidates` are those that would do."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        """Keep the candidates."""
        super().__init__(message)
        self.candidates = candidates


def vpc_called(world: World, text: str | None) -> Vpc:
    """Return the caller's VPC of an id or a Name tag; without one, the only one with anything in it.

    Raises NoVpc.
    """
    mine = list(world.all(Vpc))
    found = mine if text is None else [v for v in mine if text in (v.id, v.tags.get("Name"))]
    if text is None and len(found) > 1:
        found = [v for v in mine if world.bucket(Interface, "vpc_id", v.id)] or found
    if len(found) == 1:
        return found[0]
    candidates = tuple(v.id for v in found or mine)
    if not mine:
        raise NoVpc("there is no VPC in this account and region")
    raise NoVpc(f"which VPC? {len(candidates)} would do" if found else f"there is no VPC {text}", candidates)


def read(
    world: World,
    vpc_id: str,
    *,
    planned: Mapping[str, Sequence[Item]] | None = None,
    flows: Sequence[Flow] = (),
    translates: Mapping[str, tuple[str, ...]] | None = None,
    notes: Sequence[str] = (),
    is_live: bool = False,
) -> Scene:
    """Return the scene of a VPC.  Costs a pass over what is in it.

    `planned`: what is not there yet, by subnet: it is drawn dashed, for the preview of a create flow.  An Item of
    its own needs an `interface_id` that nothing else has, and `planned=True`; `plan_cache` makes those of a cache.
    `translates`: what machines that forward were seen to translate, by interface.
    """
    everyone = world.seen_by(None)
    vpc = everyone[Vpc, vpc_id]
    owners = _Owners(everyone, vpc_id, translates or {})
    by_subnet: dict[str, list[Item]] = {s: list(items) for s, items in (planned or {}).items()}
    for interface in everyone.all(Interface, vpc_id=vpc_id):
        by_subnet.setdefault(interface.subnet_id, []).append(owners.item(interface))
    kinds = list(KINDS)
    subnets = []
    for subnet in everyone.all(Subnet, vpc_id=vpc_id):
        items = sorted(by_subnet.get(subnet.id, ()), key=lambda i: (kinds.index(i.kind), i.name, i.address, i.id))
        subnets.append(_subnet(everyone, subnet, tuple(items)))
    order = {s.id: s.cidr for s in everyone.all(Subnet, vpc_id=vpc_id)}
    return Scene(
        vpc_id=vpc.id,
        name=_name(vpc),
        region=vpc.region,
        cidrs=tuple(str(c) for c in (*vpc.cidrs, *vpc.cidrs6)),
        subnets=tuple(sorted(subnets, key=lambda s: (s.zone, not s.is_public, order[s.id]))),
        edge=tuple(_edge(everyone, vpc_id)),
        beside=tuple(_beside(everyone, vpc_id)),
        clients=tuple(sorted(str(h.address) for h in everyone.all(OutsideHost))),
        tables=tuple(_table(everyone, t) for t in everyone.all(RouteTable, vpc_id=vpc_id)),
        flows=tuple(flows),
        notes=tuple(notes),
        is_live=is_live,
    )


def plan_cache(
    name: str, subnet_ids: Sequence[str], *, engine: str, nodes: int = 1, shards: int = 1, is_sharded: bool = False
) -> dict[str, list[Item]]:
    """Return the nodes of a cache that is not there yet: for `read(world, vpc_id, planned=...)`.

    `nodes`: of each shard, its primary among them; of Memcached, all of them.  They are spread over the subnets in
    turn; where they will really stand is said by the call that makes them.
    """
    found: dict[str, list[Item]] = {}
    for shard in range(shards):
        for member in range(nodes):
            if engine == "memcached":
                called = f"{name}:{member + 1:04}"
            else:
                called = f"{name}-{shard + 1:04}-{member + 1:03}" if is_sharded else f"{name}-{member + 1:03}"
            badge = "" if engine == "memcached" or nodes == 1 else "R" if member else "P"
            note = f"{engine}, shard {shard + 1:04}" if is_sharded else engine
            item = Item(
                id=name, interface_id=f"planned-{called}", kind="cache", name=called, badge=badge, note=note,
                planned=True,
            )  # fmt: skip
            found.setdefault(subnet_ids[(shard + member) % len(subnet_ids)], []).append(item)
    return found


def _name(resource: Resource) -> str:
    return str(resource.tags.get("Name", ""))


def _subnet(world: World, subnet: Subnet, items: tuple[Item, ...]) -> SubnetOn:
    return SubnetOn(
        id=subnet.id,
        name=_name(subnet),
        cidr=str(subnet.cidr),
        zone=subnet.zone,
        table_id=route_table_of(world, subnet).id,
        acl_id=subnet.acl_id,
        is_public=is_public(world, subnet),
        items=items,
    )


def _table(world: World, table: RouteTable) -> TableOn:
    routes = tuple(
        (r.towards, r.instance_id or r.target, route_state(world, table.vpc_id, r.target) == "active")
        for r in table.routes
    )
    return TableOn(id=table.id, name=_name(table), is_main=table.is_main, routes=routes)


def _edge(world: World, vpc_id: str) -> Iterator[Beside]:
    if gateway := internet_gateway_of(world, vpc_id):
        yield Beside(id=gateway.id, kind="igw", name=_name(gateway) or "internet gateway", lines=(gateway.id,))
    if egress := egress_only_gateway_of(world, vpc_id):
        yield Beside(id=egress.id, kind="eigw", name=_name(egress) or "egress-only gateway", lines=(egress.id,))


def _beside(world: World, vpc_id: str) -> Iterator[Beside]:
    for peering in peerings_of(world, vpc_id):
        if peering.status in ENDED:
            continue
        far = peering.beyond(vpc_id)
        other = world.get(Vpc, far.vpc_id)
        ranges = " ".join(str(c) for c in other.cidrs) if other else ""
        name = peering.tags_of(peering.end_of(vpc_id).owner).get("Name", "") or "peering"
        lines = (peering.id, f"to {far.vpc_id}", *([ranges] if ranges else []), peering.status)
        yield Beside(id=peering.id, kind="peering", name=name, lines=lines, is_open=peering.is_open)
    for endpoint in world.all(VpcEndpoint, vpc_id=vpc_id):
        if endpoint.type == "Gateway" and endpoint.state != "deleted":
            service = endpoint.service_name.rpartition(".")[2]
            lines = (endpoint.id, f"gateway endpoint, {endpoint.state}")
            name = _name(endpoint) or service
            yield Beside(id=endpoint.id, kind="gateway-endpoint", name=name, lines=lines, is_open=endpoint.stands)


class _Owners:
    """Says whose an interface is: tables by interface, each made once."""

    def __init__(self, world: World, vpc_id: str, translates: Mapping[str, tuple[str, ...]]) -> None:
        self._world, self._translates = world, translates
        self._nodes: dict[str, tuple[CacheCluster, CacheNode]] = {}
        for cluster in world.all(CacheCluster, vpc_id=vpc_id):
            self._nodes |= {node.interface_id: (cluster, node) for node in cluster.nodes}
        self._gateways = {g.interface_id: g for g in world.all(NatGateway, vpc_id=vpc_id)}
        self._balancers = {n.interface_id: b for b in world.all(LoadBalancer, vpc_id=vpc_id) for n in b.nodes}
        self._endpoints = {f.interface_id: e for e in world.all(VpcEndpoint, vpc_id=vpc_id) for f in e.feet}

    def item(self, interface: Interface) -> Item:
        """Return what an interface is on the map."""
        item = self._owned(interface)
        public = public_ip_of(self._world, interface)
        trouble = item.trouble
        if not trouble and (fault := dead(self._world, interface)):
            trouble = fault.act
        return replace(
            item, address=str(interface.address), public=str(public) if public else "", trouble=trouble,
            translates=self._translates.get(interface.id, ()),
        )  # fmt: skip

    def _owned(self, it: Interface) -> Item:
        if it.id in self._nodes:
            return self._node(it.id, *self._nodes[it.id])
        if it.id in self._gateways:
            gateway = self._gateways[it.id]
            note = f"NAT gateway, {gateway.connectivity}"
            return _item(it, "nat", gateway.id, _name(gateway), note, _unless(gateway.state, "available"))
        if it.kind == BALANCER and it.id in self._balancers:
            balancer = self._balancers[it.id]
            return _item(it, "balancer", balancer.name, balancer.name, f"load balancer, {balancer.scheme}",
                         _unless(balancer.state, "active"))  # fmt: skip
        if it.kind == ENDPOINT and it.id in self._endpoints:
            endpoint = self._endpoints[it.id]
            service = endpoint.service_name.rpartition(".")[2]
            return _item(it, "endpoint", endpoint.id, _name(endpoint), f"endpoint of {service}",
                         _unless(endpoint.state, "available"))  # fmt: skip
        if it.instance_id is not None:
            return self._instance(it, self._world[Instance, it.instance_id])
        trouble = "" if it.attachment else "not attached"
        return _item(it, "interface", it.id, _name(it), it.description or "interface", trouble)

    def _instance(self, it: Interface, instance: Instance) -> Item:
        forwards = not it.source_dest_check or it.id in self._translates
        trouble = instance.state if instance.state in HALTED else _unless(instance.state, "running")
        index = it.attachment.device_index if it.attachment else 0
        note = f"{instance.type}, interface {index}" if index else instance.type
        if forwards:
            note = f"{note}, forwards"
        return _item(it, "nat-instance" if forwards else "instance", instance.id, _name(instance), note, trouble)

    def _node(self, interface_id: str, cluster: CacheCluster, node: CacheNode) -> Item:
        group = self._world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
        shard = group.shard_of(cluster.id) if group else None
        badge, note = "", f"{cluster.engine} {cluster.engine_version}"
        if group and shard and len(group.member_ids) > 1:
            badge = "P" if cluster.id == shard.primary_id else "R"
        if group and shard and group.is_sharded:
            note = f"{note}, shard {shard.id}"
        name = f"{cluster.name}:{node.id}" if cluster.is_memcached and len(cluster.nodes) > 1 else cluster.name
        if front := front_of(self._world, cluster):  # people know it by this name, and never see the group behind it
            name, note = front.name, f"{cluster.engine} {cluster.engine_version}, serverless"
        return Item(
            id=cluster.name, interface_id=interface_id, kind="cache", name=name, note=note, badge=badge,
            trouble=_unless(node.status, "available"),
        )  # fmt: skip


def _item(it: Interface, kind: str, id: str, name: str, note: str, trouble: str) -> Item:
    return Item(id=id, interface_id=it.id, kind=kind, name=name or id, note=note, trouble=trouble)


def _unless(state: str, usual: str) -> str:
    return "" if state == usual else state
