"""Records of flow logs: what the kernel counted, as the lines that AWS writes.

    add(flows, flow_of(counted))                   # for each entry that was read
    lines(world, log, interface, flows.values(), begin=..., end=..., skipped=False)

Source of every field: VPC User Guide, "Flow log records" and "Flow log record examples".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import NamedTuple, TypeAlias, cast

from atoll.model.flow_log import FlowLog
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.compile.flow_logs import ACK, FLAG_SHIFT, FLAGS, IS_UDP, NUMBER, RECEIVED, REFUSED_THERE, SYN
from atoll.network.flow import TCP, UDP
from atoll.network.flow_format import fields_of, version_of
from atoll.network.flow_paths import traffic_path

NONE = "-"
POOL = IPv4Network("203.0.113.0/24")  # of Elastic and automatic public addresses: Amazon's, here
LOCAL_ZONE = re.compile(r"[a-z]+(-[a-z]+)+-\d-[a-z]+-\d[a-z]")  # us-west-2-lax-1a; us-west-2a is none

Key: TypeAlias = tuple[int, bool, bool, int, Ip, Ip, int, int]


class Counted(NamedTuple):
    """An entry of the kernel's sets."""

    key: tuple[object, ...]  # number and flags, source, destination, and two ports or a protocol
    packets: int
    bytes: int
    last: float  # Unix time of the last packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction of a flow at one interface, as far as it was counted."""

    number: int  # of the interface
    received: bool  # by the interface; else sent
    refused: bool
    protocol: int
    source: Ip
    destination: Ip
    source_port: int
    destination_port: int
    packets: int
    bytes: int
    flags: int  # as the field tcp-flags has them
    first: float | None  # Unix time of the first packet, where that is known
    last: float

    @property
    def key(self) -> Key:
        """What makes it one with another count."""
        return (
            self.number, self.received, self.refused, self.protocol, self.source, self.destination,
            self.source_port, self.destination_port,
        )  # fmt: skip


class Shown(NamedTuple):
    """A record that was delivered, with its place among all of them."""

    sequence: int
    log_id: str
    interface_id: str
    line: str


def flow_of(counted: Counted) -> Flow:
    """Read an entry."""
    what, source, destination, *ends = cast("tuple[int, Ip, Ip, int, int]", counted.key)
    seen = sum(flag for flag, bit in FLAGS.items() if what >> FLAG_SHIFT & bit)
    has_ports = len(ends) == 2
    is_tcp = has_ports and not what & IS_UDP
    return Flow(
        number=what & NUMBER,
        received=bool(what & RECEIVED),
        refused=bool(what & REFUSED_THERE),
        protocol=TCP if is_tcp else UDP if has_ports else ends[0],
        source=source,
        destination=destination,
        source_port=ends[0] if has_ports else 0,
        destination_port=ends[1] if has_ports else 0,
        packets=counted.packets,
        bytes=counted.bytes,
        flags=seen if seen & SYN else seen & ~ACK,  # AWS tells of ACK beside SYN only
        first=counted.last if counted.packets == 1 and (seen & SYN or not is_tcp) else None,
        last=counted.last,
    )


def add(flows: dict[Key, Flow], flow: Flow) -> None:
    """Add what was counted of a flow to what was counted before."""
    if flow.packets:
        was = flows.get(flow.key)
        flows[flow.key] = _sum(was, flow) if was else flow


def _sum(one: Flow, other: Flow) -> Flow:
    first = None  # nobody knows when its first packet came, unless a single SYN began it, or each was seen alone
    if (one.flags | other.flags) & SYN or (one.first and other.first):
        first = min((first for first in (one.first, other.first) if first is not None), default=None)
    return replace(
        one,
        packets=one.packets + other.packets,
        bytes=one.bytes + other.bytes,
        flags=one.flags | other.flags,
        first=first,
        last=max(one.last, other.last),
    )


def lines(
    world: World,
    log: FlowLog,
    interface: Interface,
    flows: Iterable[Flow],
    *,
    begin: float,
    end: float,
    skipped: bool,
) -> Iterator[str]:
    """Yield an interface's records of a window; one of NODATA if it has none, one of SKIPDATA if some are lost."""
    fields = fields_of(log.format)
    about = _about(world, interface)
    wanted = [f for f in flows if log.traffic in ("ALL", "REJECT" if f.refused else "ACCEPT")]
    for flow in sorted(wanted, key=lambda f: (f.first or begin, f.last)):
        yield _line(fields, about | _values(world, interface, flow, begin))
    empty = about | {"start": str(int(begin)), "end": str(int(end))}
    if skipped:
        yield _line(fields, empty | {"log-status": "SKIPDATA"})
    elif not wanted:
        yield _line(fields, empty | {"log-status": "NODATA"})


def as_dict(format: str, line: str) -> dict[str, str]:
    """Return a record by its fields."""
    return dict(zip(fields_of(format), line.split(" "), strict=True))


def _line(fields: tuple[str, ...], values: dict[str, str]) -> str:
    values["version"] = str(version_of(fields))
    return " ".join(values.get(field, NONE) for field in fields)


def _about(world: World, interface: Interface) -> dict[str, str]:
    """Return the values that every record of an interface has, also one without traffic."""
    subnet = world[Subnet, interface.subnet_id]
    is_local = LOCAL_ZONE.fullmatch(subnet.zone) is not None
    return {
        "account-id": interface.account,
        "interface-id": interface.id,
        "vpc-id": interface.vpc_id,
        "subnet-id": interface.subnet_id,
        "instance-id": interface.instance_id or NONE,
        "region": interface.region,
        "az-id": NONE if is_local else subnet.zone_id,
        "sublocation-type": "localzone" if is_local else NONE,
        "sublocation-id": subnet.zone_id if is_local else NONE,
    }


def _values(world: World, interface: Interface, flow: Flow, begin: float) -> dict[str, str]:
    own = _first_address(interface, flow)
    is_nitro = _is_nitro(world, interface)
    path = None if flow.received else traffic_path(world, interface, flow.destination, is_nitro=is_nitro)
    return {
        "srcaddr": str(flow.source) if flow.received else own,
        "dstaddr": own if flow.received else str(flow.destination),
        "srcport": str(flow.source_port),
        "dstport": str(flow.destination_port),
        "protocol": str(flow.protocol),
        "packets": str(flow.packets),
        "bytes": str(flow.bytes),
        "start": str(int(flow.first if flow.first is not None else begin)),
        "end": str(int(flow.last)),
        "action": "REJECT" if flow.refused else "ACCEPT",
        "log-status": "OK",
        "tcp-flags": str(flow.flags),
        "type": f"IPv{flow.source.version}",
        "pkt-srcaddr": str(flow.source),
        "pkt-dstaddr": str(flow.destination),
        "pkt-src-aws-service": _service(flow.source),
        "pkt-dst-aws-service": _service(flow.destination),
        "flow-direction": "ingress" if flow.received else "egress",
        "traffic-path": NONE if path is None else str(path),
    }


def _first_address(interface: Interface, flow: Flow) -> str:
    """Return what stands for the interface: its primary private address; of IPv6 what is in the packet."""
    if flow.source.version == 4:
        return str(interface.address)
    return str(flow.destination if flow.received else flow.source)


def _service(address: Ip) -> str:
    return "EC2" if address.version == 4 and address in POOL else NONE


def _is_nitro(world: World, interface: Interface) -> bool:
    instance = world.seen_by(None).get(Instance, interface.instance_id or "")
    return instance is None or (type_ := INSTANCE_TYPES.get(instance.type)) is None or type_.nitro
