"""Placeholders in commands and texts: `{sg:cache}` is the id of the group that is called so, in the lesson's world.

What is not there yet stays readable: SG_CACHE.
"""

import re
from collections.abc import Callable, Iterator

from atoll.cache import endpoint
from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.balancer import LoadBalancer, TargetGroup
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.gateway import InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.image import images
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import primary_interface
from atoll.model.names import key
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import visible
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World

PLACEHOLDER = re.compile(r"\{([a-z-]+):([\w.-]+)\}")
IMAGES = {"plain": re.compile(r"amzn2-ami-hvm-.*-x86_64-gp2"), "nat": re.compile(r"amzn-ami-vpc-nat-.*")}
GONE = ("terminated", "shutting-down")


def fill(world: World, text: str) -> str:
    """Return a text with its placeholders filled in; `world` is seen by the lesson's account."""
    return PLACEHOLDER.sub(lambda found: find(world, found[1], found[2]) or _unknown(found[1], found[2]), text)


def is_whole(world: World, text: str) -> bool:
    """Tell whether everything is there that a text names."""
    return all(find(world, kind, name) for kind, name in PLACEHOLDER.findall(text))


def placeholders(text: str) -> tuple[str, ...]:
    """Return the placeholders of a text, as they are written."""
    return tuple(found[0] for found in PLACEHOLDER.finditer(text))


def find(world: World, kind: str, name: str) -> str | None:
    """Return what a placeholder stands for.  Raises KeyError for a kind that there is not: a mistake of the text."""
    return FINDERS[kind](world, name)


def tagged(world: World, kind: type[Resource], name: str) -> Iterator[Resource]:
    """Yield what has a Name tag, the newest first."""
    yield from reversed([r for r in world.all(kind) if r.tags.get("Name") == name])


def instance(world: World, name: str) -> Instance | None:
    """Return an instance that stands, by its Name tag."""
    found = (i for i in tagged(world, Instance, name) if isinstance(i, Instance) and i.state not in GONE)
    return next(found, None)


def group(world: World, name: str) -> SecurityGroup | None:
    """Return a security group by its name, or Name tag; the newest of several."""
    named = [g for g in world.all(SecurityGroup) if name in (g.name, g.tags.get("Name"))]
    return named[-1] if named else None


def cache(world: World, name: str) -> CacheCluster | None:
    """Return a cluster by its name."""
    assert world.caller, "a lesson's world is seen by its account"
    return world.get(CacheCluster, key(world.caller.account, world.caller.region, name))


def replication(world: World, name: str) -> ReplicationGroup | None:
    """Return a replication group by its name."""
    assert world.caller, "a lesson's world is seen by its account"
    return world.get(ReplicationGroup, key(world.caller.account, world.caller.region, name))


def _tagged(kind: type[Resource]) -> Callable[[World, str], str | None]:
    return lambda world, name: next((r.id for r in tagged(world, kind, name)), None)


def _group(world: World, name: str) -> str | None:
    found = group(world, name)
    return found.id if found else None


def _instance(world: World, name: str) -> str | None:
    found = instance(world, name)
    return found.id if found else None


def _interface(world: World, name: str) -> str | None:
    found = instance(world, name)
    first = primary_interface(world, found.id) if found else None
    return first.id if first else None


def _address(world: World, name: str) -> str | None:
    if cluster := cache(world, name):
        return str(endpoint.address_of(world, cluster.nodes[0])) if cluster.nodes else None
    if (id := _interface(world, name)) is not None:
        return str(world[Interface, id].address)
    return None


def _public(world: World, name: str) -> str | None:
    found = next(tagged(world, ElasticIp, name), None)
    return str(found.public_ip) if isinstance(found, ElasticIp) else None


def _association(world: World, name: str) -> str | None:
    found = next(tagged(world, Subnet, name), None)
    return found.acl_association_id if isinstance(found, Subnet) else None


def _table_association(world: World, name: str) -> str | None:
    subnet = next(tagged(world, Subnet, name), None)
    used = (a.id for t in world.all(RouteTable) for a in t.associations if subnet and a.subnet_id == subnet.id)
    return next(used, None)


def _service_name(world: World, name: str) -> str | None:
    found = next(tagged(world, EndpointService, name), None)
    return found.service_name if isinstance(found, EndpointService) else None


def _arn(kind: type[LoadBalancer] | type[TargetGroup]) -> Callable[[World, str], str | None]:
    return lambda world, name: next((r.id for r in world.all(kind) if r.name == name), None)


def _endpoint(world: World, name: str) -> str | None:
    if found := replication(world, name):
        return endpoint.clustercfg_name(found) if found.is_sharded else endpoint.primary_name(found)
    cluster = cache(world, name)
    return endpoint.node_name(cluster, cluster.nodes[0].id) if cluster and cluster.nodes else None


def _image(world: World, name: str) -> str | None:
    assert world.caller, "a lesson's world is seen by its account"
    return next((i.id for i in images(world.caller.region) if IMAGES[name].fullmatch(i.name)), None)


def _peering(world: World, name: str) -> str | None:
    mine = [p for p in visible(world) if p.requester.tags.get("Name") == name and p.is_open]
    return mine[-1].id if mine else None


def _gateway(world: World, name: str) -> str | None:
    found = (r for r in tagged(world, NatGateway, name) if isinstance(r, NatGateway) and r.stands)
    return next((r.id for r in found), None)


def _unknown(kind: str, name: str) -> str:
    return re.sub(r"\W", "_", f"{kind}_{name}").upper()


FINDERS: dict[str, Callable[[World, str], str | None]] = {
    "vpc": _tagged(Vpc), "subnet": _tagged(Subnet), "rtb": _tagged(RouteTable), "sg": _group,
    "acl": _tagged(NetworkAcl),
    "aclassoc": _association, "rtbassoc": _table_association, "i": _instance, "eni": _interface, "ip": _address,
    "eipalloc": _tagged(ElasticIp), "public": _public, "igw": _tagged(InternetGateway), "nat": _gateway,
    "pcx": _peering, "vpce": _tagged(VpcEndpoint), "vpce-svc": _tagged(EndpointService),
    "service": _service_name, "lb": _arn(LoadBalancer), "tg": _arn(TargetGroup), "endpoint": _endpoint, "ami": _image,
}  # fmt: skip
