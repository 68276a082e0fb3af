"""Route tables: the only router of a VPC."""

from dataclasses import dataclass

from atoll.model.ip import Net
from atoll.model.resource import Resource

LOCAL = "local"  # the target that means the VPC itself
LOCAL_ORIGIN = "CreateRouteTable"  # the origin of its routes, whatever their target is now


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where packets for a destination go.

    `target` is an id and says by its prefix what it is: `igw-`, `nat-`, `eni-`, `pcx-`, `vpce-`; `local` is the VPC.
    A route to an instance names the instance in `instance_id` and its primary interface in `target`.  Either a range
    or a prefix list is its destination; a list means each of its ranges.
    """

    destination: Net | None = None
    prefix_list_id: str | None = None
    target: str
    instance_id: str | None = None
    origin: str = "CreateRoute"  # or CreateRouteTable, EnableVgwRoutePropagation

    @property
    def towards(self) -> str:
        """The destination as people write it: no other route of its table has the same."""
        return str(self.destination or self.prefix_list_id)

    @property
    def is_local(self) -> bool:
        """Tell whether it is the route of a range of the VPC, perhaps with another target in the place of `local`."""
        return self.origin == LOCAL_ORIGIN


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
    def is_of_gateway(self) -> bool:
        """Tell whether a gateway routes by it what comes in."""
        return any(a.gateway_id for a in self.associations)

    @property
    def is_main(self) -> bool:
        """Tell whether subnets without a table of their own use this one."""
        return any(a.main for a in self.associations)
