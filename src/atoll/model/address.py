"""Elastic IP addresses."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticIp(Resource):
    """A public address that an account keeps; associated with one private address of one interface, or with none."""

    public_ip: IPv4Address
    border_group: str
    association_id: str | None = None  # eipassoc-; None: not associated
    interface_id: str | None = None
    private_ip: IPv4Address | None = None
    instance_id: str | None = None
