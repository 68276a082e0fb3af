"""Network interfaces: where groups are enforced and addresses live."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from atoll.model.ip import Ip
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What an interface is plugged into.

    An instance has `instance_id`.  A service's interface has only `instance_owner` ("amazon-elasticache").
    """

    id: str  # eni-attach-, or ela-attach- for a service
    instance_owner: str
    time: datetime
    instance_id: str | None = None
    device_index: int = 0
    status: str = "attached"
    delete_on_termination: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """After how many seconds of silence a tracked flow is forgotten; `None`: after AWS's default."""

    tcp_established: int | None = None
    udp_stream: int | None = None
    udp: int | None = None


AWS_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface(Resource):
    """A network interface.  `private_ips[0]` is its primary address."""

    vpc_id: str
    subnet_id: str
    zone: str
    number: int  # 1..0x3fff, unique in the VPC: names the interface in packet marks
    mac: str
    private_ips: tuple[IPv4Address, ...]
    ipv6_addresses: tuple[IPv6Address, ...] = ()  # the first is the primary one
    group_ids: tuple[str, ...] = ()
    source_dest_check: bool = True
    description: str = ""
    kind: str = "interface"  # AWS's InterfaceType
    created: datetime | None = None
    attachment: Attachment | None = None
    requester_id: str | None = None
    requester_managed: bool = False
    host: str | None = None  # where a cache node stands (`hardware`); an instance says it itself.  An index field
    timeouts: Timeouts = AWS_TIMEOUTS
    public_ip: IPv4Address | None = None  # an automatic one; an Elastic IP takes precedence over it

    @property
    def address(self) -> IPv4Address:
        """The primary private address."""
        return self.private_ips[0]

    @property
    def ipv6_address(self) -> IPv6Address | None:
        """The first IPv6 address, if any; an index field."""
        return self.ipv6_addresses[0] if self.ipv6_addresses else None

    @property
    def ips(self) -> tuple[Ip, ...]:
        """All addresses that are its own inside the VPC, of both versions."""
        return (*self.private_ips, *self.ipv6_addresses) if self.ipv6_addresses else self.private_ips

    @property
    def instance_id(self) -> str | None:
        """The instance it is attached to, if any; an index field."""
        return self.attachment.instance_id if self.attachment else None

    @property
    def status(self) -> str:
        """AWS's Status: in-use while attached, else available."""
        return "in-use" if self.attachment else "available"
