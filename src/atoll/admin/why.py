"""`/_atoll/why`: read a question as people ask it, and answer it with all that is known.

What was seen inside machines comes with the question, from somebody who may look there; the answer names the machines
that are worth a look.  So the daemon itself enters nobody's network.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from atoll.admin.drops import Drop
from atoll.admin.machines import NotRunning, machine
from atoll.cache.terminator import doors
from atoll.guest.resolve import addresses
from atoll.host.contract import Seen
from atoll.model.digits import is_number
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import cache_node_of
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.explain import NO, WIDTH
from atoll.network.inside.judge import Beyond
from atoll.network.inside.seen import Inside, read
from atoll.network.mend import Mend
from atoll.network.places import AmbiguousPlace, Place, UnknownPlace, endpoint, nodes_called, receiver
from atoll.network.why import Blocker, Named, Question, Why, explain, to_json, told, why

NODE = re.compile(r"[^:]+:0\d{3}")  # a Memcached node, `mc:0002`, is no place with a port
ADDRESSES_MAX = 8  # of one name
MEMCACHED_PORT = 11211
ENGINE_PORTS = {*range(6379, 6400), MEMCACHED_PORT}  # where somebody's own engine is looked for
PROTOCOLS = ("tcp", "udp", "icmp")
EVIDENCE_MAX = 8  # lines: the most frequent refusals
MACHINES_MAX = 16  # that a question may tell of


class Unclear(ValueError):
    """The question cannot be understood; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class _Target:
    address: Ip
    id: str | None  # of the interface that has it
    port: int
    names: tuple[Named, ...] = ()


def answer(world: World, said: Mapping[str, Any], seen: Mapping[str, Seen], *, real: bool) -> dict[str, Any]:
    """Answer a question.  Raises Unclear, PlaceError.

    If a name has several addresses, the answer is about the first that cannot be reached.
    """
    sender = endpoint(world, world.caller, _text(said, "from"))
    protocol = str(said.get("protocol") or "tcp")
    if protocol not in PROTOCOLS:
        raise Unclear(f"{protocol!r} is not a protocol: give " + ", ".join(PROTOCOLS))
    inside, unseen = _inside(said)
    text = _text(said, "to")
    try:
        targets = _targets(world, sender, text, protocol)
    except UnknownPlace:
        if not _is_name(_split(text)[0]):
            raise
        return _nameless(world, sender, _split(text)[0])
    found: Why | None = None
    for target in targets:
        question = Question(
            sender=sender.at, destination=target.address, protocol=protocol, port=target.port,
            target_id=target.id, names=target.names, inside=inside, unseen=unseen, tls=bool(said.get("tls")),
            auth=bool(said.get("auth")),
        )  # fmt: skip
        found = why(world, question)
        if not found.reachable:
            break
    assert found is not None, "a target has an address"
    machines = _machines(world, found, seen) if real else []
    answered = to_json(world, found) | {"target": found.question.target_id, "evidence": []}
    return answered | {"lines": explain(world, found), "machines": machines}


def _nameless(world: World, sender: Place, host: str) -> dict[str, Any]:
    """Answer when all that is known of the target is a name that means nothing where it is asked."""
    blockers = [Blocker(n.code, "name", n.name, n.because, n.mends) for n in _unknown(world, sender, host) if n.code]
    many = len(blockers)
    headline = f"{NO} {host} has no address: {many} thing{'s are' if many > 1 else ' is'} in the way"
    lines = [headline, *(f"{NO} {'name':<{WIDTH}} {b.because}" for b in blockers), *told(blockers)]
    return {
        "reachable": False, "headline": headline, "verdict": "nobody", "sender": str(sender.at), "target": None,
        "steps": [], "back": [], "names": [{"name": b.at, "because": b.because, "code": b.code} for b in blockers],
        "inside": [], "notes": [], "evidence": [], "blockers": [b.to_json() for b in blockers], "lines": lines,
        "machines": [],
    }  # fmt: skip


def evidence(answered: dict[str, Any], drops: Iterable[Drop]) -> None:
    """Add to an answer what the network has refused between the two ends."""
    sender = answered["sender"] if answered["sender"].startswith("eni-") else "internet"
    found = [d for d in drops if d.source == sender and d.target in (answered["target"], None, "internet")]
    answered["evidence"] = [
        f"{d.packets} packet{'s' if d.packets > 1 else ''} from {d.source} to {d.target or 'nobody'} "
        f"{'were' if d.packets > 1 else 'was'} refused: {d.reason} ({d.by})"
        for d in found[:EVIDENCE_MAX]
    ]
    first = next((n for n, line in enumerate(answered["lines"]) if not line), len(answered["lines"]))
    answered["lines"][first:first] = [f"evidence: {line}" for line in answered["evidence"]]


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unclear(f"{name} is missing")
    return value.strip()


def _inside(said: Mapping[str, Any]) -> tuple[dict[str, Inside], dict[str, str]]:
    """Read what somebody saw: interface -> what `cli/probe.py` printed, or {"error": why nobody looked}."""
    seen, unseen = {}, {}
    for id, found in list(dict(said.get("inside") or {}).items())[:MACHINES_MAX]:
        if isinstance(found, dict) and "error" not in found:
            try:
                seen[str(id)] = read(found)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                unseen[str(id)] = f"what was seen there cannot be read ({type(error).__name__}: {error})"
        else:
            unseen[str(id)] = str(found.get("error") if isinstance(found, dict) else found)
    return seen, unseen


def _targets(world: World, sender: Place, text: str, protocol: str) -> list[_Target]:
    host, port = _split(text)
    if _is_name(host) and (named := _by_name(world, sender, host)):
        by_name = [_Target(address, _holder(world, address, sender), 0, (n,)) for address, n in named]
    else:
        named_badly = _unknown(world, sender, host) if _is_name(host) else ()
        by_name = [_Target(p.address, _interface_id(world, p), 0, named_badly) for p in _places(world, sender, host)]
    return [_Target(t.address, t.id, _port(world, t, port, protocol, text), t.names) for t in by_name]


def _places(world: World, sender: Place, host: str) -> list[Place]:
    """Return what a text names: of a cache every node that clients are led to.  Raises PlaceError."""
    try:
        return [receiver(world, sender, host)]
    except AmbiguousPlace:
        if nodes := nodes_called(world, host):
            return nodes
        raise


def _interface_id(world: World, place: Place) -> str | None:
    return place.at if isinstance(place.at, str) and world.seen_by(None).get(Interface, place.at) else None


def _split(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or not is_number(port, 999_999) or NODE.fullmatch(text) or (":" in host and not host.endswith("]")):
        return (text.strip("[]"), None) if ":" in text and "]" in text else (text, None)
    return host.strip("[]"), int(port)


def _port(world: World, target: _Target, port: int | None, protocol: str, text: str) -> int:
    """Return the port that is meant: the one that was given, or a cache's own."""
    if protocol == "icmp":
        return 0
    if port is None and target.id is not None:
        at = cache_node_of(world.seen_by(None), world.seen_by(None)[Interface, target.id])
        port = at.cluster.port if at else None
    if port is None:
        raise Unclear(f"{text!r} does not say which port: give a place and a port, such as {text}:22")
    if not 0 < port < 65536:
        raise Unclear(f"{port} is not a port: give a number from 1 to 65535")
    return port


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host
    return False


def _by_name(world: World, sender: Place, host: str) -> list[tuple[Ip, Named]]:
    """Return what a name means where it is asked from, with what is wrong with asking there."""
    vpc = _vpc(world, sender)
    found = addresses(world.seen_by(None), vpc.id if vpc else None, host)
    if not found:
        return []
    where = f"in {vpc.id}" if vpc else "on the internet"
    listed = ", ".join(map(str, found))
    if vpc is not None and not vpc.dns_support:
        named = Named(host, f"{vpc.id} has no resolver: DNS support is off", Beyond.NO_RESOLVER, _turn_on(vpc))
    else:
        named = Named(host, f"{host} is {listed} {where}")
    return [(address, named) for address in found[:ADDRESSES_MAX]]


def _unknown(world: World, sender: Place, host: str) -> tuple[Named, ...]:
    """Say that a name means nothing where it is asked from, though it names something."""
    vpc = _vpc(world, sender)
    where = f"the resolver of {vpc.id}" if vpc else "the internet's resolver"
    says = "names of private addresses exist in their own VPC only, those of public ones where DNS host names are on"
    mends = [Mend(f"use the address, or a name that {where} knows: {says}")]
    if vpc is not None and not vpc.dns_hostnames:
        command = f"aws ec2 modify-vpc-attribute --vpc-id {vpc.id} --enable-dns-hostnames"
        mends.insert(0, Mend(f"let instances of {vpc.id} have host names", command))
    found = [Named(host, f"{where} knows no {host}", Beyond.NAME_UNKNOWN, tuple(mends))]
    if vpc is not None and not vpc.dns_support:
        because = f"{vpc.id} has no resolver: DNS support is off"
        found.insert(0, Named(host, because, Beyond.NO_RESOLVER, _turn_on(vpc)))
    return tuple(found)


def _turn_on(vpc: Vpc) -> tuple[Mend, ...]:
    return (Mend("turn the resolver on", f"aws ec2 modify-vpc-attribute --vpc-id {vpc.id} --enable-dns-support"),)


def _vpc(world: World, sender: Place) -> Vpc | None:
    world = world.seen_by(None)
    interface = world.get(Interface, sender.at) if isinstance(sender.at, str) else None
    return world[Vpc, interface.vpc_id] if interface else None


def _holder(world: World, address: Ip, sender: Place) -> str | None:
    """Return the interface that an address of a name belongs to, if it can be told."""
    vpc = _vpc(world, sender)
    found = list(world.seen_by(None).bucket(Interface, "address", address).values())
    near = [i for i in found if isinstance(i, Interface) and vpc and i.vpc_id == vpc.id]
    if near or len(found) == 1:
        return (near or found)[0].id
    try:
        place = endpoint(world, world.caller, str(address))
    except UnknownPlace:
        return None
    return _interface_id(world, place)


def _machines(world: World, found: Why, seen: Mapping[str, Seen]) -> list[dict[str, Any]]:
    """Return how to enter the machines that are worth a look."""
    world, listed = world.seen_by(None), []
    for id in found.look_into:
        interface = world[Interface, id]
        try:
            entered = machine(world, interface, seen).to_json()
        except NotRunning as because:
            entered = {"error": str(because)}
        listed.append(entered | {"interface": id, "engine": _engine(world, found, interface)})
    return listed


def _engine(world: World, found: Why, interface: Interface) -> dict[str, Any] | None:
    """Say where an engine may be asked, and what; `None`: this is none, or not who is asked."""
    trace = found.trace
    if interface.id not in (trace.came_to, found.question.target_id):
        return None
    packet = trace.came_as or trace.packet
    at = cache_node_of(world, interface)
    if at is None and packet.port not in ENGINE_PORTS:
        return None
    is_memcached = at.cluster.is_memcached if at else packet.port == MEMCACHED_PORT
    port = packet.port
    if at and at.cluster.tls and port == at.cluster.port:  # where clients are led who come to this port
        tls, either = doors(port)
        port = tls if at.cluster.encryption == "required" or found.question.tls else either
    return {"address": str(interface.address), "port": port, "memcached": is_memcached}
