"""Network ACLs: stateless, numbered, at the subnet's edge."""

from dataclasses import dataclass

from atoll.model.ip import Net
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class AclEntry:
    """One numbered rule.  The final deny (`*`, 32767) is not stored: it is always there."""

    number: int  # 1..32766; the lowest that matches decides
    egress: bool
    protocol: int  # IANA number, -1 for all
    allow: bool
    cidr: Net
    from_port: int = -1  # TCP and UDP; ICMP: type, -1 for any
    to_port: int = -1  # TCP and UDP; ICMP: code, -1 for any


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAcl(Resource):
    """A network ACL; the subnets that use it name it in `Subnet.acl_id`."""

    vpc_id: str
    is_default: bool = False
    entries: tuple[AclEntry, ...] = ()
