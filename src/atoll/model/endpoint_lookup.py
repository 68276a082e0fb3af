"""Questions about endpoints and their services: what a name means, who may connect, where, and by which names."""

from collections.abc import Mapping
from dataclasses import dataclass

from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import GATEWAY_SERVICES, OWN_SERVICES, EndpointService, VpcEndpoint
from atoll.model.world import Caller, World
from atoll.model.zones import zones


@dataclass(frozen=True, slots=True)
class OwnService:
    """A service of AWS's own: Atoll's API, or one that gateway endpoints lead to."""

    name: str  # com.amazonaws.us-east-1.ec2
    type: str  # "Interface", "Gateway"
    region: str

    @property
    def private_name(self) -> str:
        """The name that clients use without an endpoint."""
        return f"{self.name.rpartition('.')[2]}.{self.region}.amazonaws.com"

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones it is in: all."""
        return tuple(zone.name for zone in zones(self.region))


def own_services(region: str) -> Mapping[str, OwnService]:
    """Return the services of AWS's own in a region, by name."""
    kinds = [(name, "Interface") for name in OWN_SERVICES] + [(name, "Gateway") for name in GATEWAY_SERVICES]
    found = (OwnService(f"com.amazonaws.{region}.{name}", type, region) for name, type in kinds)
    return {service.name: service for service in found}


def service_named(world: World, caller: Caller, name: str) -> EndpointService | None:
    """Return the endpoint service of a name, in the caller's region, if the caller may connect to it."""
    for service in world.seen_by(None).all(EndpointService):
        if service.service_name == name and service.region == caller.region and may_connect(service, caller):
            return service
    return None


def may_connect(service: EndpointService, caller: Caller) -> bool:
    """Tell whether somebody may ask for a service: its owner's account, and those whom the owner admitted."""
    if caller.account == service.account:
        return True
    mine = {"*", caller.account, f"arn:aws:iam::{caller.account}:root", caller.arn, _role_of(caller.arn)}
    return any(admission.principal in mine for admission in service.admissions)


def _role_of(arn: str) -> str:
    """Return the role of an assumed one: `arn:aws:sts::1:assumed-role/app/i-0a` -> `arn:aws:iam::1:role/app`."""
    head, slash, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if slash else arn


def zones_of(world: World, service: EndpointService) -> tuple[str, ...]:
    """Return the zones in which a service has a load balancer's node."""
    found = (world.seen_by(None).get(LoadBalancer, id) for id in service.balancer_ids)
    return tuple(sorted({node.zone for balancer in found if balancer for node in balancer.nodes}))


def private_names(world: World, endpoint: VpcEndpoint) -> tuple[str, ...]:
    """Return the names that an endpoint with private DNS takes over in its VPC."""
    if endpoint.service_id is None:
        own = own_services(endpoint.region).get(endpoint.service_name)
        return (own.private_name,) if own else ()
    service = world.seen_by(None).get(EndpointService, endpoint.service_id)
    return (service.private_dns_name,) if service and service.private_dns_name else ()
