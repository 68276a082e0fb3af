"""Mends of load balancers and endpoints: what lets a flow through that they refuse."""

from atoll.model.balancer import TargetGroup
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.world import World
from atoll.network.flow import Code, Step, protocol_name
from atoll.network.layers.load_balancer import listeners_of, owner_of

Advice = tuple[str, str | None]  # what it says, and the command


def at_balancer(world: World, step: Step) -> Advice:
    """Say what a balancer's refusal needs: a listener, a target, or leave to cross zones."""
    owner = owner_of(world, world[Interface, step.at])
    protocol, port = protocol_name(step.packet.protocol), step.packet.port
    if step.code is Code.ELB_NOT_CROSSZONE:
        command = (
            f"aws elbv2 modify-load-balancer-attributes --load-balancer-arn {owner.id} "
            "--attributes Key=load_balancing.cross_zone.enabled,Value=true"
        )
        return f"let {owner.name} use the targets of other zones", command
    if step.code is Code.ELBV2_LISTENERS_MISMATCH:
        return _listener(world, owner.id, owner.name, protocol, port)
    groups = [world[TargetGroup, one.group_id] for one in listeners_of(world, owner) if one.port == port]
    group = next(g for g in groups if protocol in g.protocol.lower())
    if step.code is Code.BAD_STATE:
        return f"start an instance that is a target of {group.name}, or register one that runs", None
    command = f"aws elbv2 register-targets --target-group-arn {group.id} --targets Id=TARGET,Port={group.port}"
    return f"register a target with {group.name}", command


def _listener(world: World, id: str, name: str, protocol: str, port: int) -> Advice:
    if protocol not in ("tcp", "udp"):
        return f"{name} carries TCP and UDP only, and answers nothing itself", None
    fitting = (g for g in world.all(TargetGroup) if protocol in g.protocol.lower() and g.port == port)
    group = next((g.id for g in fitting), "GROUP")
    command = (
        f"aws elbv2 create-listener --load-balancer-arn {id} --protocol {protocol.upper()} --port {port} "
        f"--default-actions Type=forward,TargetGroupArn={group}"
    )
    return f"have {name} listen for {protocol} {port}", command


def at_endpoint(world: World, step: Step) -> Advice:
    """Say what an endpoint needs that does not lead to its service (yet)."""
    endpoint = world[VpcEndpoint, step.at]
    service = world.get(EndpointService, endpoint.service_id or "")
    if service is not None and endpoint.state == "pendingAcceptance":
        command = (
            f"aws ec2 accept-vpc-endpoint-connections --service-id {service.id} --vpc-endpoint-ids {endpoint.id}"
        )
        return f"have the owner of {service.id} accept it", command
    if service is None:
        return f"its service has gone: delete {endpoint.id}", None
    return f"{endpoint.id} is {endpoint.state}: make another", None
