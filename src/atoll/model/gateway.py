"""Internet gateways, and those for IPv6 that let nothing in but answers."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class InternetGateway(Resource):
    """The door between a VPC and the internet; attached to at most one VPC."""

    vpc_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressOnlyGateway(Resource):
    """A door for IPv6 that opens from inside only; attached to its VPC as long as it is there."""

    vpc_id: str
