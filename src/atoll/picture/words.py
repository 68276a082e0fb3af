"""The map told in words: for who does not see it, for search, and for `atoll map --json`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from atoll.picture.measure import clean
from atoll.picture.scene import KINDS, Flow, Item, Scene


def tell(scene: Scene) -> Iterator[str]:
    """Yield a line for each thing on the map."""
    yield clean(f"VPC {scene.name or scene.vpc_id} ({scene.vpc_id}), {' '.join(scene.cidrs)}")
    for one in scene.edge:
        yield clean(f"On its edge: {one.name} {one.id}")
    for one in scene.beside:
        yield clean(f"Beside it: {one.name}, {', '.join(one.lines)}")
    for client in scene.clients:
        yield f"On the internet: {client}"
    for subnet in scene.subnets:
        style = "public" if subnet.is_public else "private"
        name = f"{subnet.name} " if subnet.name else ""
        yield clean(f"{subnet.zone}: {style} subnet {name}{subnet.id}, {subnet.cidr}, routed by {subnet.table_id}")
        for one_item in subnet.items:
            yield clean(f"In {subnet.name or subnet.id}: {item(one_item)}")
    for number, one_flow in enumerate(scene.flows, 1):
        yield clean(f"{number}. {flow(scene, one_flow)}")
    yield from scene.notes


def item(it: Item) -> str:
    """Tell of one thing: "cache node sessions-001, 10.0.1.20, primary, valkey 8.1"."""
    role = {"P": "primary", "R": "replica"}.get(it.badge, "")
    parts = (
        f"{KINDS[it.kind]} {it.name or it.id}",
        it.id if it.id != (it.name or it.id) else "",
        it.address,
        f"public {it.public}" if it.public else "",
        role,
        it.note,
        it.trouble,
        f"translates {', '.join(it.translates)}" if it.translates else "",
        "planned" if it.planned else "",
    )
    return ", ".join(part for part in parts if part)


def flow(scene: Scene, it: Flow) -> str:
    """Tell of one flow: "app to sessions-001, tcp 6379: 3 packets refused by sg-cache: no rule in, 2 s ago"."""
    ends = between(scene, it)
    if not it.blocked:
        return f"{ends}: {it.count} connection{'s' if it.count != 1 else ''}"
    by = f" by {it.by}" if it.by else ""
    ago = f", {it.seconds_ago:.0f} s ago" if it.seconds_ago is not None else ""
    return f"\u2716 {ends}: {it.count} packet{'s' if it.count != 1 else ''} refused{by}: {it.because}{ago}"


def between(scene: Scene, it: Flow) -> str:
    """Tell from where to where: "app (10.0.0.4) \u2192 sessions-001 (10.0.1.4), tcp 6379"."""
    what = f"{it.protocol} {it.port}" if it.port is not None else it.protocol
    return f"{_end(scene, it.source, it.source_address)} \u2192 {_end(scene, it.target, it.target_address)}, {what}"


def _end(scene: Scene, end: str, address: str) -> str:
    name = scene.called(end)
    return f"{name} ({address})" if address and address != name else name


def as_json(scene: Scene) -> dict[str, Any]:
    """Return a scene as JSON-able values."""
    return asdict(scene) | {"zones": list(scene.zones)}
