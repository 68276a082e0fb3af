"""The edge of a VPC, written and diced: the table of its internet gateway, and local routes with another target."""

import random
from collections.abc import Sequence
from dataclasses import replace

from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.lookup import primary_interface
from atoll.model.route import RouteTable
from tests.network.lab import Lab

CLIENT, PUBLIC, BOX = "198.51.100.27", "203.0.113.20", "203.0.113.50"


def edge_lab(routes=None, *, box_is_public=True):
    """Return a server with a public address behind a middlebox: what comes in and what goes out passes it."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.subnet("box", "10.0.0.0/24"), lab.subnet("web", "10.0.1.0/24"), lab.subnet("db", "10.0.2.0/24")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("box", "box", groups=["open"], ip="10.0.0.5", check=False)
    lab.instance("web", "web", groups=["open"], ip="10.0.1.20")
    lab.instance("db", "db", groups=["open"], ip="10.0.2.30")
    lab.elastic_ip(PUBLIC, "web")
    if box_is_public:
        lab.elastic_ip(BOX, "box")
    lab.table("box", {"0.0.0.0/0": "igw-v"}, subnets=["box"])
    lab.table("web", {"0.0.0.0/0": "i-box", "10.0.2.0/24": "i-box"}, subnets=["web"])
    lab.table("db", {"10.0.1.0/24": "i-box"}, subnets=["db"])
    lab.table("edge", {"10.0.1.0/24": "i-box"} if routes is None else routes, subnets=["igw-v"])
    lab.outside(CLIENT)
    return lab


def edge_routes(lab: Lab, rnd: random.Random, vpc: str, cidrs: Sequence[str], boxes: Sequence[str]) -> None:
    """Give a VPC's gateway a table, perhaps, which leads to a middlebox; and a subnet another local route."""
    machines = [primary_interface(lab.world, box) for box in boxes if box.startswith("i-")]
    targets = [machine.id for machine in machines if machine]
    if lab.world.get(InternetGateway, f"igw-{vpc}") and rnd.random() < 0.5:
        lab.table(f"{vpc}edge", {}, subnets=[f"igw-{vpc}"], vpc=vpc)
        for cidr in rnd.sample(cidrs, rnd.choice([0, 1, 2])):
            lab.route(f"{vpc}edge", cidr, _target(lab, rnd, vpc, targets))
        if rnd.random() < 0.3:
            _replace_local(lab, f"rtb-{vpc}edge", _target(lab, rnd, vpc, targets))
    if targets and rnd.random() < 0.15:
        tables = [t.id for t in lab.world.all(RouteTable, vpc_id=f"vpc-{vpc}") if not t.is_of_gateway]
        _replace_local(lab, rnd.choice(tables), rnd.choice(targets))


def _target(lab: Lab, rnd: random.Random, vpc: str, machines: Sequence[str]) -> str:
    """Return a machine that forwards, mostly; else any interface of the VPC, or one that has gone."""
    if machines and rnd.random() < 0.85:
        return rnd.choice(machines)
    return rnd.choice(["eni-gone", *sorted(i.id for i in lab.world.all(Interface, vpc_id=f"vpc-{vpc}"))])


def _replace_local(lab: Lab, table_id: str, target: str) -> None:
    table = lab.world[RouteTable, table_id]
    lab.put(table, routes=(replace(table.routes[0], target=target), *table.routes[1:]))
