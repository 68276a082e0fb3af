"""Worlds to ask: a fixture-sized production world, and random ones with random questions.

How to use it, from any test:

    from tests.network.worlds import Lab, prod_lab, random_world, random_probes, worlds_with_probes

    lab = prod_lab()                                  # or Lab(), and write your own
    lab.trace("app", "10.0.1.20", "tcp", 6379)        # lab.world is the World

    rnd = random.Random(7)                            # seeded, without hypothesis
    world = random_world(rnd)
    for probe in random_probes(world, rnd, 100):
        trace(world, probe.sender, probe.destination, probe.protocol, probe.port, **probe.options)

    @given(worlds_with_probes(50))                    # with hypothesis, which shrinks
    def test_both_descriptions_agree(case): world, probes = case

A random world has up to three VPCs of one account (sometimes with the same CIDR, else mostly peered in a row, and
perhaps in two regions), each with three subnets and everything that decides about packets: own and main route tables,
blackholes of every kind, prefix lists, tables of gateways (`edges.py`), routes to machines that forward (also more
specific than `local`, also one-way), gateways or none, Elastic and automatic public addresses, secondary addresses
and ranges, NAT gateways, groups with CIDR rules, references (also to the other VPC's groups) and any-any rules,
ordered ACLs, ICMP, stopped instances, unattached interfaces, cache nodes, outside hosts, load balancers, and
endpoints that lead to them or to Atoll's own API.  Half of the VPCs have IPv6, in most of their subnets, with the
twins of all that: routes, rules, entries, and egress-only gateways.  In every fifth one something was broken on
purpose.
It holds nothing that the verbs would refuse.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import cast

from hypothesis import strategies as st

from atoll.model.address import ElasticIp
from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.fault import dead
from atoll.model.hardware import rack_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface, Timeouts
from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip
from atoll.model.lookup import HALTED, sends_by
from atoll.model.peering import Peering
from atoll.model.prefix_list import PrefixList
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import ICMP, ICMPV6, TCP, UDP, At, Trace
from atoll.network.layers.hop import APPLIANCES
from atoll.network.trace import trace
from tests.network.balancing import ZONES, Balancing
from tests.network.edges import edge_routes
from tests.network.lab import ACCOUNT, CALLER, EVERYWHERE, EVERYWHERE6, NOW, OPEN_ACL, OPEN_ACL6, REGION, Lab

__all__ = [
    "ACCOUNT", "CALLER", "NOW", "REGION", "Lab", "Probe", "prod_lab", "random_probes", "random_world", "worlds",
    "worlds_with_probes",
]  # fmt: skip

OTHER_REGION = "eu-west-1"
PORTS = (6379, 6380, 22)
OUTSIDE, OUTSIDE6 = ("198.51.100.27", "198.51.100.28"), ("2001:db8:f::27", "2001:db8:f::28")


def prod_lab() -> Lab:
    """Return the world of the documents: a public and a private subnet, a NAT instance, an application, caches.

    sg-nat, sg-app, sg-bastion and sg-cache; sg-cache admits tcp 6379 from sg-app (sgr-app) and sg-nat only.
    """
    lab = Lab()
    lab.vpc("prod", "10.0.0.0/16")
    lab.gateway("prod")
    lab.subnet("public", "10.0.0.0/24")
    lab.subnet("private", "10.0.1.0/24")
    lab.table("public", {"0.0.0.0/0": "igw-prod"}, subnets=["public"])
    lab.group("app")
    lab.group("bastion", ingress=["tcp 22 198.51.100.27/32"])
    lab.group("nat", ingress=["tcp 6379-6381 198.51.100.27/32", "tcp 22 198.51.100.27/32"])
    lab.group("cache", ingress=["tcp 6379 sg-app", "tcp 6379 sg-nat"])
    lab.instance("nat", "public", groups=["nat"], ip="10.0.0.55")
    lab.elastic_ip("203.0.113.73", "nat")
    lab.instance("bastion", "public", groups=["bastion"], ip="10.0.0.60", public="203.0.113.60")
    lab.instance("app", "private", groups=["app"], ip="10.0.1.10")
    lab.instance("web", "public", groups=["app"], ip="10.0.0.10")
    lab.cache("sessions-001", "private", ips=["10.0.1.230"], groups=["cache"])
    lab.cache("mc", "private", ips=["10.0.1.231", "10.0.1.232"], engine="memcached", groups=["cache"])
    lab.outside(*OUTSIDE)
    return lab


@dataclass(frozen=True)
class Probe:
    """A question to the network."""

    sender: At
    destination: Ip
    protocol: int
    port: int  # ICMP: code
    options: dict[str, int | Ip] = field(default_factory=dict)  # of `trace`: source_port, source

    def ask(self, world: World) -> Trace:
        """Ask the tracer."""
        return trace(world, self.sender, self.destination, self.protocol, self.port, **self.options)  # type: ignore[arg-type]


def worlds() -> st.SearchStrategy[World]:
    """Draw random worlds."""
    return st.randoms(use_true_random=False).map(random_world)


def worlds_with_probes(n: int = 50) -> st.SearchStrategy[tuple[World, list[Probe]]]:
    """Draw random worlds with questions about them."""

    def both(rnd: random.Random) -> tuple[World, list[Probe]]:
        world = random_world(rnd)
        return world, random_probes(world, rnd, n)

    return st.randoms(use_true_random=False).map(both)


def random_world(rnd: random.Random, *, plugged: bool = False) -> World:
    """Return a random world; the same for the same dice.  `plugged`: with machines that have several interfaces."""
    lab = Lab()
    lab.outside(*OUTSIDE, *OUTSIDE6)
    names = ["a", "b", "c"][: rnd.choice([1, 2, 2, 2, 3])]
    same = rnd.random() < 0.4
    vpcs = [_Vpc(lab, rnd, name, 0 if same else k, names) for k, name in enumerate(names)]
    for vpc in vpcs:
        vpc.make()
    if not same:
        _peer(lab, rnd, vpcs)
    for vpc in vpcs:
        vpc.build()
    Balancing(lab, rnd).balance([vpc.name for vpc in vpcs])
    for vpc in vpcs if plugged else ():
        _plug_in(lab, vpc)
    for eni in list(lab.world.all(Interface))[::5]:  # without dice: how long a flow is remembered decides nothing,
        lab.put(eni, timeouts=Timeouts(tcp_established=60 * eni.number, udp=45))
    for i, vpc in enumerate(vpcs):  # and whether somebody counts must make no difference
        if of := {0: f"vpc-{vpc.name}", 1: f"subnet-{vpc.name}0"}.get((len(lab.world) + i) % 4):
            lab.flow_log(vpc.name, of, vpc=vpc.name)
    if rnd.random() < 0.2:
        _break(lab, rnd)
    return lab.world


def _plug_in(lab: Lab, vpc: "_Vpc") -> None:
    """Give up to three machines of a VPC a further interface in a subnet of their zone; middleboxes come first."""
    region = lab.world[Vpc, f"vpc-{vpc.name}"].region
    subnets = [lab.world[Subnet, f"subnet-{vpc.name}{i}"] for i in range(3)]
    machines = [i for i in lab.world.all(Interface, vpc_id=f"vpc-{vpc.name}") if i.instance_id]
    machines.sort(key=lambda i: (i.source_dest_check, i.id))  # middleboxes first
    for n, first in enumerate(machines[:3]):
        near = [k for k, subnet in enumerate(subnets) if subnet.zone == first.zone]
        k = near[-1 if n % 2 else 0]
        name, ip = f"{first.id[4:]}x", str(IPv4Address(vpc.cidrs[k][:-3]) + 80 + n)
        more, ipv6 = [str(IPv4Address(ip) + 10)] if n == 1 else [], vpc._addresses6_of(k, 0x80 + n)
        group = f"{vpc.name}{n}"
        eni = lab.interface(
            name, f"{vpc.name}{k}", groups=[group], ip=ip, more_ips=more, ipv6=ipv6, check=first.source_dest_check
        )
        lab.put(eni, region=region)
        lab.plug(lab.world[Interface, eni.id], first.id[4:], 1 + n)
        if vpc.has_gateway and n != 1:
            lab.put(lab.elastic_ip(vpc._public(), name), region=region)
        if n == 0 and not first.source_dest_check:
            for there in (f"10.{vpc.n}.77.0/24", vpc.cidrs[(k + 1) % 3]):
                _lead(lab, vpc.name, there, eni.id)


def _lead(lab: Lab, table: str, destination: str, target: str) -> None:
    """Add a route to a table, unless there is one."""
    if all(str(route.destination) != destination for route in lab.world[RouteTable, f"rtb-{table}"].routes):
        lab.route(table, destination, target)


def _break(lab: Lab, rnd: random.Random) -> None:
    """Break up to two things on purpose: hosts, racks, zones, and what lies between them."""
    instances = sorted((i for i in lab.world.all(Instance) if i.host), key=lambda i: i.id)
    for act in rnd.sample(["kill-host", "kill-rack", "kill-zone", *["partition-zone", "partition-instance"] * 2], 2):
        if not instances:
            return
        victim = rnd.choice(instances)
        assert victim.host, "only those that stand somewhere"
        where = {"kill-host": victim.host, "kill-rack": rack_of(victim.host), "partition-instance": victim.id}
        lab.fault(act, where.get(act, victim.zone))


def _peer(lab: Lab, rnd: random.Random, vpcs: "list[_Vpc]") -> None:
    """Peer neighbours (a with b, b with c), mostly: what leads from a to c leads nowhere."""
    for one, other in pairwise(vpcs):
        if rnd.random() < 0.85:
            status = rnd.choices(["active", "provisioning", "pending-acceptance", "deleted"], [85, 5, 5, 5])[0]
            name = f"{one.name}{other.name}"
            lab.peering(name, *rnd.sample([one.name, other.name], 2), status=status)
            for near, far in ((one, other), (other, one)):
                near.peers[f"pcx-{name}"] = far


class _Vpc:
    """Throws the dice for one VPC, whose subnets are 10.N.0.0/24, 10.N.1.0/24 and 10.N.2.0/24."""

    def __init__(self, lab: Lab, rnd: random.Random, name: str, n: int, names: Sequence[str]) -> None:
        self.lab, self.rnd, self.name, self.n, self.names = lab, rnd, name, n, names
        self.cidrs = [f"10.{n}.{i}.0/24" for i in range(3)]
        self.cidrs6: list[str] = []  # of the subnets; empty: no IPv6.  Global, so no two VPCs have the same
        self.range6 = f"2001:db8:1000:{names.index(name)}00::/56"
        self.has_egress_only = False
        self.has_gateway = rnd.random() < 0.75
        self.nat_subnet = -1
        self.peers: dict[str, _Vpc] = {}  # by connection

    def make(self) -> None:
        """Make the VPC itself."""
        ranges = [f"10.{self.n}.0.0/16"]
        if self.rnd.random() < 0.3:  # a secondary range, with the third subnet in it
            ranges.append(f"10.{self.n + 100}.0.0/16")
            self.cidrs[2] = f"10.{self.n + 100}.2.0/24"
        dns_support = self.rnd.random() < 0.9
        if self.rnd.random() < 0.5:
            self.cidrs6 = [self.range6.replace("00::/56", f"0{i}::/64") for i in range(3)]
            self.has_egress_only = self.rnd.random() < 0.6
        vpc = self.lab.vpc(self.name, *ranges, dns_support=dns_support, ipv6=self.range6 if self.cidrs6 else None)
        if self.rnd.random() < 0.1:
            self.lab.put(vpc, region=OTHER_REGION)

    def build(self) -> None:
        """Make everything in it; what refers comes after what it refers to."""
        if self.has_gateway:
            self.lab.gateway(self.name)
        if self.has_egress_only:
            self.lab.egress_only(self.name)
        self._lists()
        for i in range(2):
            self.lab.acl(f"{self.name}{i}", vpc=self.name, ingress=self._acl(), egress=self._acl())
        for i in range(3):
            self.lab.group(f"{self.name}{i}", vpc=self.name, ingress=self._rules(), egress=self._egress())
        acls = [self.name, f"{self.name}0", f"{self.name}1"]
        for i, cidr in enumerate(self.cidrs):
            acl = self.rnd.choice(acls)
            cidr6 = self.cidrs6[i] if self.cidrs6 and self.rnd.random() < 0.9 else None
            self.lab.subnet(f"{self.name}{i}", cidr, vpc=self.name, acl=acl, zone=ZONES[i % 2], ipv6=cidr6)
        for i in range(3):
            for j in range(self.rnd.choice([1, 1, 2])):
                self._place(i, j)
        boxes = self._middleboxes() + self._nat_gateways()
        self._tables(boxes)
        self._settle()

    def _settle(self) -> None:
        """Put what is in the VPC into its region."""
        region = self.lab.world[Vpc, f"vpc-{self.name}"].region
        lists = [self.lab.world[PrefixList, f"pl-{self.name}{kind}"] for kind in ("", "out", "out6")]
        for one in (*self.lab.world, *lists):
            if one.region != region and (one in lists or getattr(one, "vpc_id", "") == f"vpc-{self.name}"):
                self.lab.put(one, region=region)

    def _lists(self) -> None:
        """Make two prefix lists: `out`, to which routes lead, and one for rules."""
        far = ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.27/32", "203.0.113.0/24", "203.0.113.0/25", "8.8.8.0/24"]
        far += [cidr for peer in self.peers.values() for cidr in (f"10.{peer.n}.0.0/16", *peer.cidrs)]
        self.lab.prefix_list(f"{self.name}out", *self.rnd.sample(far, self.rnd.choice([1, 2, 3])))
        mine = dict.fromkeys(self._cidr() for _ in range(self.rnd.choice([0, 1, 2, 3])))
        is_six = ":" in next(iter(mine), "")  # a list is of one version
        self.lab.prefix_list(self.name, *(cidr for cidr in mine if (":" in cidr) is is_six))
        far6 = ["::/0", "2001:db8:f::/48", "2001:db8:f::27/128", *(peer.range6 for peer in self.peers.values())]
        self.lab.prefix_list(f"{self.name}out6", *self.rnd.sample(far6, self.rnd.choice([1, 2])))

    def _place(self, i: int, j: int) -> None:
        """Put an instance (mostly), a cache node or an unattached interface into subnet i."""
        rnd, name, ip = self.rnd, f"{self.name}{i}{j}", str(IPv4Address(self.cidrs[i][:-3]) + 10 + j)
        groups = self._some_groups()
        kind = rnd.choices(["instance", "cache", "nothing"], [84, 13, 3])[0]
        if kind == "cache":
            self.lab.cache(name, f"{self.name}{i}", ips=[ip], groups=groups)
            return
        if kind == "nothing":
            self.lab.interface(name, f"{self.name}{i}", groups=groups, ip=ip, ipv6=self._addresses6(i, j))
            return
        more = [str(IPv4Address(ip) + 60)] if rnd.random() < 0.15 else []
        state = rnd.choices(["running", "stopped", "pending", "stopping"], [92, 4, 2, 2])[0]
        automatic = self._public() if self.has_gateway and state == "running" and rnd.random() < 0.25 else None
        self.lab.instance(
            name, f"{self.name}{i}", groups=groups, ip=ip, more_ips=more, ipv6=self._addresses6(i, j), state=state,
            public=automatic,
        )  # fmt: skip
        if self.has_gateway and rnd.random() < 0.35:
            self.lab.elastic_ip(self._public(), name, rnd.choice([ip, *more]))

    def _addresses6(self, i: int, j: int) -> list[str]:
        """Return the IPv6 addresses of interface j in subnet i: mostly one, if the subnet has a range."""
        cidr = self.lab.world[Subnet, f"subnet-{self.name}{i}"].cidr6
        if cidr is None:
            return []
        return [str(cidr[0x10 + j + 0x100 * n]) for n in range(self.rnd.choice([0, 1, 1, 1, 1, 1, 2]))]

    def _addresses6_of(self, i: int, j: int) -> list[str]:
        """Return one IPv6 address of interface j in subnet i, if the subnet has a range."""
        cidr = self.lab.world[Subnet, f"subnet-{self.name}{i}"].cidr6
        return [] if cidr is None else [str(cidr[0x10 + j])]

    def _middleboxes(self) -> list[str]:
        """Make up to two instances that forward (their check is off), one of them perhaps stopped."""
        boxes = []
        for k, i in enumerate(self.rnd.sample(range(3), self.rnd.choice([0, 1, 1, 2]))):
            name, ip = f"{self.name}mb{k}", str(IPv4Address(self.cidrs[i][:-3]) + 50)
            state = self.rnd.choices(["running", "stopped", "stopping"], [85, 10, 5])[0]
            groups = self._some_groups()
            ipv6 = self._addresses6(i, 0x40)
            self.lab.instance(name, f"{self.name}{i}", groups=groups, ip=ip, ipv6=ipv6, state=state, check=False)
            if self.has_gateway and self.rnd.random() < 0.5:
                self.lab.elastic_ip(self._public(), name)
            boxes.append(f"i-{name}")
        return boxes

    def _nat_gateways(self) -> list[str]:
        """Make a NAT gateway, perhaps: public or private, with one address or two, or one that has gone."""
        rnd, name = self.rnd, f"{self.name}nat"
        if rnd.random() < 0.4:
            return []
        self.nat_subnet = subnet = rnd.randrange(3)
        first = IPv4Address(self.cidrs[subnet][:-3]) + 60
        ips = [str(first + n) for n in range(rnd.choice([1, 1, 2]))]
        self.lab.nat_gateway(name, f"{self.name}{subnet}", ips=ips, state=rnd.choice(["available"] * 4 + ["pending"]))
        if self.has_gateway and rnd.random() < 0.7:
            for ip in ips:
                self.lab.elastic_ip(self._public(), name, ip)
        return [f"nat-{name}"] * 2

    def _tables(self, boxes: Sequence[str]) -> None:
        """Give each subnet a table of its own, or leave it to the main one."""
        for i in range(3):
            own = self.rnd.random() < 0.8
            if own:
                subnet = f"{self.name}{i}"
                self.lab.table(subnet, {}, subnets=[subnet], vpc=self.name)
            for destination, target in (self._routes(i, boxes) | self._routes6(i, boxes)).items():
                if own:
                    self.lab.route(f"{self.name}{i}", destination, target)
        for destination, target in (self._routes(None, boxes) | self._routes6(None, boxes)).items():
            self.lab.route(self.name, destination, target)
        edge_routes(self.lab, self.rnd, self.name, [*self.cidrs, *self.cidrs6], boxes)

    def _routes(self, i: int | None, boxes: Sequence[str]) -> dict[str, str]:
        rnd, routes = self.rnd, {}
        if i == self.nat_subnet and rnd.random() < 0.9:  # what leaves a NAT gateway does not come back to it
            boxes = [box for box in boxes if not box.startswith("nat-")]
        for id, peer in self.peers.items():
            if rnd.random() < 0.85:
                routes[f"10.{peer.n}.0.0/16"] = id
            if rnd.random() < 0.3:  # a subnet of the peer's or, perhaps, of its peer
                further = rnd.choice([peer, *peer.peers.values()])
                if further is not self:
                    routes[rnd.choice(further.cidrs)] = id
            if rnd.random() < 0.1:  # what the peering does not carry
                routes[rnd.choice(["198.51.100.27/32", "0.0.0.0/0", "10.0.0.0/8"])] = id
        if self.has_gateway and rnd.random() < 0.6:
            routes["0.0.0.0/0"] = f"igw-{self.name}"
        if boxes and rnd.random() < 0.5:
            routes["0.0.0.0/0"] = rnd.choice(boxes)
        if rnd.random() < 0.15:  # the target has gone, or is none that the table can use
            targets = ["eni-gone", "igw-gone", "nat-gone", "pcx-gone"]
            routes[rnd.choice(["198.51.100.28/32", "203.0.113.0/24", "0.0.0.0/0"])] = rnd.choice(targets)
        ways = [*boxes, *self.peers, *([f"igw-{self.name}"] if self.has_gateway else [])]
        if ways and rnd.random() < 0.3:
            routes[f"pl-{self.name}out"] = rnd.choice(ways)
        if boxes and rnd.random() < 0.2:
            routes["198.51.100.27/32"] = rnd.choice(boxes)
        if boxes and rnd.random() < 0.5:  # more specific than local: a whole other subnet, through a middlebox
            others = [cidr for j, cidr in enumerate(self.cidrs) if j != i]
            routes[rnd.choice(others)] = rnd.choice(boxes)
        elif rnd.random() < 0.06:  # ... or through a machine that keeps its check, or an unattached interface
            interfaces = [x.id for x in self.lab.world.all(Interface, vpc_id=f"vpc-{self.name}")]
            routes[rnd.choice([c for j, c in enumerate(self.cidrs) if j != i])] = rnd.choice(sorted(interfaces))
        return routes

    def _routes6(self, i: int | None, boxes: Sequence[str]) -> dict[str, str]:
        """Return the routes of version 6; a NAT gateway is no target of one."""
        if not self.cidrs6:
            return {}
        rnd, routes = self.rnd, {}
        boxes = [box for box in boxes if not box.startswith("nat-")]
        for id, peer in self.peers.items():
            if rnd.random() < 0.85:  # also to a peer without IPv6: that leads nowhere
                routes[peer.range6] = id
            if rnd.random() < 0.2:
                further = rnd.choice([peer, *peer.peers.values()])
                if further is not self and further.cidrs6:
                    routes[rnd.choice(further.cidrs6)] = id
        gateways = [f"igw-{self.name}"] * 2 * self.has_gateway + [f"eigw-{self.name}"] * self.has_egress_only
        if gateways and rnd.random() < 0.8:
            routes["::/0"] = rnd.choice(gateways)
        if boxes and rnd.random() < 0.3:
            routes["::/0"] = rnd.choice(boxes)
        if gateways and rnd.random() < 0.2:
            routes[f"pl-{self.name}out6"] = rnd.choice([*gateways, *self.peers])
        if rnd.random() < 0.1:
            gone = rnd.choice(["2001:db8:f::28/128", "2001:db8::/32", "::/0"])
            routes[gone] = rnd.choice(["eigw-gone", "eni-gone"])
        if boxes and rnd.random() < 0.4:
            others = [cidr for j, cidr in enumerate(self.cidrs6) if j != i]
            routes[rnd.choice(others)] = rnd.choice(boxes)
        return routes

    def _some_groups(self) -> list[str]:
        names = [f"{self.name}{i}" for i in range(3)]
        return self.rnd.sample(names, self.rnd.choice([1, 1, 2]))

    def _public(self) -> str:
        taken = {e.public_ip for e in self.lab.world.all(ElasticIp)}
        taken |= {cast(IPv4Address, i.public_ip) for i in self.lab.world.all(Interface) if i.public_ip}
        return next(str(a) for n in range(1, 250) if (a := IPv4Address("203.0.113.0") + n) not in taken)

    # ---- filters

    def _cidr(self) -> str:
        if self.cidrs6 and self.rnd.random() < 0.4:
            host = self.rnd.choice(self.cidrs6).replace("::/64", f"::{self.rnd.choice(['10', '11', '50'])}/128")
            choices = ["::/0", "::/0", "2001:db8:1000::/36", host, "2001:db8:f::/48", "2001:db8:f::27/128"]
            return self.rnd.choice([*choices, *(peer.range6 for peer in self.peers.values()), *self.cidrs6[:2]])
        host = f"10.{self.n}.{self.rnd.randrange(3)}.{self.rnd.choice([10, 11, 50, 70])}/32"
        choices = ["0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8", host, "198.51.100.0/24", "198.51.100.27/32"]
        choices += [cidr for peer in self.peers.values() for cidr in (f"10.{peer.n}.0.0/16", *peer.cidrs[:1])]
        return self.rnd.choice([*choices, "203.0.113.0/24", self.rnd.choice(self.cidrs)])

    def _match(self) -> str:
        protocol = self.rnd.choice(["all", "tcp", "tcp", "tcp", "udp", "icmp"])
        if protocol == "all":
            return protocol
        if protocol == "icmp" and self.cidrs6 and self.rnd.random() < 0.5:
            return self.rnd.choice(["icmpv6", "icmpv6 128", "icmpv6 129", "icmpv6 128/0"])
        if protocol == "icmp":
            return self.rnd.choice(["icmp", "icmp 8", "icmp 0", "icmp 8/0"])
        return f"{protocol} {self.rnd.choice(['6379', '22', '6379-6380', '0-65535', '1024-65535', '32768-60999'])}"

    def _rules(self) -> list[str]:
        rules = []
        for _ in range(self.rnd.choice([0, 1, 2, 3])):
            if self.peers and self.rnd.random() < 0.3:
                peer = self.rnd.choice(list(self.peers.values()))
                rules.append(f"{self._match()} vpc-{peer.name}/sg-{peer.name}{self.rnd.randrange(3)}")
            elif self.rnd.random() < 0.35:
                other = [f"{n}{i}" for n in self.names for i in range(3)]
                mine = [f"{self.name}{i}" for i in range(3)]
                whose = other if self.rnd.random() < 0.2 else mine
                rules.append(f"{self._match()} sg-{self.rnd.choice(whose)}")
            elif self.rnd.random() < 0.15:
                rules.append(f"{self._match()} pl-{self.rnd.choice([self.name, f'{self.name}out'])}")
            else:
                rules.append(f"{self._match()} {self._cidr()}")
        if self.rnd.random() < 0.4:  # what makes flows untracked
            rules.append(self.rnd.choice([*EVERYWHERE, "tcp 0.0.0.0/0", "udp 0.0.0.0/0", "tcp 6379 0.0.0.0/0"]))
        if self.cidrs6 and self.rnd.random() < 0.4:
            rules.append(self.rnd.choice(["all ::/0", "tcp ::/0", "udp ::/0", "tcp 6379 ::/0"]))
        return list(dict.fromkeys(rules))

    def _egress(self) -> list[str]:
        if self.rnd.random() < 0.6:
            return list(EVERYWHERE6 if self.cidrs6 and self.rnd.random() < 0.8 else EVERYWHERE)
        return self._rules()

    def _acl(self) -> list[str]:
        numbers = self.rnd.sample([1, 5, 9, 10, 20, 99, 100, 300], self.rnd.choice([0, 0, 1, 3]))
        entries = [
            f"{n} {'allow' if self.rnd.random() < 0.6 else 'deny'} {self._match()} {self._cidr()}" for n in numbers
        ]
        entries += [OPEN_ACL[0].replace("100", "500")] if self.rnd.random() < 0.85 else []
        return entries + ([OPEN_ACL6[0].replace("101", "501")] if self.cidrs6 and self.rnd.random() < 0.85 else [])


def runs(world: World, interface_id: str) -> bool:
    """Tell whether somebody is behind an interface: a service, or an instance that is not halted."""
    interface = world[Interface, interface_id]
    if dead(world, interface):
        return False
    if interface.instance_id is None:
        return interface.attachment is not None
    return world[Instance, interface.instance_id].state not in HALTED


def random_probes(world: World, rnd: random.Random, n: int) -> list[Probe]:
    """Return random questions about a world: mostly between what is there, some to nobody or to services."""
    share = 0.3 if any(i.ipv6_addresses for i in world.all(Interface)) else 0.03
    sixes = sum(rnd.random() < share for _ in range(n))
    probes = [*_probes4(world, rnd, n - sixes), *probes6(world, rnd, sixes)]
    rnd.shuffle(probes)
    return [_as_sent(world, probe) for probe in probes]


def _as_sent(world: World, probe: Probe) -> Probe:
    """Return a probe with a source of its own as its machine sends it: by the interface that has the source."""
    source = probe.options.get("source")
    if source is None or not isinstance(probe.sender, str):
        return probe
    by = sends_by(world, world[Interface, probe.sender], cast(Ip, source))
    return replace(probe, sender=by.id)


def _probes4(world: World, rnd: random.Random, n: int) -> list[Probe]:
    interfaces = sorted(world.all(Interface), key=lambda i: i.id)
    outside = [h.address for h in world.all(OutsideHost) if h.address.version == 4]
    public = [e.public_ip for e in world.all(ElasticIp)] + [i.public_ip for i in interfaces if i.public_ip]
    private = [ip for i in interfaces for ip in i.private_ips]
    senders = [i for i in interfaces if i.kind not in APPLIANCES]
    machines = {i.vpc_id: [] for i in interfaces}
    for i in interfaces:
        if i.kind in APPLIANCES[1:]:
            machines[i.vpc_id].append(i.address)
    strangers = ["10.0.0.200", "10.0.2.99", "192.168.7.7", "8.8.8.8", "203.0.113.250", "100.64.0.1"]
    services = ["169.254.169.254", "169.254.169.253", "10.0.0.2", "10.0.0.1", "10.0.1.1", "10.1.0.2", "10.0.1.2"]
    private_of = {
        v: [ip for i in interfaces if i.vpc_id == v for ip in i.private_ips] for v in {i.vpc_id for i in interfaces}
    }
    beyond: dict[str, list[str]] = {}
    for peering in world.all(Peering):
        for one in (peering.requester, peering.accepter):
            beyond.setdefault(one.vpc_id, []).append(peering.beyond(one.vpc_id).vpc_id)
    probes: list[Probe] = []
    while len(probes) < n:
        options: dict[str, int | Ip] = {}
        if rnd.random() < 0.2:
            sender: At = rnd.choice(outside)
            pools, weights = [public or private, outside, private], [85, 5, 10]
        else:
            interface = rnd.choice(senders)
            sender = interface.id
            near = private_of[interface.vpc_id]
            unusual = list(map(IPv4Address, strangers + services))
            far = [ip for v in beyond.get(interface.vpc_id, ()) for ip in private_of.get(v, ())]
            served = machines[interface.vpc_id]
            stores = [S3_ADDRESS] * 4 + [S3_ADDRESS + 1]
            gates = [e for e in world.all(VpcEndpoint, type="Gateway") if e.vpc_id == interface.vpc_id]
            pools = [near, private, public or near, outside, unusual, far or near, served or near, stores]
            weights = [55, 10, 15, 14, 6, 40 if far else 0, 35 if served else 0, 15 if gates else 0]
            if rnd.random() < 0.06:  # a secondary address, or a forged one
                options["source"] = rnd.choice([*interface.private_ips, *near])
        destination = rnd.choice(rnd.choices(pools, weights)[0])
        if (
            isinstance(sender, str)
            and destination in world[Interface, sender].private_ips
            and not runs(world, sender)
        ):
            continue  # what nobody says to itself is not the network's affair
        protocol = rnd.choice([TCP, TCP, TCP, UDP, ICMP])
        options["source_port"] = 8 if protocol == ICMP else rnd.choice([40000, 40000, 1023])
        ports = (443, 443, 80, 22) if destination == S3_ADDRESS else PORTS
        probes.append(Probe(sender, destination, protocol, 0 if protocol == ICMP else rnd.choice(ports), options))
    return probes


def probes6(world: World, rnd: random.Random, n: int) -> list[Probe]:
    """Return random questions of version 6 about a world."""
    senders = sorted((i for i in world.all(Interface) if i.kind not in APPLIANCES), key=lambda i: i.id)
    speaking = [i for i in senders if i.ipv6_addresses]
    outside = [h.address for h in world.all(OutsideHost) if h.address.version == 6]
    everybody = [ip for i in speaking for ip in i.ipv6_addresses]
    strangers = ["2001:db8:1000:1::99", "2001:db8:1000:101::99", "2001:db8:9::9", "fd00::1", "fe80::9"]
    services = ["fd00:ec2::254", "fd00:ec2::253", "fd00:ec2::123"]
    unusual = list(map(IPv6Address, strangers + services))
    probes: list[Probe] = []
    while len(probes) < n:
        options: dict[str, int | Ip] = {}
        if rnd.random() < 0.2:
            sender: At = rnd.choice(outside)
            pools, weights = [everybody or unusual, outside, unusual], [85, 10, 5]
        else:
            interface = rnd.choice(speaking if speaking and rnd.random() < 0.95 else senders)
            sender = interface.id
            near = [ip for i in speaking if i.vpc_id == interface.vpc_id for ip in i.ipv6_addresses]
            pools, weights = [near or unusual, everybody or unusual, outside, unusual], [50, 30, 25, 6]
            if rnd.random() < 0.08 and interface.ipv6_addresses:  # a secondary address, or a forged one
                options["source"] = rnd.choice([*interface.ipv6_addresses, *near])
        destination = rnd.choice(rnd.choices(pools, weights)[0])
        if isinstance(sender, str) and destination in world[Interface, sender].ips and not runs(world, sender):
            continue
        protocol = rnd.choice([TCP, TCP, TCP, UDP, ICMPV6])
        options["source_port"] = 128 if protocol == ICMPV6 else rnd.choice([40000, 40000, 1023])
        probes.append(Probe(sender, destination, protocol, 0 if protocol == ICMPV6 else rnd.choice(PORTS), options))
    return probes
