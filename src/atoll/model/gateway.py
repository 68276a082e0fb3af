"""Internet gateways."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class InternetGateway(Resource):
    """The door between a VPC and the internet; attached to at most one VPC."""

    vpc_id: str | None = None
