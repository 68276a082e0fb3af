"""Where everything stands: zones are columns, subnets are rows of the same height in all of them.

Under each row of things there is a gutter, and beside each zone a way: wires run there, and never over a thing.  How
many lanes a gutter or a way needs is known only when the wires are laid (`wires.py`); so it is a parameter.

    y0  title                      (a gutter's key is where it is; a way's is the column to its right)
        internet: clients
    ==  gutter ("sky",)
        gateways of the edge
    ==  gutter ("top",)
        way 0 | zone a | way 1 | zone b | way 2 |  beside
        ==  gutters ("row", tier, row)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import TypeAlias

from atoll.picture.scene import INTERNET, Flow, Item, Scene, SubnetOn

GutterKey: TypeAlias = tuple[str | int, ...]

MARGIN, TITLE = 24.0, 74.0
TILE, TILE_HEIGHT, GAP = 204.0, 66.0, 14.0
GUTTER, WAY, LANE = 14.0, 26.0, 17.0  # at least; and what each wire takes
PAD, HEAD, EMPTY = 12.0, 46.0, 22.0  # of a subnet
ZONE_HEAD, ZONE_PAD = 30.0, 10.0
CLIENT_HEIGHT, EDGE_HEIGHT, BESIDE_HEIGHT = 40.0, 42.0, 76.0
TILES_MAX = 12  # of a subnet; more are folded into one that tells how many
MANY_SUBNETS, VERY_MANY = 12, 40  # then fewer things of each are shown
CLIENTS_MAX = 8
EDGE = "edge"  # the way through the first gateway of the edge
EDGE_PITCH = 8.0  # between wires there


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of a rectangle, and the gutter by which wires come to it."""

    x: float
    y: float
    width: float
    height: float
    gutter: GutterKey
    column: int = -1


@dataclass(frozen=True, slots=True)
class Cell:
    """A subnet in the grid, with what is shown of it."""

    subnet: SubnetOn
    shown: tuple[Item, ...]
    hidden: tuple[Item, ...]
    column: int
    tier: int

    @property
    def tiles(self) -> int:
        """How many things are drawn: with the one that stands for the hidden ones."""
        return len(self.shown) + bool(self.hidden)


@dataclass(slots=True)
class Grid:
    """Everything's place."""

    cells: tuple[Cell, ...]
    columns: tuple[int, ...]  # tiles side by side, by zone
    rows: tuple[int, ...]  # rows of tiles, by tier
    clients: tuple[str, ...]
    hidden_clients: tuple[str, ...]
    spots: dict[str, Spot] = field(default_factory=dict)  # by box
    gutters: dict[GutterKey, tuple[float, float]] = field(default_factory=dict)  # y of the first lane; room
    ways: dict[int, tuple[float, float]] = field(default_factory=dict)  # x of the first lane; room
    width: float = 0.0
    height: float = 0.0


def cells(scene: Scene) -> tuple[Cell, ...]:
    """Return the subnets in tiers: public ones first; in each zone one below the other."""
    most = TILES_MAX if len(scene.subnets) <= MANY_SUBNETS else 6 if len(scene.subnets) <= VERY_MANY else 3
    busy = {end for flow in scene.flows for end in (flow.source, flow.target)}
    zones = list(scene.zones)
    publics = max((sum(s.is_public for s in scene.subnets if s.zone == z) for z in zones), default=0)
    seen: dict[tuple[str, bool], int] = {}
    found = []
    for subnet in scene.subnets:
        nth = seen.get((subnet.zone, subnet.is_public), 0)
        seen[subnet.zone, subnet.is_public] = nth + 1
        items = subnet.items
        if len(items) > most:
            wanted = sorted(items, key=lambda i: (i.interface_id not in busy, not i.planned))[: most - 1]
            kept = {i.interface_id for i in wanted}
            shown = tuple(i for i in items if i.interface_id in kept)
        else:
            shown = items
        hidden = tuple(i for i in items if i not in shown) if len(shown) < len(items) else ()
        tier = nth if subnet.is_public else publics + nth
        found.append(Cell(subnet, shown, hidden, zones.index(subnet.zone), tier))
    return tuple(found)


def grid(scene: Scene, lanes: Mapping[GutterKey, int]) -> Grid:
    """Return everything's place, with so many lanes in the gutters and ways (whose keys are ("way", column))."""
    found = cells(scene)
    columns = tuple(_abreast(found, n) for n in range(max(1, len(scene.zones))))
    tiers = 1 + max((c.tier for c in found), default=-1)
    rows = tuple(
        max((ceil(c.tiles / columns[c.column]) for c in found if c.tier == tier), default=0) for tier in range(tiers)
    )
    it = Grid(found, columns, rows, scene.clients[:CLIENTS_MAX], scene.clients[CLIENTS_MAX:])
    right = _across(it, lanes)
    y = MARGIN + TITLE
    y = _sky(it, scene, lanes, y, right)
    vpc_top = y
    it.spots["vpc"] = Spot(MARGIN, y, right - MARGIN, 0, ("top",))
    y += ZONE_PAD
    y = _gutter(it, ("top",), lanes, y, least=0.0 if not lanes.get(("top",)) else GUTTER)
    zone_top = y
    y = _tiers(it, lanes, y + ZONE_HEAD)
    for n, abreast in enumerate(columns):
        place = Spot(_zone_x(it, lanes, n), zone_top, _zone_width(abreast), y - zone_top, ("top",), n)
        it.spots[f"zone {n}"] = place
    y += ZONE_PAD
    y = max(y, _beside(it, scene, lanes, vpc_top, right))
    it.spots["vpc"] = Spot(MARGIN, vpc_top, right - MARGIN, y - vpc_top, ("top",))
    it.width = right + MARGIN + (TILE + WAY if scene.beside else 0.0)
    it.height = y + MARGIN
    return it


def _abreast(found: tuple[Cell, ...], column: int) -> int:
    most = max((c.tiles for c in found if c.column == column), default=0)
    return 1 if most <= 1 else 2 if most <= 6 else 3


def _zone_width(abreast: int) -> float:
    return 2 * ZONE_PAD + 2 * PAD + abreast * TILE + (abreast - 1) * GAP


def _way_width(lanes: Mapping[GutterKey, int], n: int) -> float:
    return max(WAY, (lanes.get(("way", n), 0) + 1) * LANE)


def _zone_x(it: Grid, lanes: Mapping[GutterKey, int], n: int) -> float:
    return it.ways[n][0] - LANE + _way_width(lanes, n)


def _across(it: Grid, lanes: Mapping[GutterKey, int]) -> float:
    """Place the ways, from left to right; returns where the VPC ends."""
    x = MARGIN
    for n, abreast in enumerate(it.columns):
        it.ways[n] = (x + LANE, _way_width(lanes, n))
        x += _way_width(lanes, n) + _zone_width(abreast)
    it.ways[len(it.columns)] = (x + LANE, _way_width(lanes, len(it.columns)))
    return max(x + _way_width(lanes, len(it.columns)), MARGIN + 2 * TILE + 4 * WAY)


def _gutter(it: Grid, key: GutterKey, lanes: Mapping[GutterKey, int], y: float, least: float = GUTTER) -> float:
    """Place a gutter; returns where it ends."""
    room = max(least, (lanes.get(key, 0) + 1) * LANE if lanes.get(key) else 0.0)
    it.gutters[key] = (y + LANE, room)
    return y + room


def _sky(it: Grid, scene: Scene, lanes: Mapping[GutterKey, int], y: float, right: float) -> float:
    """Place the internet with its clients, and the gateways of the edge; returns where they end."""
    if not scene.edge and not any(INTERNET in (f.source, f.target) or _outside(scene, f) for f in scene.flows):
        it.clients, it.hidden_clients = (), ()
        return y
    fits = max(1, int((right - MARGIN - 2 * PAD + GAP) // (TILE + GAP)) - 1)
    it.hidden_clients = (*it.clients[fits:], *it.hidden_clients)
    it.clients = it.clients[:fits]
    top, x = y, MARGIN + PAD
    y += 28.0
    for name in (*it.clients, INTERNET):
        it.spots[name] = Spot(x, y, TILE, CLIENT_HEIGHT, ("sky",))
        x += TILE + GAP
    y = _gutter(it, ("sky",), lanes, y + CLIENT_HEIGHT)
    it.spots["sky"] = Spot(MARGIN, top, right - MARGIN, y - top, ("sky",))
    y += GAP
    x = _zone_x(it, lanes, 0) + PAD  # beside the ways, which end where the wires through gateways do
    for one in scene.edge:
        wide = max(TILE, (lanes.get(("way", EDGE), 0) + 2) * EDGE_PITCH) if one is scene.edge[0] else TILE
        it.spots[one.id] = Spot(x, y, wide, EDGE_HEIGHT, ("top",))
        x += wide + GAP
    return y + (EDGE_HEIGHT + GAP if scene.edge else 0.0)


def _outside(scene: Scene, flow: Flow) -> bool:
    return flow.source in scene.clients or flow.target in scene.clients


def _tiers(it: Grid, lanes: Mapping[GutterKey, int], y: float) -> float:
    """Place the subnets and what stands in them; returns where they end."""
    for tier, rows in enumerate(it.rows):
        top = y
        y += HEAD
        tops = []
        for row in range(rows):
            tops.append(y)
            y = _gutter(it, ("row", tier, row), lanes, y + TILE_HEIGHT)
        if not rows:
            y += EMPTY
        for cell in it.cells:
            if cell.tier == tier:
                x = _zone_x(it, lanes, cell.column) + ZONE_PAD
                width = _zone_width(it.columns[cell.column]) - 2 * ZONE_PAD
                it.spots[cell.subnet.id] = Spot(x, top, width, y - top, ("row", tier, 0), cell.column)
                _tiles(it, cell, x + PAD, tops)
        y += ZONE_PAD
    return y


def _tiles(it: Grid, cell: Cell, x: float, tops: list[float]) -> None:
    names = [item.interface_id for item in cell.shown]
    if cell.hidden:
        names.append(f"more {cell.subnet.id}")
    abreast = it.columns[cell.column]
    for n, name in enumerate(names):
        row, place = divmod(n, abreast)
        gutter = ("row", cell.tier, row)
        it.spots[name] = Spot(x + place * (TILE + GAP), tops[row], TILE, TILE_HEIGHT, gutter, cell.column)


def _beside(it: Grid, scene: Scene, lanes: Mapping[GutterKey, int], y: float, right: float) -> float:
    """Place what is beside the VPC, one below the other; returns where that ends."""
    for one in scene.beside:
        height = max(BESIDE_HEIGHT, (lanes.get(("side", one.id), 0) + 1) * LANE)
        it.spots[one.id] = Spot(right + WAY, y, TILE, height, ("side", one.id), len(it.columns))
        it.gutters["side", one.id] = (y + LANE, height)
        y += height + GAP
    return y
