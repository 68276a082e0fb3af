"""Route tables: the only router of a VPC."""

from dataclasses import dataclass

from atoll.model.ip import Net
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where packets for a destination go.

    `target` is an id and says by its prefix what it is: `igw-`, `nat-`, `eni-`, `pcx-`, `vpce-`; `local` is the VPC.
    A route to an instance names the instance in `instance_id` and its primary interface in `target`.
    """

    destination: Net
    target: str
    instance_id: str | None = None
    origin: str = "CreateRoute"  # or CreateRouteTable, EnableVgwRoutePropagation


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAssociation:
    """Who uses a route table: a subnet, a gateway, or (main) every subnet of the VPC without one of its own."""

    id: str  # rtbassoc-
    main: bool = False
    subnet_id: str | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable(Resource):
    """A route table; the `local` routes are in `routes`, first."""

    vpc_id: str
    routes: tuple[Route, ...]
    associations: tuple[RouteAssociation, ...] = ()

    @property
    def is_main(self) -> bool:
        """Tell whether subnets without a table of their own use this one."""
        return any(a.main for a in self.associations)
