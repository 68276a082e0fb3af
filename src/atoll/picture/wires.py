"""Where wires run: down from a thing into the gutter below it, along, by a way to another gutter, and up again.

Each wire has a lane of its own wherever it runs beside another one, so that neither wires nor what is written on them
cover each other; they cross at right angles.  A lane is the first one that is free over the wire's whole length.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeAlias

from atoll.picture.grid import EDGE, EDGE_PITCH, LANE, TILE, Grid, GutterKey, Spot
from atoll.picture.measure import width
from atoll.picture.scene import INTERNET, Flow, Scene
from atoll.picture.shapes import Box, Label, Wire

WIRES_MAX = 24  # more cannot be told apart; the list names them all
BARRED_MAX = 200  # lanes of the edge that are looked at: a wire takes one, and bars three at most
PILL_HEIGHT, PILL_SIZE, PILL_PAD = 15.0, 10.0, 5.0
Numbered: TypeAlias = tuple[int, Flow, str, str]  # its number, and the boxes of its ends


def drawn(scene: Scene, grid: Grid) -> list[Numbered]:
    """Return the flows that can be drawn, as many as can be told apart; numbers are places in `scene.flows`."""
    boxes = _boxes(grid)
    found: list[Numbered] = []
    for number, flow in enumerate(scene.flows, 1):
        ends = [_box(boxes, end) for end in (flow.source, flow.target)]
        if ends[0] and ends[1] and ends[0] != ends[1]:
            found.append((number, flow, ends[0], ends[1]))
    return found[:WIRES_MAX]


def _boxes(grid: Grid) -> dict[str, str]:
    """Return the box that each end is in: itself, or the one that hides it."""
    found = {name: name for name in grid.spots}
    for cell in grid.cells:
        found |= {item.interface_id: f"more {cell.subnet.id}" for item in cell.hidden}
    if INTERNET in grid.spots:
        found |= dict.fromkeys(grid.hidden_clients, INTERNET)
    return found


def _box(boxes: Mapping[str, str], end: str) -> str | None:
    if end in boxes:
        return boxes[end]
    inside = end.startswith(("eni-", "pcx-", "vpc-", "vpce-", "nobody"))
    return None if inside or INTERNET not in boxes else INTERNET


@dataclass(slots=True)
class _Run:
    """A horizontal part of a wire: where it is at most."""

    gutter: GutterKey
    start: float
    end: float
    lane: int = 0


@dataclass(slots=True)
class _Route:
    """The parts of a wire: horizontal ones, and between them ways."""

    number: int
    flow: Flow
    source: str
    target: str
    runs: list[_Run]
    ways: list[int | str]
    begin: tuple[float, float]
    end: tuple[float, float]
    lanes: list[int] = field(default_factory=list)  # of its ways


def lay(grid: Grid, flows: Sequence[Numbered]) -> tuple[list[Wire], dict[GutterKey, int]]:
    """Return the wires, and how many lanes they need in each gutter and way."""
    near = [place for (_, _, *names), ends in zip(flows, _places(grid, flows), strict=True)
            for name, place in zip(names, ends, strict=True) if grid.spots[name].gutter[0] == "sky"]  # fmt: skip
    near += [x + n * LANE for x, room in grid.ways.values() for n in range(int(room // LANE))]
    at = [_way_x(grid, EDGE, lane) for lane in range(BARRED_MAX)]
    barred = {lane for lane, there in enumerate(at) if any(abs(there - x) < EDGE_PITCH for x in near)}
    routes = [_route(grid, one, places) for one, places in zip(flows, _places(grid, flows), strict=True)]
    needed: dict[GutterKey, int] = {}
    _give_lanes(((run.gutter, run.start, run.end, run) for r in routes for run in r.runs), needed)
    for route in routes:
        heights = [_height(grid, run) for run in route.runs]
        for n, way in enumerate(route.ways):
            route.lanes.append(_free(_taken_by(routes, route, grid, way), heights[n], heights[n + 1],
                                     barred if way == EDGE else frozenset()))  # fmt: skip
            key = ("way", way)
            needed[key] = max(needed.get(key, 0), route.lanes[-1] + 1)
    wires = [_wire(grid, route) for route in routes]
    return wires, needed


def _places(grid: Grid, flows: Sequence[Numbered]) -> list[tuple[float, float]]:
    """Return where wires leave their boxes: side by side, in the order in which they go off to the left and right."""
    at: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for n, (_, _, source, target) in enumerate(flows):
        middles = [grid.spots[name].x + grid.spots[name].width / 2 for name in (source, target)]
        at[source].append((middles[1], n, 0))
        at[target].append((middles[0], n, 1))
    found = [[0.0, 0.0] for _ in flows]
    for name, ends in at.items():
        spot = grid.spots[name]
        for place, (_, n, side) in enumerate(sorted(ends), 1):
            found[n][side] = spot.x + spot.width * place / (len(ends) + 1)
    return [(a, b) for a, b in found]


def _route(grid: Grid, one: Numbered, places: tuple[float, float]) -> _Route:
    number, flow, source, target = one
    a, b = grid.spots[source], grid.spots[target]
    begin, end = _attached(a, places[0]), _attached(b, places[1])
    last = len(grid.columns)
    if a.gutter == b.gutter:
        return _Route(number, flow, source, target, [_Run(a.gutter, places[0], places[1])], [], begin, end)
    legs: list[tuple[GutterKey, int | str | None]] = []
    outward = "sky" in (a.gutter[0], b.gutter[0])
    inner = b if a.gutter[0] == "sky" else a
    near = last if inner.gutter[0] == "side" else _nearest(grid, places, a, outward=outward)
    if a.gutter[0] == "sky":
        legs = [(a.gutter, EDGE), (("top",), near), (b.gutter, None)]
    elif b.gutter[0] == "sky":
        legs = [(a.gutter, near), (("top",), EDGE), (b.gutter, None)]
    else:
        if "side" in (a.gutter[0], b.gutter[0]):
            near = last
        legs = [(a.gutter, near), (b.gutter, None)]
    ways = [way for _, way in legs if way is not None]
    bounds = [(begin[0], begin[0]), *(_extent(grid, way) for way in ways), (end[0], end[0])]
    runs = [_Run(gutter, min(*bounds[n], *bounds[n + 1]), max(*bounds[n], *bounds[n + 1]))
            for n, (gutter, _) in enumerate(legs)]  # fmt: skip
    return _Route(number, flow, source, target, runs, ways, begin, end)


def _attached(spot: Spot, x: float) -> tuple[float, float]:
    """Return where a wire meets a box: below it, or, of what is beside the VPC, on its left."""
    return (spot.x, 0.0) if spot.gutter[0] == "side" else (x, spot.y + spot.height)


def _nearest(grid: Grid, places: tuple[float, float], a: Spot, *, outward: bool) -> int:
    """Return the way that makes the wire shortest."""
    ends = list(places)
    if outward:
        ends[0 if a.gutter[0] == "sky" else 1] = _way_middle(grid, EDGE)
    return min(grid.ways, key=lambda n: (sum(abs(_way_middle(grid, n) - x) for x in ends), n))


def _way_middle(grid: Grid, way: int | str) -> float:
    return sum(_extent(grid, way)) / 2


def _extent(grid: Grid, way: int | str) -> tuple[float, float]:
    """Return between which x the lanes of a way are."""
    if isinstance(way, int):
        x, room = grid.ways[way]
        return x - LANE, x - LANE + room
    return _edge(grid).x, _edge(grid).x + _edge(grid).width


def _edge(grid: Grid) -> Spot:
    """Return the gateway by which flows from and to the internet are drawn."""
    found = sorted((s for name, s in grid.spots.items() if name.startswith(("igw-", "eigw-"))), key=lambda s: s.x)
    return found[0] if found else replace(grid.spots["vpc"], width=TILE)


def _give_lanes(parts: Iterator[tuple[GutterKey, float, float, _Run]], needed: dict[GutterKey, int]) -> None:
    taken: dict[GutterKey, list[tuple[int, float, float]]] = defaultdict(list)
    for key, start, end, run in parts:
        run.lane = _free(taken[key], start, end)
        taken[key].append((run.lane, min(start, end), max(start, end)))
        needed[key] = max(needed.get(key, 0), run.lane + 1)


def _free(
    taken: Sequence[tuple[int, float, float]], start: float, end: float, barred: Collection[int] = frozenset()
) -> int:
    """Return the first lane in which nothing is near a span, and that is not barred."""
    low, high = sorted((start, end))
    busy = {lane for lane, a, b in taken if a < high + 2 * LANE and low < b + 2 * LANE}
    return next(n for n in count() if n not in busy and n not in barred)


def _taken_by(routes: Sequence[_Route], before: _Route, grid: Grid, way: int | str) -> list[tuple[int, float, float]]:
    """Return the spans of a way that the routes before one have, and those that this one has itself."""
    found = []
    for route in routes:
        heights = [_height(grid, run) for run in route.runs]
        for n, lane in enumerate(route.lanes):
            if route.ways[n] == way:
                low, high = sorted(heights[n : n + 2])
                found.append((lane, low, high))
        if route is before:
            break
    return found


def _height(grid: Grid, run: _Run) -> float:
    return grid.gutters[run.gutter][0] + run.lane * LANE


def _wire(grid: Grid, route: _Route) -> Wire:
    points: list[tuple[float, float]] = []
    if grid.spots[route.source].gutter[0] != "side":
        points.append(route.begin)
    x = route.begin[0]
    spans: list[tuple[float, float, float]] = []
    for n, run in enumerate(route.runs):
        y = _height(grid, run)
        points.append((x, y))
        following = _way_x(grid, route.ways[n], route.lanes[n]) if n < len(route.ways) else route.end[0]
        points.append((following, y))
        spans.append((abs(following - x), (following + x) / 2, y))
        x = following
    if grid.spots[route.target].gutter[0] != "side":
        points.append((route.end[0], route.end[1]))
    style = "blocked" if route.flow.blocked else "open"
    pill = _pill(route, max(spans))
    return Wire(
        source=route.source, target=route.target, points=tuple(points), style=style, number=route.number, pill=pill,
        flow=route.flow,
    )  # fmt: skip


def _way_x(grid: Grid, way: int | str, lane: int) -> float:
    if isinstance(way, int):
        return grid.ways[way][0] + lane * LANE
    spot = _edge(grid)
    return spot.x + EDGE_PITCH * (1 + lane)


def _pill(route: _Route, span: tuple[float, float, float]) -> Box | None:
    """Return what is written on a wire's longest part: as much as there is room for."""
    length, middle, y = span
    for text in (f"{route.number} {told(route.flow)}", str(route.number)):
        wide = width(text, PILL_SIZE, bold=True) + 2 * PILL_PAD
        if wide + LANE <= length:
            style = "blocked" if route.flow.blocked else "open"
            label = Label(middle, y + PILL_SIZE * 0.36, text, PILL_SIZE, "bold", "middle")
            return Box(
                id=f"flow {route.number}", kind="pill", x=middle - wide / 2, y=y - PILL_HEIGHT / 2, width=wide,
                height=PILL_HEIGHT, labels=(label,), style=style,
            )  # fmt: skip
    return None


def told(flow: Flow) -> str:
    """Write what a flow is, for its wire: "tcp 6379 x 74"."""
    what = f"{flow.protocol} {flow.port}" if flow.port is not None else flow.protocol
    return f"{what} \u00d7{flow.count}" if flow.count > 1 else what
