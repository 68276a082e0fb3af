"""Where a machine lives on this host: what a program needs to enter its network, or the machine itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from atoll.host.contract import Seen
from atoll.model.cache import CacheCluster
from atoll.model.fault import dead
from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip
from atoll.model.lookup import cache_node_of, companions
from atoll.model.names import internal_domain
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.internet import RESOLVER, RESOLVER6, outside_namespace
from atoll.network.compile.version import V4, V6
from atoll.network.inside.seen import NIC, link
from atoll.network.ipam import POOL6

_NOT_OUTSIDE = (*V4.private, *V6.private, POOL6)


class NotRunning(Exception):
    """It exists, but there is nothing to enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A network namespace, and the process in it if there is one."""

    kind: str  # "instance", "cache-node", "interface" or "outside"
    id: str
    namespace: str
    address: str
    resolvers: tuple[str, ...]
    search: str
    pid: int | None = None
    interface: str = ""  # its id; of an internet client: none
    user: str = ""  # who logs in to an instance
    link: str = NIC  # what the interface that was asked for is called in there

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


def outside(host: OutsideHost) -> Machine:
    """Return an internet client."""
    return Machine(
        kind="outside",
        id=str(host.address),
        namespace=outside_namespace(host.address),
        address=str(host.address),
        resolvers=(str(RESOLVER if host.address.version == 4 else RESOLVER6),),
        search="",
    )


def machine(world: World, interface: Interface, seen: Mapping[str, Seen]) -> Machine:
    """Return what lives behind an interface.  Raises NotRunning."""
    vpc = world[Vpc, interface.vpc_id]
    resolvers = (str(vpc.cidr.network_address + 2), "169.254.169.253") if vpc.dns_support else ()
    kind, id, pid = _owner(world, interface, seen)
    return Machine(
        kind=kind,
        id=id,
        namespace=companions(world, interface)[0].id,  # further ones are in that of the first
        address=str(interface.address),
        resolvers=resolvers,
        search=internal_domain(interface.region),
        pid=pid,
        link=link(interface),
        interface=interface.id,
        user=login(world, id) if kind == "instance" else "",
    )


def login(world: World, instance_id: str) -> str:
    """Return the user who logs in to an instance with its key."""
    instance = world[Instance, instance_id]
    booted_from = image(instance.region, instance.image_id)
    return booted_from.user if booted_from else "ec2-user"


def _owner(world: World, interface: Interface, seen: Mapping[str, Seen]) -> tuple[str, str, int | None]:
    if fault := dead(world, interface):
        raise NotRunning(f"{fault.target} is down; end that with: atoll chaos revert {fault.id}")
    if interface.instance_id:
        instance = world[Instance, interface.instance_id]
        process = seen.get(f"{instance.id}#{instance.boot}")
        if instance.state not in ("pending", "running") or process is None or not process.alive:
            if instance.state == "running":
                why = instance.host_error or "its first process ended"
                raise NotRunning(f"instance {instance.id} is being started again: {why}")
            raise NotRunning(
                f"instance {instance.id} is {instance.state}; start it with: aws ec2 start-instances "
                f"--instance-ids {instance.id}"
            )
        return "instance", instance.id, process.pid
    if at := cache_node_of(world, interface):
        return "cache-node", f"{at.cluster.name}:{at.node.id}", _node_pid(at.cluster, at.node.id, seen)
    return "interface", interface.id, None


def _node_pid(cluster: CacheCluster, node_id: str, seen: Mapping[str, Seen]) -> int | None:
    prefix = f"{cluster.id}:{node_id}#"
    return next((p.pid for name, p in seen.items() if name.startswith(prefix) and p.alive), None)


def outside_address(text: str) -> Ip:
    """Check an address for an internet client: any public unicast address, of no VPC.  Raises ValueError."""
    address = ip_address(text)
    if (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or any(address in net for net in _NOT_OUTSIDE)
    ):
        raise ValueError(
            f"{address} is not an address of an internet client: choose a public one, such as 198.51.100.27"
            " or 2001:db8::27"
        )
    return address
