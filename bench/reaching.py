"""(g) Reachability, computed: `why` for one flow, and the matrix of a whole VPC, as its interfaces grow.

Only the tracer: nothing runs, no daemon is asked.  Processor time, so that others on the machine do not count.  `why`
follows references, so it should cost the same in any World; the matrix follows classes and should not grow with
interfaces of the same kinds.  Both are held against themselves in a small World, the matrix also against compiling
the same World into a plan, which must look at every interface.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Attachment, Interface
from atoll.model.names import mac_address
from atoll.model.resource import Resource
from atoll.model.route import LOCAL_ORIGIN, Route, RouteAssociation, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, Vpc
from atoll.model.world import World
from atoll.network.flow import ALL
from atoll.network.plan import compile
from atoll.network.reach.matrix import matrix
from atoll.network.why import Question, why
from atoll.picture.draw import draw
from atoll.picture.read import read
from atoll.picture.svg import svg
from bench.rows import Asked, Row, interleave, rows

OWNER = {"account": "000000000000", "region": "us-east-1"}
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
VPC, ACL = "vpc-bench", "acl-bench"
RANGE = IPv4Network("10.0.0.0/16")
PORT = 6379
GROUPS_IN_A_SUBNET = 4
ASKED = 200  # questions in one measure of `why`


def measure(rounds: int, interfaces: int, subnets: int) -> list[Row]:
    """Ask in Worlds of `interfaces`, and of a tenth of them, in as many subnets and groups."""
    large, small = world(interfaces, subnets), world(interfaces // 10, subnets)
    classes = subnets * GROUPS_IN_A_SUBNET
    one, one_small = f"`why`, of {interfaces:,} interfaces", f"`why`, of {interfaces // 10:,}"
    whole, tenth = (
        f"matrix, {interfaces:,} interfaces in {classes} classes",
        f"matrix, {interfaces // 10:,} interfaces",
    )
    drawn, drawn_small = (f"map of {n:,} interfaces as SVG" for n in (interfaces, interfaces // 10))
    measures: dict[str, Callable[[], float]] = {
        one_small: lambda: _asking(small, interfaces // 10),
        one: lambda: _asking(large, interfaces),
        tenth: lambda: _seconds(lambda: matrix(small)),
        whole: lambda: _seconds(lambda: matrix(large)),
        "plan of the same World": lambda: _seconds(lambda: compile(large)),
        drawn: lambda: _seconds(lambda: svg(draw(read(large, VPC)))) * 1e3,
        drawn_small: lambda: _seconds(lambda: svg(draw(read(small, VPC)))) * 1e3,
    }
    interleave(measures, 1)  # indexes are built
    series = interleave(measures, rounds)
    asked = [
        Asked(series=one, unit="ms", baseline=one_small, target="<= 1 ms"),
        Asked(series=whole, unit="s", baseline=tenth, target="<= 10 s"),
        Asked(series=whole, unit="s", baseline="plan of the same World"),
        Asked(series=drawn, unit="ms", baseline=drawn_small, target="<= 200 ms"),
    ]
    return rows("reachability", series, asked)


def _asking(it: World, interfaces: int) -> float:
    """Return the milliseconds of one question from a subnet to the next."""
    questions = []
    for n in range(ASKED):
        target = it[Interface, _id((n + 1) % interfaces)]
        questions.append(Question(sender=_id(n % interfaces), destination=target.address, protocol="tcp", port=PORT,
                                  target_id=target.id))  # fmt: skip
    return _seconds(lambda: [why(it, question) for question in questions]) / ASKED * 1e3


def _seconds(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _id(n: int) -> str:
    return f"eni-{n:017x}"


def world(interfaces: int, subnets: int) -> World:
    """Return a VPC whose groups let in each other by name and range, and everybody on a port of their own."""
    made: list[Resource] = [*_vpc()]
    for s in range(subnets):
        made.append(_subnet(s))
    count = subnets * GROUPS_IN_A_SUBNET
    made += [_group(g, count) for g in range(count)]
    made += [_interface(n, subnets) for n in range(interfaces)]
    return World().after({(type(resource), resource.id): resource for resource in made})


def _vpc() -> list[Resource]:
    local = Route(destination=RANGE, target="local", origin=LOCAL_ORIGIN)
    main = RouteAssociation(id="rtbassoc-bench", main=True)
    every = [
        AclEntry(number=100, egress=e, protocol=ALL, allow=True, cidr=IPv4Network("0.0.0.0/0")) for e in (True, False)
    ]
    return [
        Vpc(id=VPC, **OWNER, ranges=(CidrAssociation(id="vpc-cidr-assoc-1", cidr=RANGE),), dhcp_options_id="dopt-1"),
        RouteTable(id="rtb-bench", **OWNER, vpc_id=VPC, routes=(local,), associations=(main,)),
        NetworkAcl(id=ACL, **OWNER, vpc_id=VPC, is_default=True, entries=tuple(every)),
    ]


def _subnet(s: int) -> Subnet:
    return Subnet(
        id=f"subnet-{s}", **OWNER, vpc_id=VPC, cidr=IPv4Network(f"10.0.{s}.0/24"), zone="us-east-1a",
        zone_id="use1-az1", number=s + 1, acl_id=ACL, acl_association_id=f"aclassoc-{s}",
    )  # fmt: skip


def _group(g: int, count: int) -> SecurityGroup:
    anywhere = IPv4Network("0.0.0.0/0")
    near = IPv4Network(f"10.0.{g // GROUPS_IN_A_SUBNET}.0/24")
    after = f"sg-{(g + 1) % count}"
    rules = (
        Rule(id=f"sgr-{g}a", egress=True, protocol="-1", cidr=anywhere),
        Rule(id=f"sgr-{g}b", egress=False, protocol="tcp", from_port=PORT, to_port=PORT, group_id=after),
        Rule(id=f"sgr-{g}c", egress=False, protocol="tcp", from_port=22, to_port=22, cidr=near),
        Rule(id=f"sgr-{g}d", egress=False, protocol="tcp", from_port=8000 + g, to_port=8000 + g, cidr=anywhere),
    )
    return SecurityGroup(id=f"sg-{g}", **OWNER, vpc_id=VPC, name=f"g{g}", description="bench", rules=rules)


def _interface(n: int, subnets: int) -> Interface:
    s, place = n % subnets, n // subnets
    group = s * GROUPS_IN_A_SUBNET + place % GROUPS_IN_A_SUBNET
    plug = Attachment(id=f"ela-attach-{n}", instance_owner="amazon-elasticache", time=CREATED)
    return Interface(
        id=_id(n), **OWNER, vpc_id=VPC, subnet_id=f"subnet-{s}", zone="us-east-1a", number=n + 1,
        mac=mac_address(_id(n)), private_ips=(IPv4Address(f"10.0.{s}.{4 + place}"),), group_ids=(f"sg-{group}",),
        attachment=plug, created=CREATED,
    )  # fmt: skip
