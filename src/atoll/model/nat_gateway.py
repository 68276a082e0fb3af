"""NAT gateways: many private addresses behind few, one way only."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from atoll.model.resource import Resource

STANDING = ("pending", "available")  # states in which a gateway has its interface, and routes to it lead somewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class NatAddress:
    """An address that a gateway puts on: a private one and, of a public gateway, the Elastic IP in front of it."""

    private_ip: IPv4Address | None = None  # None: the gateway failed
    allocation_id: str | None = None
    public_ip: IPv4Address | None = None
    association_id: str | None = None
    status: str = "associating"  # AWS's Status: "assigning" of a private one; "succeeded" once it is in force

    @property
    def is_settled(self) -> bool:
        """Tell whether nobody waits for it any more."""
        return self.status in ("succeeded", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatGateway(Resource):
    """A NAT gateway.  `addresses[0]` is its primary one, the others are its secondary ones.

    What it is shown with outlives it: a deleted or failed gateway stays for an hour, without its interface.
    """

    vpc_id: str
    subnet_id: str
    zone: str
    connectivity: str = "public"  # or "private"
    state: str = "pending"
    created: datetime
    ended: datetime | None = None  # deleted or failed
    interface_id: str | None = None  # None: it failed
    addresses: tuple[NatAddress, ...] = ()
    failure: tuple[str, str] | None = None  # code and message; shown once the state is `failed`

    @property
    def stands(self) -> bool:
        """Tell whether its interface exists."""
        return self.interface_id is not None and self.state in STANDING

    @property
    def awaits(self) -> bool:
        """Tell whether something is to be seen in the kernel before it says so; an index field."""
        if self.state in ("pending", "deleting"):
            return True
        return self.state == "available" and not all(a.is_settled for a in self.addresses)
