"""What people call load balancers and endpoints, and which of their interfaces that is.

web (a balancer's name, or its ARN)   web-0123456789abcdef.elb.us-east-1.amazonaws.com   vpce-0a...
vpce-0a...-1b2c3d4e-us-east-1a.ec2.us-east-1.vpce.amazonaws.com
"""

from collections.abc import Iterator

from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.world import World


def named(world: World) -> Iterator[tuple[str, Interface, str]]:
    """Yield every name of the caller's balancers and endpoints, with an interface and what that is, for people."""
    for balancer in world.all(LoadBalancer):
        for node in balancer.nodes:
            interface, what = world[Interface, node.interface_id], f"{balancer.name} in {node.zone}"
            zonal = f"{node.zone}.{balancer.dns_name}".lower()
            for name in (balancer.name, balancer.id, balancer.dns_name.lower(), zonal):
                yield name, interface, what
    for endpoint in world.all(VpcEndpoint):
        for foot in endpoint.feet:
            interface, what = world[Interface, foot.interface_id], f"{endpoint.id} in {foot.zone}"
            yield endpoint.id, interface, what
            if title := endpoint.tags.get("Name"):
                yield title, interface, what
            for name, zone in endpoint.dns_names.items():
                if zone in (None, foot.zone):
                    yield name, interface, what
