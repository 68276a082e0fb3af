"""VPC endpoints and the services they lead to (PrivateLink)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from atoll.model.resource import Resource

KIND = "vpc_endpoint"  # of their interfaces
STANDING = ("pending", "available")  # states in which an endpoint carries packets
OWN_SERVICES = ("ec2", "elasticache", "elasticloadbalancing", "sts")  # Atoll's own API, by AWS's names
GATEWAY_SERVICES = ("s3", "dynamodb")
S3_ADDRESS = IPv4Address("52.216.0.1")  # of the objects' store, in the prefix list of S3


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """An interface endpoint in one zone."""

    subnet_id: str
    zone: str
    interface_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcEndpoint(Resource):
    """An endpoint: of the consumer."""

    vpc_id: str
    type: str  # "Interface", "Gateway"
    service_name: str
    service_id: str | None = None  # an endpoint service of somebody's; None: AWS's own
    state: str
    created: datetime
    number: int = 0  # unique among the endpoints of its service: its address at the provider
    feet: tuple[Foot, ...] = ()
    group_ids: tuple[str, ...] = ()
    table_ids: tuple[str, ...] = ()  # route tables of a gateway endpoint
    private_dns: bool = False
    policy: str | None = None  # shown, not obeyed: there is no IAM here
    digits: str = ""  # eight of them, in its DNS names
    ended: datetime | None = None
    error: tuple[str, str] | None = None

    @property
    def stands(self) -> bool:
        """Tell whether it carries packets."""
        return self.state in STANDING

    @property
    def awaits(self) -> bool:
        """Tell whether something is to be seen in the kernel before it says so; an index field."""
        return self.state in ("pending", "deleting")

    @property
    def serves_objects(self) -> bool:
        """Tell whether it leads to the objects' store; behind the other gateway endpoint nobody is."""
        return self.type == "Gateway" and self.service_name.endswith(".s3")

    @property
    def dns_suffix(self) -> str:
        """What the names of all its zones end with."""
        if self.service_id:
            return f"{self.service_id}.{self.region}.vpce.amazonaws.com"
        return f"{self.service_name.rpartition('.')[2]}.{self.region}.vpce.amazonaws.com"

    @property
    def dns_names(self) -> Mapping[str, str | None]:
        """Its public names, with the zone that each is for (None: all)."""
        head = f"{self.id}-{self.digits}"
        return {
            f"{head}.{self.dns_suffix}": None,
            **{f"{head}-{foot.zone}.{self.dns_suffix}": foot.zone for foot in self.feet},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Leave for a principal to connect to a service."""

    id: str
    principal: str  # an ARN, or "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointService(Resource):
    """What a provider offers: balancers of his, to those whom he admits."""

    state: str = "Available"
    balancer_ids: tuple[str, ...]
    acceptance_required: bool = True
    admissions: tuple[Admission, ...] = ()
    private_dns_name: str | None = None
    created: datetime

    @property
    def service_name(self) -> str:
        """The name by which consumers ask for it."""
        return f"com.amazonaws.vpce.{self.region}.{self.id}"
