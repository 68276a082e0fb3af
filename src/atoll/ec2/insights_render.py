"""What an Insights analysis says: the components of a traced way, and an explanation for each step that said no.

Of a way with obstacles all components are shown, as it would be without them, and the explanations stand with the
component that refuses.  Source: Reachability Analyzer guide, "Explanation codes"; the structures of the API's model.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from atoll.aws.operation import Shape
from atoll.ec2.insights_component import acl_rule, component, group_rule, header, nat_gateway_of, place, route
from atoll.ec2.insights_question import Found
from atoll.model.insight import InsightsPath
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import internet_gateway_of, primary_interface
from atoll.model.peering import Peering
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.flow import At, Code, Packet, Step

NO_PUBLIC_ADDRESS = "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS"
SILENT = ("sender", "source-check", "destination-check", "same-subnet", "internet")  # no components when they allow
GROUPS = {"egress-groups": "egress", "ingress-groups": "ingress"}
ACLS = {"acl-out": True, "acl-in": False}
ROUTES = ("route-table", "gateway-route-table")


def analysis(world: World, path: InsightsPath, found: Found | None) -> Shape:
    """Return the members of an analysis that depend on what was found."""
    world = world.seen_by(None)
    if found is None:
        return {"NetworkPathFound": False, "Explanations": [_nobody(world, path)]}
    steps, back = found.steps, found.back
    told: Shape = {"NetworkPathFound": found.arrives}
    start = None if found.flow.begins else found.trace.sender
    forward = _way(world, start, steps[0].packet, steps, begins=found.flow.begins)
    told["ForwardPathComponents"] = _numbered(forward)
    if found.trace.receiver is not None and back:
        returns = _way(world, found.trace.receiver, back[0].packet, back, begins=None)
        told["ReturnPathComponents"] = _numbered(returns)
    explanations = [explanation(world, step) for step in found.refusals]
    if found.flow.unreached is not None:
        explanations = [_no_public_address(world, found.flow.unreached)]
    elif not found.arrives and not explanations:
        explanations = [_another_way(world, found)]
    if explanations:
        told["Explanations"] = explanations
    return told


def _nobody(world: World, path: InsightsPath) -> Shape:
    """Say who is missing: a terminated instance, or anybody behind a component."""
    for id in (path.source, path.destination):
        instance = world.get(Instance, id) if id else None
        if instance is not None and primary_interface(world, instance.id) is None:
            state = {"Component": component(world, instance.id), "State": instance.state}
            return {"ExplanationCode": str(Code.BAD_STATE), **state}
    end = component(world, path.destination or path.source)
    return {"ExplanationCode": str(Code.NO_POSSIBLE_DESTINATION), "Component": end}


def _numbered(components: Iterator[Shape]) -> list[Shape]:
    return [{"SequenceNumber": number, **shape} for number, shape in enumerate(components, 1)]


def _way(
    world: World, start: At | None, packet: Packet, steps: Sequence[Step], *, begins: str | None
) -> Iterator[Shape]:
    """Yield the components of a way; `begins`: a gateway that is its first, though packets come from beyond it."""
    if isinstance(start, str) and (interface := world.get(Interface, start)) is not None:
        if interface.instance_id:
            yield {"Component": component(world, interface.instance_id), "OutboundHeader": header(packet)}
        yield place(world, interface)
    elif begins is not None and all(step.at != begins for step in steps):
        yield {"Component": component(world, begins), "InboundHeader": header(packet)}
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        changed = header(after.packet) if after is not None and after.packet != step.packet else None
        for shape in _components(world, step):
            comes = {"InboundHeader": header(packet)} if step.at == begins else {}
            yield shape | comes | ({"OutboundHeader": changed} if changed else {})


def _components(world: World, step: Step) -> Iterator[Shape]:
    refusals: Shape = {} if step.allowed else {"Explanations": [explanation(world, step)]}
    interface = world.get(Interface, step.at)
    if step.allowed and step.layer in SILENT:
        return
    if step.layer in GROUPS and interface is not None:
        group, rule = group_rule(world, interface, step.rule)
        if group is not None:
            yield {"Component": component(world, group), **({"SecurityGroupRule": rule} if rule else {}), **refusals}
    elif step.layer in ACLS:
        rule = acl_rule(world, step.at, step.rule, egress=ACLS[step.layer])
        yield {"AclRule": rule, "Component": component(world, step.at), **refusals}
    elif step.layer in ROUTES and step.at.startswith("rtb-"):
        found = route(world, step.at, step.rule, state="active" if step.allowed else "blackhole")
        shape = {"RouteTableRoute": found} if found else {}
        yield {"Component": component(world, step.at), **shape, **refusals}
    elif (peering := world.get(Peering, step.at)) is not None:
        ends = {"SourceVpc": peering.requester.vpc_id, "DestinationVpc": peering.accepter.vpc_id}
        vpcs = {name: component(world, id) for name, id in ends.items()}
        yield {"Component": component(world, step.at), **vpcs, **refusals}
    elif step.layer == "nat-gateway" and interface is not None:
        yield {"Component": component(world, nat_gateway_of(world, interface.id)), **refusals}
    elif interface is not None:
        yield place(world, interface) | refusals
        if step.layer == "delivery" and step.allowed and interface.instance_id:
            yield {"Component": component(world, interface.instance_id)}
    else:
        yield {"Component": component(world, step.at), **refusals}


def explanation(world: World, step: Step) -> Shape:
    """Return why a step said no."""
    shape: Shape = {"ExplanationCode": str(step.code)}
    more = _DETAILS.get(step.code) if step.code else None
    return shape | (more or _component)(world, step)


def _component(world: World, step: Step) -> Shape:
    shape: Shape = {"Component": component(world, step.at), "Address": str(step.packet.destination)}
    prefix = step.at.rpartition("-")[0]
    named = {"vpc": "Vpc", "nat": "NatGateway", "pcx": "VpcPeeringConnection", "igw": "InternetGateway"}
    if prefix in named:
        shape[named[prefix]] = component(world, step.at)
    return shape


def _in_place(world: World, step: Step) -> Shape:
    interface = world[Interface, step.at]
    shape = {key: value for key, value in place(world, interface).items() if key in ("Subnet", "Vpc")}
    return shape | {"NetworkInterface": component(world, interface.id)}


def _groups(world: World, step: Step) -> Shape:
    interface = world[Interface, step.at]
    egress = step.layer == "egress-groups"
    groups = [component(world, id) for id in interface.group_ids]
    shape: Shape = {"Direction": "egress" if egress else "ingress", "SecurityGroups": groups}
    if groups:
        shape["SecurityGroup"] = groups[0]
    port = {"Port": step.packet.port} if step.packet.port else {}
    peer = step.packet.destination if egress else step.packet.source
    return shape | {"Address": str(peer)} | port | _in_place(world, step)


def _acl(world: World, step: Step) -> Shape:
    egress = ACLS.get(step.layer, False)
    shape: Shape = {
        "Acl": component(world, step.at),
        "AclRule": acl_rule(world, step.at, step.rule, egress=egress),
        "Direction": "egress" if egress else "ingress",
    }
    near = step.packet.source if egress else step.packet.destination
    subnet = next((s for s in world.all(Subnet, acl_id=step.at) if near in s.cidr), None)
    if subnet is not None:
        shape |= {"Subnet": component(world, subnet.id), "Vpc": component(world, subnet.vpc_id)}
    return shape


def _table(world: World, step: Step) -> Shape:
    shape: Shape = {"RouteTable": component(world, step.at), "Address": str(step.packet.destination)}
    found = route(world, step.at, step.rule, state="blackhole")
    return shape | ({"RouteTableRoute": found} if found else {})


def _check(world: World, step: Step) -> Shape:
    return {"Direction": "egress" if step.layer == "source-check" else "ingress"} | _in_place(world, step)


def _state(world: World, step: Step) -> Shape:
    instance = world.get(Instance, step.at)
    return {"Component": component(world, step.at)} | ({"State": instance.state} if instance else {})


def _gateway(world: World, step: Step) -> Shape:
    leaves = step.layer == "internet-gateway-out"
    address = step.packet.destination if step.code is Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS else None
    return {
        "InternetGateway": component(world, step.at),
        "Direction": "egress" if leaves else "ingress",
        "Address": str(address or step.packet.source),
    }


_DETAILS: dict[Code, Callable[[World, Step], dict[str, Any]]] = {
    Code.ENI_SG_RULES_MISMATCH: _groups,
    Code.SG_HAS_NO_RULES: _groups,
    Code.SUBNET_ACL_RESTRICTION: _acl,
    Code.NO_ROUTE_TO_DESTINATION: _table,
    Code.BAD_STATE_ROUTE: _table,
    Code.ENI_SOURCE_DEST_CHECK_RESTRICTION: _check,
    Code.BAD_STATE: _state,
    Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS: _gateway,
    Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS: _gateway,
    Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS: _gateway,
}


def _no_public_address(world: World, interface_id: str) -> Shape:
    """Say that the internet knows no address of the destination."""
    interface = world[Interface, interface_id]
    gateway = internet_gateway_of(world, interface.vpc_id)
    shape: Shape = {"ExplanationCode": NO_PUBLIC_ADDRESS, "Direction": "ingress"}
    if gateway is not None:
        shape["InternetGateway"] = component(world, gateway.id)
    where = {"NetworkInterface": component(world, interface.id), "Vpc": component(world, interface.vpc_id)}
    return shape | where | {"Address": str(interface.address)}


def _another_way(world: World, found: Found) -> Shape:
    """Say that the flow arrives, but not through the component that was named."""
    wanted = found.flow.ends or found.flow.begins
    assert wanted, "only a component that must be passed can be missed"
    code = {"ExplanationCode": str(Code.NO_ROUTE_TO_DESTINATION)}
    return code | {"Destination" if found.flow.ends else "Component": component(world, wanted)}
