"""The map of any VPC: nothing covers anything else, every text has room, and nothing that is there is left out."""

import random
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given, settings

from atoll.model.interface import Interface
from atoll.model.serverless import SERVICE, ServerlessCache, UsageLimits
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.picture.draw import draw
from atoll.picture.grid import LANE
from atoll.picture.read import NoVpc, plan_cache, read, vpc_called
from atoll.picture.scene import INTERNET, Flow
from atoll.picture.svg import svg
from tests.network.lab import CALLER, NOW
from tests.network.worlds import Lab, prod_lab, worlds
from tests.picture.shop import PICTURE, picture

NAMES = ("app", "웹서버-프런트엔드-일번", "数据库缓存主节点-生产环境-第一个", "<script>alert(1)</script>", "W" * 255,
         "a\u202eb\x07c",
         "👩‍👩‍👧 family", '"&\'', " ", "é̂")  # fmt: skip


def crowded(rnd, interfaces):
    """Return a world with so many interfaces, in up to six subnets of three zones, under names of every kind."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v"), lab.outside("198.51.100.27")
    subnets = rnd.randint(1, 6)
    for n in range(subnets):
        lab.subnet(f"s{n}", f"10.0.{8 * n}.0/21", zone=f"us-east-1{'abc'[n % 3]}")
        lab.put(lab.world[Subnet, f"subnet-s{n}"], tags={"Name": rnd.choice(NAMES)})
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["s0"])
    lab.group("g")
    for n in range(interfaces):
        where = f"s{rnd.randrange(subnets)}"
        kind = rnd.randrange(3)
        if kind == 0:
            lab.instance(f"i{n}", where, groups=["g"], state=rnd.choice(["running", "stopped"]))
        elif kind == 1:
            lab.cache(f"c{n}", where, groups=["g"], engine=rnd.choice(["redis", "memcached"]))
        else:
            eni = lab.interface(f"x{n}", where)
            lab.put(eni, tags={"Name": rnd.choice(NAMES)})
    return lab.world


def some_flows(world, rnd, many):
    ends = [*(i.id for i in world.all(Interface)), INTERNET, "198.51.100.27", "203.0.113.200"]
    return [
        Flow(source=a, target=b, port=rnd.choice([None, 22, 6379]), count=rnd.randint(1, 9999),
             blocked=rnd.random() < 0.5, because=rnd.choice(NAMES),
             stops=rnd.choice(["sender", "network", "receiver"]))
        for a, b in (rnd.sample(ends, 2) for _ in range(many))
    ]  # fmt: skip


def overlap(a, b):
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


def check(picture):
    """Check that nothing covers anything else, and that every label is inside its box."""
    boxes = {box.id: box for box in picture.boxes}
    assert len(boxes) == len(picture.boxes), "a box's id is its own"
    siblings = {}
    for box in picture.boxes:
        siblings.setdefault(box.parent, []).append(box)
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= picture.width
        assert box.bottom <= picture.height
        if box.parent is not None:
            parent = boxes[box.parent]
            assert parent.x <= box.x, box
            assert box.right <= parent.right, box
            assert parent.y <= box.y, box
            assert box.bottom <= parent.bottom, box
        for label in box.labels:
            assert box.x <= label.left + 0.1, (box.id, label)
            assert label.left + label.width <= box.right + 0.1, (box.id, label)
            assert box.y <= label.y - label.size * 0.75, (box.id, label)
            assert label.y <= box.bottom, (box.id, label)
    for group in siblings.values():
        for a, b in combinations(group, 2):
            assert not overlap(a, b), (a.id, b.id)
    check_wires(picture)


def lie_on_each_other(a, b, c, d):
    """Tell whether two parts of wires, each from its left or upper end on, cannot be told apart."""
    level = a[1] == b[1] and c[1] == d[1] and abs(a[1] - c[1]) < LANE / 2 and a[0] < d[0] and c[0] < b[0]
    upright = a[0] == b[0] and c[0] == d[0] and abs(a[0] - c[0]) < 4 and a[1] < d[1] and c[1] < b[1]
    return level or upright


def check_wires(picture):
    tiles = [box for box in picture.boxes if not box.is_container and box.kind not in ("mark", "badge", "empty")]
    pills = [wire.pill for wire in picture.wires if wire.pill]
    for a, b in combinations(pills, 2):
        assert not overlap(a, b), (a.id, b.id)
    for pill in pills:
        assert not any(overlap(pill, tile) for tile in tiles if tile.kind not in ("igw", "eigw")), pill.id
    parts = [(wire.number, *sorted(part)) for wire in picture.wires if wire.number
             for part in zip(wire.points, wire.points[1:], strict=False)]  # fmt: skip
    for (a, *one), (b, *other) in combinations(parts, 2):
        assert a == b or not lie_on_each_other(*one, *other), (a, b)
    for _, (x0, y0), (x1, y1) in parts:
        assert x0 == x1 or y0 == y1, "wires run straight"
        left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        for tile in tiles:
            crosses = left < tile.right - 1 and tile.x + 1 < right
            crosses = crosses and top < tile.bottom - 1 and tile.y + 1 < bottom
            assert tile.kind in ("igw", "eigw") or not crosses, (tile.id, x0, y0, x1, y1)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_covers_anything_else_however_much_there_is(seed):
    rnd = random.Random(seed)
    interfaces = rnd.choice([3, 12, 40, 300] if seed % 8 == 0 else [3, 12, 40])
    world = crowded(rnd, interfaces)
    flows = some_flows(world, rnd, rnd.choice([0, 1, 5, 30]))

    picture = draw(read(world, "vpc-v", flows=flows, is_live=True))

    check(picture)


@settings(max_examples=15, deadline=None)
@given(worlds())
def test_every_vpc_of_any_world_can_be_drawn(world):
    for vpc in world.all(Vpc):
        scene = read(world, vpc.id)
        picture = draw(scene)
        check(picture)
        told = "\n".join(picture.words)
        assert all(i.id in {item.interface_id for item in scene.items} for i in world.all(Interface, vpc_id=vpc.id))
        assert all(item.id in told or item.name in told for item in scene.items)
        ElementTree.fromstring(svg(picture))


def test_the_same_world_is_the_same_picture():
    assert svg(draw(read(prod_lab().world, "vpc-prod"))) == svg(draw(read(prod_lab().world, "vpc-prod")))


def test_a_name_that_is_markup_is_text():
    lab = prod_lab()
    for kind, id in ((Vpc, "vpc-prod"), (Subnet, "subnet-public")):
        lab.put(lab.world[kind, id], tags={"Name": '<image href="http://evil/"/>"\'&\x00\x1b\ufffe'})
    flow = Flow(source="eni-app", target="eni-web", blocked=True, because="</desc><script>", by='"><script>')

    text = svg(draw(read(lab.world, "vpc-prod", flows=[flow])))

    root = ElementTree.fromstring(text)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        "svg", "title", "desc", "style", "rect", "g", "path", "text", "circle",
    }  # fmt: skip


def test_many_things_of_a_subnet_are_folded_into_one_that_says_how_many():
    lab = prod_lab()
    for n in range(60):
        lab.instance(f"batch{n}", "private")
    flow = Flow(source="eni-batch59", target="eni-web", port=80)

    picture = draw(read(lab.world, "vpc-prod", flows=[flow]))

    shown = {box.id for box in picture.boxes if box.parent == "subnet-private"}
    more = next(box for box in picture.boxes if box.id == "more subnet-private")
    assert "eni-batch59" in shown, "who talks is shown first"
    assert more.labels[0].text == "+ 53 more"
    assert "53 more: " in more.title


def test_a_subnet_with_a_route_to_an_internet_gateway_is_public():
    scene = read(prod_lab().world, "vpc-prod")

    assert {s.id: s.is_public for s in scene.subnets} == {"subnet-public": True, "subnet-private": False}


def test_a_serverless_cache_bears_its_own_name_and_not_that_of_the_nodes_behind_it():
    lab = prod_lab()
    behind = lab.cache("sl0", "private")
    lab.put(behind, account=SERVICE)
    lab.tx.make(
        ServerlessCache, "carts", name="carts", description="", engine="redis", major_version="7",
        limits=UsageLimits(), security_group_ids=(), subnet_ids=("subnet-private",), vpc_id="vpc-prod",
        backing_id=behind.id, created=NOW,
    )  # fmt: skip

    items = {i.interface_id: i for s in read(lab.world, "vpc-prod").subnets for i in s.items}

    assert (items["eni-sl0-0001"].name, items["eni-sl0-0001"].note.split(", ")[1]) == ("carts", "serverless")


def test_a_blocked_flow_ends_in_a_cross_and_names_its_rule():
    flow = Flow(source="eni-web", target="eni-sessions-001-0001", port=6380, count=3, blocked=True, by="sg-cache",
                because="no rule in")  # fmt: skip

    picture = draw(read(prod_lab().world, "vpc-prod", flows=[flow]))

    wire = next(wire for wire in picture.wires if wire.number == 1)
    assert wire.style == "blocked"
    assert wire.pill is not None
    assert wire.pill.labels[0].text == "1 tcp 6380 ×3"
    assert "1. ✖ web → sessions-001, tcp 6380: 3 packets refused by sg-cache: no rule in" in picture.words
    assert re.search(r'<g class="stop" data-flow="1">', svg(picture))


def test_wires_that_run_side_by_side_have_lanes_of_their_own():
    flows = [Flow(source="eni-web", target="eni-app", port=p) for p in range(80, 90)]

    picture = draw(read(prod_lab().world, "vpc-prod", flows=flows))

    assert len([wire for wire in picture.wires if wire.number]) == 10
    check(picture)


def test_what_is_planned_is_drawn_beside_what_is_there():
    world = prod_lab().world
    planned = plan_cache("neu", ["subnet-public", "subnet-private"], engine="valkey", nodes=3)

    picture = draw(read(world, "vpc-prod", planned=planned))

    boxes = {box.id: box for box in picture.boxes if "planned" in box.style}
    assert {id: box.parent for id, box in boxes.items()} == {
        "planned-neu-001": "subnet-public", "planned-neu-002": "subnet-private", "planned-neu-003": "subnet-public",
    }  # fmt: skip
    check(picture)


def test_a_vpc_is_asked_for_by_id_or_by_name():
    lab = prod_lab()
    lab.put(lab.world[Vpc, "vpc-prod"], tags={"Name": "shop"})
    lab.vpc("empty", "10.9.0.0/16")
    world = lab.world.seen_by(CALLER)

    for asked in (None, "shop", "vpc-prod"):
        assert vpc_called(world, asked).id == "vpc-prod"
    with pytest.raises(NoVpc, match="there is no VPC vpc-9") as error:
        vpc_called(world, "vpc-9")
    assert error.value.candidates == ("vpc-prod", "vpc-empty")


def test_a_large_vpc_is_still_a_picture():
    world = crowded(random.Random(1), 1000)

    text = svg(draw(read(world, "vpc-v")))

    assert len(text) < 300_000


def test_the_picture_of_the_documents_is_fresh():
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run: python -m tests.picture"
