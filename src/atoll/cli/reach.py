"""`atoll reach`: who can reach what, and what a change would open or close."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from atoll.cli import private, reach_shown, show, worlds
from atoll.cli.failure import REFUSED, Failure
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Net
from atoll.model.names import DEFAULT_ACCOUNT
from atoll.model.peering import peerings_of
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World
from atoll.network.reach.diff import changes
from atoll.network.reach.ends import public_networks
from atoll.network.reach.matrix import Matrix, TooMuch, matrix

ERROR = 2
FORMATS = ("table", "json", "markdown", "sarif")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line says."""

    vpc: str | None
    ports: Collection[int]
    style: str
    save: Path | None
    sides: tuple[str, str] | None  # of --diff
    commands: Sequence[str]  # of --with


def reach(asked: Asked) -> int:
    """Do what was asked; returns 1 if a comparison finds opened paths, else 0.  Any failure has code 2."""
    try:
        return _reach(asked)
    except Failure as failure:
        raise Failure(failure.message, failure.next_step, ERROR) from None
    except TooMuch as too_much:
        raise Failure(f"this world has too many kinds of ends: {too_much}", "ask for one --vpc", ERROR) from None


def _reach(asked: Asked) -> int:
    if asked.style not in FORMATS:
        raise Failure(f"{asked.style!r} is not a format", "use one of: " + ", ".join(FORMATS))
    if asked.save is not None:
        count = worlds.save(asked.save)
        show.line(f"Saved {count} resources to {asked.save}.")
        return 0
    if asked.sides is None and not asked.commands:
        if asked.style == "sarif":
            raise Failure("SARIF is for what has changed", "give --diff, or --with")
        reach_shown.matrix(_matrix(worlds.open_world(worlds.LIVE), asked), asked.style)
        return 0
    return _diff(asked)


def _diff(asked: Asked) -> int:
    """Compare two worlds; `--with` changes a copy of the second."""
    first, second = asked.sides or (worlds.LIVE, worlds.LIVE)
    before = worlds.open_world(first)
    after = before if second == first else worlds.open_world(second)
    if asked.commands:
        after = worlds.changed(after, asked.commands)
    named = {*public_networks(before.seen_by(None)), *public_networks(after.seen_by(None))}
    one, other = (_matrix(world, asked, named) for world in (before, after))
    found = changes(one, other)
    after_name = " + ".join([second, *asked.commands])
    reach_shown.changes(found, asked.style, before=first, after=after_name)
    return REFUSED if any(change.opened for change in found) else 0


def _matrix(world: World, asked: Asked, outside: Collection[Net] | None = None) -> Matrix:
    return matrix(world, vpc_ids=_vpc_ids(world, asked.vpc), ports=asked.ports, outside=outside)


def _vpc_ids(world: World, name: str | None) -> set[str]:
    """Return the VPCs that are meant: one, or all of the caller's and their peers'."""
    who = private.whose()
    account, region = who["account"] or DEFAULT_ACCOUNT, who["region"]
    caller = Caller(account=account, region=region, arn="")
    if name is not None:
        mine = list(world.seen_by(caller).all(Vpc))
        found = [v.id for v in mine if name in (v.id, v.tags.get("Name"))]
        if not found:
            listed = ", ".join(v.id for v in mine) or "none"
            raise Failure(f"there is no VPC {name} in {region} of {account}", f"there is: {listed}")
        return set(found)
    everybody = world.seen_by(None)
    ours = world.seen_by(caller)
    # By what is in them, and not by VPCs: the network of EC2-Classic is nobody's VPC.
    kinds: tuple[type[Interface | Instance | CacheCluster], ...] = (Interface, Instance, CacheCluster)
    ids = {found.vpc_id for kind in kinds for found in ours.all(kind) if found.vpc_id is not None}
    return ids | {p.beyond(id).vpc_id for id in ids for p in peerings_of(everybody, id) if p.is_open}
