"""Network Load Balancers: where they stand, what they listen for, and whom they hand it to.

The id of each is its ARN.  A balancer has a *node* in each of its zones: an interface with an address of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address

from atoll.model.resource import Resource

KIND = "network_load_balancer"  # of its interfaces
ALL_ZONES = "all"  # of a target that is outside the VPC: every node may use it
USABLE = ("initial", "healthy", "unhealthy")  # states of a target that may get new flows; `draining` may not


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A balancer in one zone."""

    subnet_id: str
    zone: str
    interface_id: str
    allocation_id: str | None = None  # of an Elastic IP that the caller chose
    public_ip: IPv4Address | None = None  # that Elastic IP's


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer(Resource):
    """A Network Load Balancer."""

    name: str
    digits: str  # 16 hexadecimal ones, at the end of its ARN
    scheme: str  # "internal" or "internet-facing"
    vpc_id: str
    nodes: tuple[Node, ...]
    group_ids: tuple[str, ...] = ()  # none: it has no groups, and never will
    state: str = "provisioning"
    created: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)  # those that were set

    @property
    def awaits(self) -> bool:
        """Tell whether it is still to be seen in the kernel; an index field."""
        return self.state == "provisioning"

    @property
    def crosses_zones(self) -> bool:
        """Tell whether a node uses the targets of other zones, too."""
        return self.attributes.get("load_balancing.cross_zone.enabled") == "true"

    @property
    def dns_name(self) -> str:
        """The name under which clients know it."""
        return f"{self.name}-{self.digits}.elb.{self.region}.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the targets of a group are asked whether they are well."""

    protocol: str = "TCP"  # or "HTTP", "HTTPS"
    port: str = "traffic-port"  # or a number
    path: str = "/"  # of HTTP
    interval_seconds: int = 30
    timeout_seconds: int = 10
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200-399"  # of HTTP: the statuses that are well

    def admits(self, status: int) -> bool:
        """Tell whether an HTTP status is one of the matcher's: "200", "200-399", "200,301"."""
        for part in self.matcher.split(","):
            low, _, high = part.partition("-")
            if int(low) <= status <= int(high or low):
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place to which flows are handed.  What is seen of it is recorded by the health checks."""

    id: str  # an instance's, or an address
    port: int
    zone: str
    state: str = "initial"  # "healthy", "unhealthy", "draining"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"
    leaves: datetime | None = None  # of a draining one: when it is forgotten

    @property
    def key(self) -> tuple[str, int]:
        """What names it in its group."""
        return self.id, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup(Resource):
    """Targets for which one health check is enough."""

    name: str
    digits: str
    protocol: str  # "TCP", "UDP", "TCP_UDP"
    port: int
    vpc_id: str
    target_type: str  # "instance", "ip"
    health: HealthCheck
    targets: tuple[Target, ...] = ()
    created: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sticky(self) -> bool:
        """Tell whether all flows of one client go to one target."""
        return self.attributes.get("stickiness.enabled") == "true"

    @property
    def resets_unhealthy(self) -> bool:
        """Tell whether the flows of a target end when it becomes unhealthy."""
        return self.attributes.get("target_health_state.unhealthy.connection_termination.enabled", "true") == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener(Resource):
    """A port of a balancer, and the group that gets what comes to it."""

    balancer_id: str
    vpc_id: str
    protocol: str
    port: int
    group_id: str  # a target group's
    created: datetime

    @property
    def protocols(self) -> tuple[str, ...]:
        """Its protocols of layer 4."""
        return ("tcp", "udp") if self.protocol == "TCP_UDP" else (self.protocol.lower(),)
