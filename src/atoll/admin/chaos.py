"""`atoll chaos`: break hardware and links on purpose, tell what is broken, and mend it again."""

from datetime import timedelta
from typing import Any, TypeAlias

from atoll.model.fault import CUTS, KILLS, Fault, hit
from atoll.model.hardware import hosts_of, rack_of, racks_of, zone_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.world import Tx, World
from atoll.model.zones import REGIONS, zone
from atoll.network.places import PlaceError, endpoint

SECONDS_MAX = 7 * 24 * 3600  # long enough for any rehearsal; without an end a fault lasts until it is reverted
ACTS = (*KILLS, *CUTS)
Json: TypeAlias = dict[str, Any]


class NoTarget(Exception):
    """There is nothing of that name; `candidates` are names that would do."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        """Keep the candidates."""
        super().__init__(message)
        self.candidates = candidates


class Refused(Exception):
    """It cannot be done, or not now."""


def target_of(world: World, act: str, text: str) -> str:
    """Return what an act is about: named itself, or by what stands there, as the caller calls it.

    Raises NoTarget, and Refused for an act that there is not.
    """
    if act not in ACTS:
        raise Refused(f"{act!r} is not an act of chaos: {', '.join(ACTS)}")
    if act == "partition-instance":
        interface = _place(world, text)
        if interface.instance_id is None:
            raise NoTarget(f"{text} is not an instance")
        return interface.instance_id
    known = _zone(text) if act in ("kill-zone", "partition-zone") else _part(act, text)
    if known:
        return known
    interface = _place(world, text)
    if act in ("kill-zone", "partition-zone"):
        return interface.zone
    host = world[Instance, interface.instance_id].host if interface.instance_id else interface.host
    if host is None:
        raise NoTarget(f"{text} stands on no host: it is stopped, or the region itself provides it")
    return host if act == "kill-host" else rack_of(host)


def begin(tx: Tx, act: str, target: str, seconds: float | None) -> Fault:
    """Break something, for so many seconds or until it is reverted.  Raises Refused."""
    if seconds is not None and not 0 < seconds <= SECONDS_MAX:
        raise Refused(f"{seconds:g} seconds: give a number above 0, up to {SECONDS_MAX}")
    for other in tx.all(Fault):
        if (other.act, other.target) == (act, target):
            raise Refused(f"{other.id} does that already; end it with: atoll chaos revert {other.id}")
    until = tx.now + timedelta(seconds=seconds) if seconds is not None else None
    return tx.put(
        Fault(id=f"fault-{tx.new_hex(6)}", account="", region="", act=act, target=target, since=tx.now, until=until)
    )


def end(tx: Tx, id: str | None) -> list[Fault]:
    """Revert a fault, or (`None`) all of them.  Raises NoTarget."""
    known = tx.all(Fault)
    over = [fault for fault in known if id in (None, fault.id)]
    if id is not None and not over:
        raise NoTarget(f"there is no fault {id}", tuple(fault.id for fault in known))
    for fault in over:
        tx.delete(fault)
    return over


def as_json(world: World, fault: Fault) -> Json:
    """Return a fault, with what it hits, as JSON-able values."""
    return {
        "id": fault.id,
        "act": fault.act,
        "target": fault.target,
        "since": fault.since.isoformat(),
        "until": fault.until.isoformat() if fault.until else None,
        "hits": [victim.name for victim in hit(world, fault)],
    }


def listed(world: World) -> list[Json]:
    """Return every fault, the oldest first."""
    return [as_json(world, fault) for fault in world.seen_by(None).all(Fault)]


def _zone(text: str) -> str | None:
    return next((found.name for region in REGIONS if (found := zone(region, text))), None)


def _part(act: str, text: str) -> str | None:
    """Return a host or rack by its own name; a host's name also means its rack."""
    where = zone_of(text)
    if _zone(where) != where:
        return None
    if text in hosts_of(where):
        return text if act == "kill-host" else rack_of(text)
    if text in racks_of(where) and act == "kill-rack":
        return text
    racks = racks_of(where)
    if act == "kill-host":
        raise NoTarget(f"there is no host {text}", tuple(h for h in hosts_of(where) if h.startswith(text))[:8])
    raise NoTarget(f"there is no rack {text}", racks)


def _place(world: World, text: str) -> Interface:
    try:
        place = endpoint(world, world.caller, text)
    except PlaceError as error:
        raise NoTarget(str(error), error.candidates) from None
    interface = world.seen_by(None).get(Interface, str(place.at))  # the place was among the caller's
    if interface is None:
        raise NoTarget(f"{text} is not a machine of yours")
    return interface
