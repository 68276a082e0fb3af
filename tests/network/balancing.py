"""The dice for load balancers, endpoint services and endpoints of a random world, made when the rest is there."""

import random
from collections.abc import Sequence

from atoll.model.endpoint import EndpointService
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.prefix_list import managed
from atoll.model.route import Route, RouteTable
from atoll.model.vpc import Vpc
from tests.network.lab import Lab

ZONES = ("us-east-1a", "us-east-1b")
PORTS = (6379, 6380, 22)
STATES = ["healthy"] * 4 + ["initial", "unhealthy", "unhealthy", "draining"]


class Balancing:
    """Throws the dice."""

    def __init__(self, lab: Lab, rnd: random.Random) -> None:
        self.lab, self.rnd = lab, rnd

    def balance(self, vpcs: Sequence[str]) -> None:
        """Make balancers in some VPCs, and endpoints in some to those of any."""
        balanced = [vpc for vpc in vpcs if self.rnd.random() < 0.5]
        for vpc in balanced:
            self._balancer(vpc)
            if self.rnd.random() < 0.8:
                self.lab.service(vpc, f"{vpc}lb")
        for vpc in vpcs:
            offered = [f for f in balanced if self._is_offered(f)]
            if offered and self.rnd.random() < 0.7:
                state = self.rnd.choice(["available"] * 5 + ["pending", "pendingAcceptance", "rejected"])
                self._endpoint(f"{vpc}ep", self.rnd.choice(offered), vpc, state)
            if self.rnd.random() < 0.2:
                self._endpoint(f"{vpc}api", "ec2", vpc, "available")
            if self.rnd.random() < 0.35:
                self._gateway_endpoint(vpc)

    def _gateway_endpoint(self, vpc: str) -> None:
        """Make a gateway endpoint, with routes in some tables that have none to its service yet."""
        service, lab = self.rnd.choice(["s3", "s3", "dynamodb"]), self.lab
        tables = [t for t in lab.world.all(RouteTable, vpc_id=f"vpc-{vpc}") if not t.is_of_gateway]
        listed = next(p for p in managed(lab.world[Vpc, f"vpc-{vpc}"].region) if p.name.endswith(service))
        chosen = [t for t in tables if self.rnd.random() < 0.7 and listed.id not in {r.towards for r in t.routes}]
        endpoint = lab.gateway_endpoint(vpc, service, [t.id for t in chosen])
        for table in chosen:
            route = Route(prefix_list_id=listed.id, target=endpoint.id)
            lab.put(table, routes=(*table.routes, route))

    def _is_offered(self, vpc: str) -> bool:
        return any(s.id == f"vpce-svc-{vpc}" for s in self.lab.world.all(EndpointService))

    def _subnets(self, vpc: str) -> list[str]:
        """Return subnets of different zones: one or two."""
        return [f"{vpc}{self.rnd.choice([0, 2])}", f"{vpc}1"][:: self.rnd.choice([1, 1, 2])]

    def _groups(self, vpc: str) -> list[str]:
        names = sorted(g.name for g in self.lab.world.all(SecurityGroup, vpc_id=f"vpc-{vpc}") if g.name != vpc)
        return self.rnd.sample(names, self.rnd.choice([1, 2]))

    def _balancer(self, vpc: str) -> None:
        rnd, name, subnets = self.rnd, f"{vpc}lb", self._subnets(vpc)
        groups = self._groups(vpc) if rnd.random() < 0.5 else []
        self.lab.balancer(name, *subnets, groups=groups, cross_zone=rnd.random() < 0.5)
        for protocol, port in (("tcp", 6379), ("udp", 6379), ("tcp_udp", 22)):
            if rnd.random() < 0.7:
                self._targets(vpc, f"{name}-{protocol}", name, f"{protocol} {port}")

    def _targets(self, vpc: str, name: str, balancer: str, listens: str) -> None:
        rnd = self.rnd
        machines = [
            i for i in self.lab.world.all(Interface, vpc_id=f"vpc-{vpc}")
            if i.instance_id and self.lab.world[Instance, i.instance_id].state in ("running", "stopped")
        ]  # fmt: skip
        stopped = [i for i in machines if self.lab.world[Instance, i.instance_id].state == "stopped"]
        chosen = rnd.sample(machines, min(len(machines), rnd.choice([0, 1, 1, 2, 3])))
        if stopped and rnd.random() < 0.7:
            chosen = [i for i in chosen if i != stopped[0]] + stopped[:1]
        by_id, ports = rnd.random() < 0.4, PORTS[: rnd.choice([1, 3])]
        targets = [
            f"{i.instance_id if by_id else i.address}:{rnd.choice(ports)} {rnd.choice(STATES)}" for i in chosen
        ]
        self.lab.targets(name, balancer, listens, *targets, sticky=rnd.random() < 0.3)

    def _endpoint(self, name: str, service: str, vpc: str, state: str) -> None:
        self.lab.endpoint(name, service, *self._subnets(vpc), groups=self._groups(vpc), state=state)
