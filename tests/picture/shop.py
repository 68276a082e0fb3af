"""A shop's VPC in three zones, for pictures: a NAT instance in front of a cache, a client that is refused, a peer."""

from dataclasses import replace
from pathlib import Path

from atoll.model.vpc import Vpc
from atoll.picture.draw import draw
from atoll.picture.read import read
from atoll.picture.scene import INTERNET, Flow
from atoll.picture.svg import svg
from tests.network.lab import Lab

PICTURE = Path(__file__).parents[2] / "docs" / "map.svg"

CLIENT = "198.51.100.27"


def shop():
    lab = Lab()
    lab.vpc("shop", "10.0.0.0/16"), lab.gateway("shop")
    lab.put(lab.world[Vpc, "vpc-shop"], tags={"Name": "shop"})
    lab.vpc("office", "10.9.0.0/16"), lab.peering("office", "shop", "office")
    for n, zone in enumerate("abc"):
        lab.subnet(f"public-{zone}", f"10.0.{n}.0/24", vpc="shop", zone=f"us-east-1{zone}")
        lab.subnet(f"private-{zone}", f"10.0.{10 + n}.0/24", vpc="shop", zone=f"us-east-1{zone}")
    lab.nat_gateway("out", "public-b", publics=["203.0.113.9"])
    out = {"0.0.0.0/0": "igw-shop", "10.9.0.0/16": "pcx-office"}
    lab.table("public", out, subnets=["public-a", "public-b", "public-c"], vpc="shop")
    lab.table("private", {"0.0.0.0/0": "nat-out"}, subnets=["private-a", "private-b", "private-c"], vpc="shop")
    lab.gateway_endpoint("shop", "s3", ["rtb-private"])
    lab.group("app", vpc="shop"), lab.group("cache", vpc="shop", ingress=["tcp 6379 sg-app"])
    lab.instance("nat", "public-a", groups=["app"], ip="10.0.0.55", check=False)
    lab.elastic_ip("203.0.113.73", "nat")
    lab.instance("app", "private-a", groups=["app"]), lab.instance("bastion", "public-b", groups=["shop"])
    lab.instance("reports", "private-c", groups=["app"], state="stopped")
    for n in range(1, 16):
        lab.instance(f"worker-{n:02}", "private-c", groups=["app"])
    lab.cache("carts", "private-b", ips=[None, None], engine="memcached", groups=["cache"])
    of = lab.replication_group("sessions", "private-a", members=1)
    more = lab.cache("sessions-002", "private-b", groups=["cache"], group_id=of.id)
    lab.put(of, node_groups=(replace(of.shard, member_ids=(*of.shard.member_ids, more.id)),))
    lab.balancer("front", "private-a", "private-b", groups=["app"])
    lab.outside(CLIENT)
    return lab


def flows():
    primary = "eni-sessions-001-0001"
    return [
        Flow(source="eni-bastion", target=primary, port=6379, count=3, blocked=True, because="no rule in",
             by="sg-cache", seconds_ago=2),
        Flow(source=CLIENT, target="eni-nat", port=6380, count=74),
        Flow(source="eni-nat", target=primary, port=6379, count=74),
        Flow(source="eni-app", target=primary, port=6379, count=12),
        Flow(source="eni-sessions-002-0001", target=primary, port=6379),
        Flow(source="eni-worker-15", target="eni-carts-0001", port=11211, count=2),
        Flow(source="eni-out", target=INTERNET, port=443, target_address="52.216.0.1"),
    ]  # fmt: skip


def picture():
    """Return the picture of docs/map.md."""
    translates = {"eni-nat": ("6380 to 10.0.10.5:6379",)}
    scene = read(shop().world, "vpc-shop", flows=flows(), translates=translates, is_live=True)
    return svg(draw(scene))
