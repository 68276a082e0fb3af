"""Components of an Insights analysis: the resources that a packet passed, as AWS's structures show them."""

from atoll.aws.operation import Shape
from atoll.ec2.kinds import BY_PREFIX
from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import arn
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.model.resource import Resource
from atoll.model.route import Route, RouteTable
from atoll.model.world import World
from atoll.network.flow import ALL, TCP, UDP, Packet, protocol_name

TYPES = {"pcx": "vpc-peering-connection", "vpce": "vpc-endpoint"}  # the others: see `kinds`
LAST_RULE = 32767
TARGETS = {
    "igw": "GatewayId", "local": "GatewayId", "vpce": "GatewayId", "nat": "NatGatewayId", "eni": "NetworkInterfaceId",
    "pcx": "VpcPeeringConnectionId", "eigw": "EgressOnlyInternetGatewayId", "tgw": "TransitGatewayId",
}  # fmt: skip


def component(world: World, id: str) -> Shape:
    """Return a resource as a component; an address outside has no ARN."""
    prefix = id.rpartition("-")[0]
    noun = BY_PREFIX.get(prefix)
    kind = noun.type if noun else TYPES.get(prefix)
    found: Resource | None = world.get(noun.kind, id) if noun else world.get(Peering, id)
    shape: Shape = {"Id": id}
    if kind is not None and (found is not None or prefix in TYPES):
        account, region = _owner(found)
        shape["Arn"] = arn("ec2", region, account, f"{kind}/{id}")
    if found is not None and (name := found.tags.get("Name")):
        shape["Name"] = name
    return shape


def _owner(found: Resource | None) -> tuple[str, str]:
    if isinstance(found, Peering):
        return found.requester.owner
    return found.owner if found is not None else ("", "")


def header(packet: Packet) -> Shape:
    """Return the head of a packet."""
    shape: Shape = {
        "DestinationAddresses": [f"{packet.destination}/32"],
        "Protocol": str(packet.protocol),
        "SourceAddresses": [f"{packet.source}/32"],
    }
    if packet.protocol in (TCP, UDP):
        shape["DestinationPortRanges"] = [{"From": packet.port, "To": packet.port}]
        shape["SourcePortRanges"] = [{"From": packet.source_port, "To": packet.source_port}]
    return shape


def place(world: World, interface: Interface) -> Shape:
    """Return an interface with what it is attached to, and where it is."""
    shape: Shape = {"Component": component(world, interface.id)}
    if interface.instance_id:
        shape["AttachedTo"] = component(world, interface.instance_id)
    return shape | {"Subnet": component(world, interface.subnet_id), "Vpc": component(world, interface.vpc_id)}


def group_rule(world: World, interface: Interface, rule_id: str | None) -> tuple[str | None, Shape | None]:
    """Return the group that has a rule, and the rule; without a rule, the interface's first group."""
    for id in interface.group_ids:
        for rule in world[SecurityGroup, id].rules:
            if rule.id == rule_id:
                return id, _group_rule(rule)
    return (interface.group_ids[0] if interface.group_ids else None), None


def _group_rule(rule: Rule) -> Shape:
    shape: Shape = {"Direction": "egress" if rule.egress else "ingress"}
    shape["Protocol"] = "all" if rule.protocol == "-1" else rule.protocol
    if rule.cidr is not None:
        shape["Cidr"] = str(rule.cidr)
    if rule.group_id is not None:
        shape["SecurityGroupId"] = rule.group_id
    if rule.prefix_list_id is not None:
        shape["PrefixListId"] = rule.prefix_list_id
    if rule.from_port >= 0:
        shape["PortRange"] = {"From": rule.from_port, "To": rule.to_port}
    return shape


def acl_rule(world: World, acl_id: str, number: str | None, *, egress: bool) -> Shape:
    """Return the rule of an ACL that decided; without a number, the final deny."""
    entries = world[NetworkAcl, acl_id].entries
    entry = next((e for e in entries if e.egress is egress and str(e.number) == number), None)
    if entry is None:
        return {
            "Cidr": "0.0.0.0/0",
            "Egress": egress,
            "Protocol": "all",
            "RuleAction": "deny",
            "RuleNumber": LAST_RULE,
        }
    return _entry(entry)


def _entry(entry: AclEntry) -> Shape:
    shape: Shape = {
        "Cidr": str(entry.cidr),
        "Egress": entry.egress,
        "Protocol": "all" if entry.protocol == ALL else protocol_name(entry.protocol),
        "RuleAction": "allow" if entry.allow else "deny",
        "RuleNumber": entry.number,
    }
    if entry.protocol in (TCP, UDP) and entry.from_port >= 0:
        shape["PortRange"] = {"From": entry.from_port, "To": entry.to_port}
    return shape


def route(world: World, table_id: str, towards: str | None, *, state: str = "active") -> Shape | None:
    """Return the route that decided, by where it leads to."""
    found = next((r for r in world[RouteTable, table_id].routes if r.towards == towards), None)
    return None if found is None else _route(found, state)


def _route(found: Route, state: str) -> Shape:
    shape: Shape = {"Origin": found.origin, "State": state}
    shape["DestinationCidr" if found.destination else "DestinationPrefixListId"] = found.towards
    shape[TARGETS.get(found.target.rpartition("-")[0] or found.target, "GatewayId")] = found.target
    if found.instance_id:
        shape["InstanceId"] = found.instance_id
    return shape


def nat_gateway_of(world: World, interface_id: str) -> str:
    """Return the NAT gateway whose interface this is."""
    found = world.all(NatGateway, interface_id=interface_id)
    return next((gateway.id for gateway in found), interface_id)
