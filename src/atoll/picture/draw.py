"""A scene becomes a picture: everything's place (`grid`), its wires (`wires`), and what is written in the boxes."""

from collections.abc import Iterator, Sequence

from atoll.picture import words
from atoll.picture.grid import CLIENT_HEIGHT, GAP, HEAD, MARGIN, PAD, TILE, TITLE, Cell, Grid, GutterKey, grid
from atoll.picture.measure import shortened
from atoll.picture.scene import INTERNET, KINDS, Beside, Item, Scene, TableOn
from atoll.picture.shapes import Box, Label, Line, Picture, Wire, write
from atoll.picture.wires import drawn, lay

ROUNDS_MAX = 6  # of giving wires more room: it grows with each, and wires are few
ROUTES_MAX = 6  # shown of a route table
TABLES_MAX = 24  # drawn; as many as anybody looks at
TABLE_LINE, TABLE_HEAD = 17.0, 28.0
LIST_LINE, LIST_MAX = 18.0, 40  # flows listed below
COLORS = 8  # by which route tables are told apart


def draw(scene: Scene, *, with_list: bool = True) -> Picture:
    """Draw a scene.  Costs some 20 us for each thing on it.

    `with_list`: the flows are listed below the map, as a picture that stands alone needs it.
    """
    lanes: dict[GutterKey, int] = {}
    for _ in range(ROUNDS_MAX):
        it = grid(scene, lanes)
        wires, needed = lay(it, drawn(scene, it))
        if all(lanes.get(key, 0) >= count for key, count in needed.items()):
            break
        lanes = {key: max(lanes.get(key, 0), needed.get(key, 0)) for key in {*lanes, *needed}}
    it.width = max(it.width, MARGIN * 2 + 2 * (TILE + GAP))
    boxes = [*_page(scene, it), *_edges(scene, it), *_subnets(scene, it)]
    boxes += _tables(scene, it)
    if with_list:
        boxes += _flows(scene, it)
    stubs = list(_stubs(scene, it))
    told = tuple(words.tell(scene))
    title = f"Map of {scene.name or scene.vpc_id}"
    return Picture(
        width=it.width, height=it.height, title=title, words=told, boxes=tuple(boxes), wires=(*stubs, *wires)
    )


def _page(scene: Scene, it: Grid) -> Iterator[Box]:
    """Yield the title, the internet and the VPC with its zones."""
    room = it.width - 2 * MARGIN
    name = shortened(scene.name or scene.vpc_id, room - 24, 22, bold=True)
    about = "   ".join(filter(None, (scene.vpc_id, " ".join(scene.cidrs), scene.region)))
    head = Box(id="title", kind="title", x=MARGIN, y=MARGIN, width=room, height=TITLE - GAP, target=scene.vpc_id)
    yield write(head, [(name, 22, "bold"), (about, 12, "mono soft")], left=0, top=24)
    if (sky := it.spots.get("sky")) is not None:
        box = _box(it, "sky", "internet", title="The internet")
        assert sky.height > CLIENT_HEIGHT, "it has room for clients"
        yield write(box, [("the internet", 12, "bold soft")])
    yield _box(it, "vpc", "vpc", title=f"{scene.vpc_id} {scene.name}", target=scene.vpc_id)
    for n, zone in enumerate(scene.zones):
        yield write(_box(it, f"zone {n}", "zone", parent="vpc", title=zone), [(zone, 12, "bold soft")], top=20)


def _box(
    it: Grid,
    name: str,
    kind: str,
    *,
    parent: str | None = None,
    title: str = "",
    target: str = "",
    style: str = "",
    icon: str = "",
) -> Box:
    spot = it.spots[name]
    return Box(
        id=name, kind=kind, x=spot.x, y=spot.y, width=spot.width, height=spot.height, parent=parent, title=title,
        target=target, style=style, icon=icon,
    )  # fmt: skip


def _edges(scene: Scene, it: Grid) -> Iterator[Box]:
    """Yield clients on the internet, gateways and what is beside the VPC."""
    for client in it.clients:
        box = _box(it, client, "client", parent="sky", title=f"{client}, a client on the internet", icon="client")
        yield write(box, [(client, 12, "mono"), ("client", 10, "soft")], left=38, top=17)
    if INTERNET in it.spots:
        more = len(it.hidden_clients)
        box = _box(it, INTERNET, "client", parent="sky", title="Everybody else on the internet", icon="cloud")
        says = f"and {more} more by name" if more else "everybody else"
        yield write(box, [("0.0.0.0/0", 12, "mono"), (says, 10, "soft")], left=38, top=17)
    for one in scene.edge:
        if one.id in it.spots:
            yield _beside(it, one)
    for one in scene.beside:
        yield _beside(it, one)


def _beside(it: Grid, one: Beside) -> Box:
    style = "" if one.is_open else "down"
    title = " ".join((one.name, *one.lines))
    box = _box(it, one.id, one.kind, title=title, target=one.id, style=style, icon=one.kind)
    lines: list[Line] = [(one.name, 12.5, "bold"), *((line, 10.5, "mono soft") for line in one.lines)]
    return write(box, lines, left=38, top=18)


def _subnets(scene: Scene, it: Grid) -> Iterator[Box]:
    colors = {table.id: n % COLORS for n, table in enumerate(scene.tables)}
    names = {table.id: table.name for table in scene.tables}
    for cell in it.cells:
        subnet, zone = cell.subnet, f"zone {cell.column}"
        style = "public" if subnet.is_public else "private"
        what = f"{style} subnet {subnet.name or subnet.id}, {subnet.cidr}, routed by {subnet.table_id}"
        box = _box(it, subnet.id, "subnet", parent=zone, title=what, target=subnet.id, style=style, icon=style)
        head: list[Line] = [
            (f"{subnet.name or style}   {subnet.cidr}", 12.5, "bold"),
            (f"{subnet.id}   {names.get(subnet.table_id) or subnet.table_id}", 10, "mono soft"),
        ]
        box = write(box, head, left=34, top=19)
        yield box
        yield _mark(f"mark {subnet.id}", box.right - PAD - 10, box.y + 10, box.id, colors.get(subnet.table_id, 0))
        if not cell.tiles:
            spot = it.spots[subnet.id]
            empty = Box(id=f"empty {subnet.id}", kind="empty", x=spot.x + PAD, y=spot.y + HEAD, width=TILE,
                        height=spot.height - HEAD - 2, parent=subnet.id)  # fmt: skip
            yield write(empty, [("empty", 11, "soft")], left=22, top=10)
        yield from _tiles(it, cell)


def _mark(id: str, x: float, y: float, parent: str, color: int) -> Box:
    return Box(id=id, kind="mark", x=x, y=y, width=10, height=10, parent=parent, style=f"table-{color}")


def _tiles(it: Grid, cell: Cell) -> Iterator[Box]:
    for item in cell.shown:
        yield from _tile(it, item, cell.subnet.id)
    if cell.hidden:
        name, many = f"more {cell.subnet.id}", len(cell.hidden)
        counts = [(kind, sum(i.kind == kind for i in cell.hidden)) for kind in KINDS]
        says = ", ".join(f"{n} {KINDS[kind]}{'s' if n > 1 else ''}" for kind, n in counts if n)
        box = _box(it, name, "more", parent=cell.subnet.id, title=f"{many} more: {says}", target=cell.subnet.id)
        yield write(box, [(f"+ {many} more", 14, "bold"), (says, 10.5, "soft")], left=14, top=28)


def _tile(it: Grid, item: Item, parent: str) -> Iterator[Box]:
    style = " ".join(filter(None, ("planned" if item.planned else "", "down" if item.trouble else "")))
    told = words.item(item)
    box = _box(
        it, item.interface_id, item.kind, parent=parent, title=told, target=item.id, style=style, icon=item.kind
    )
    address = item.address or ("to be made" if item.planned else "")
    third = item.trouble or ", ".join(item.translates) or "  ".join(filter(None, (item.public, item.note)))
    lines: list[Line] = [
        (item.name or item.id, 12.5, "bold"),
        (address, 11, "mono"),
        (third, 10, "trouble" if item.trouble else "soft"),
    ]
    yield write(box, lines, left=40, top=20, right=32 if item.badge else 8)
    if item.badge:
        badge = Box(id=f"badge {box.id}", kind="badge", x=box.right - 27, y=box.y + 8, width=20, height=18,
                    parent=box.id, style="primary" if item.badge == "P" else "replica")  # fmt: skip
        label = Label(badge.x + 10, badge.y + 13, item.badge[:1], 11, "bold", "middle")
        yield Box(id=badge.id, kind="badge", x=badge.x, y=badge.y, width=20, height=18, parent=box.id,
                  style=badge.style, labels=(label,))  # fmt: skip


def _tables(scene: Scene, it: Grid) -> Iterator[Box]:
    """Yield the route tables, below the map, side by side."""
    wide = 1.5 * TILE
    abreast = max(1, int((it.width - 2 * MARGIN + GAP) // (wide + GAP)))
    used = {subnet.table_id for subnet in scene.subnets}
    tables = [(n, t) for n, t in enumerate(scene.tables) if t.id in used or len(t.routes) > 1][:TABLES_MAX]
    y = it.height
    for start in range(0, len(tables), abreast):
        line = tables[start : start + abreast]
        height = TABLE_HEAD + 12 + TABLE_LINE * max(min(len(t.routes), ROUTES_MAX + 1) for _, t in line)
        for place, (n, table) in enumerate(line):
            yield from _table(table, MARGIN + place * (wide + GAP), y, wide, height, n % COLORS)
        y += height + GAP
    it.height = y + (MARGIN - GAP if tables else 0.0)


def _table(table: TableOn, x: float, y: float, wide: float, height: float, color: int) -> Iterator[Box]:
    title = f"route table {table.name or table.id}{' (main)' if table.is_main else ''}"
    box = Box(id=f"table {table.id}", kind="table", x=x, y=y, width=wide, height=height, title=title, target=table.id)
    name = f"{table.name or table.id}{', main' if table.is_main else ''}"
    labels = [Label(x + 30, y + 20, shortened(name, wide - 42, 12, bold=True), 12, "bold")]
    shown = table.routes[:ROUTES_MAX]
    for n, (destination, target, leads) in enumerate(shown):
        text = f"{destination} \u2192 {target}{'' if leads else '  blackhole'}"
        style = "mono" if leads else "mono trouble"
        cut = shortened(text, wide - 24, 11, mono=True)
        labels.append(Label(x + 12, y + TABLE_HEAD + 12 + n * TABLE_LINE, cut, 11, style))
    if more := len(table.routes) - len(shown):
        labels.append(Label(x + 12, y + TABLE_HEAD + 12 + len(shown) * TABLE_LINE, f"+ {more} more", 11, "soft"))
    yield Box(id=box.id, kind="table", x=x, y=y, width=wide, height=height, title=title, target=table.id,
              labels=tuple(labels))  # fmt: skip
    yield _mark(f"mark {table.id}", x + 12, y + 11, box.id, color)


def _flows(scene: Scene, it: Grid) -> Iterator[Box]:
    """Yield the list of what passes and what is refused."""
    lines = [(f"{n}  {words.flow(scene, one)}", "trouble" if one.blocked else "") for n, one in
             enumerate(scene.flows[:LIST_MAX], 1)]  # fmt: skip
    if more := len(scene.flows) - LIST_MAX:
        lines += [(f"+ {more} more", "soft")] if more > 0 else []
    lines += [(note, "soft") for note in scene.notes]
    if scene.is_live and not scene.flows:
        lines.insert(0, ("No connection is open, and nothing was refused.", "soft"))
    if not lines:
        return
    room = it.width - 2 * MARGIN
    box = Box(id="flows", kind="table", x=MARGIN, y=it.height, width=room, height=16 + LIST_LINE * len(lines),
              title="What passes, and what is refused")  # fmt: skip
    written: Sequence[Line] = [(text, LIST_LINE / 1.35, style) for text, style in lines]
    yield write(box, written, top=20)
    it.height = box.bottom + MARGIN


def _stubs(scene: Scene, it: Grid) -> Iterator[Wire]:
    """Yield the lines that say what is attached to the VPC."""
    vpc = it.spots["vpc"]
    for one in scene.edge:
        if (spot := it.spots.get(one.id)) is not None:
            x = spot.x + spot.width - 20
            yield _stub(one.id, ((x, spot.y + spot.height), (x, vpc.y)))
            if (sky := it.spots.get("sky")) is not None:
                yield _stub(one.id, ((x, sky.y + sky.height), (x, spot.y)))
    for one in scene.beside:
        spot = it.spots[one.id]
        y = spot.y + spot.height - 10
        yield _stub(one.id, ((vpc.x + vpc.width, y), (spot.x, y)))


def _stub(id: str, points: tuple[tuple[float, float], ...]) -> Wire:
    return Wire(source="vpc", target=id, points=points, style="stub")
