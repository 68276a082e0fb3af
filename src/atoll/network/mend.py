"""Mend a refusal: the AWS command that would let the packet through, for each step that said no.

The commands are suggestions for people: as narrow as the packet, in the order in which AWS's own troubleshooting
page goes through the causes (groups, ACLs, routes, the rest).
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import cast

from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.fault import dead
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import egress_only_gateway_of, internet_gateway_of, primary_interface
from atoll.model.peering import Peering
from atoll.model.route import RouteTable
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import ICMPV6, TCP, UDP, Code, Packet, Step, Trace, protocol_name
from atoll.network.layers.groups import fits
from atoll.network.layers.hop import NAT_GATEWAY, best_route, leave, owner
from atoll.network.layers.internet_gateway import is_private
from atoll.network.mend_balancer import at_balancer, at_endpoint
from atoll.network.mend_classic import authorizing
from atoll.network.mend_peering import accepting, creating, to_other_vpc, towards

NOBODY = {
    "same-subnet": "nobody has this address: ask for one that `atoll status` lists, or give it to an interface",
    "route-table": "nobody behind the route takes it: lead the route elsewhere, or ask for an address that is there",
    "peering": "nobody in the peer's VPC has this address: ask for one that is there",
    "nat-gateway": "send both ways of the flow through the same NAT gateway, from an address of its own VPC",
    "endpoint": "an endpoint carries what its consumer asks of the service, and the answers: ask by TCP or UDP, on a "
    "port that the service has, from the consumer's side",
    "gateway-endpoint": "a gateway endpoint leads to S3 only here: ask for a name of S3 (docs/endpoints.md)",
    "load-balancer": "let the answer take the way of the request: through the same node of the load balancer",
    "delivery": "let the answer take the way of the request: through the same machines, which translate it back",
}
# Refusals that no single call mends: what to do instead.
NO_COMMAND = {
    Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS: "a private address is not on the internet: lead its range to "
    "its VPC by a peering connection, with a more specific route",
    Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS: "who asks from the internet needs a public address: its network "
    "must translate its source",
    Code.NGW_REQUIRES_SOURCE_IN_VPC: "a NAT gateway serves its own VPC only: give the other VPC one of its own",
    Code.VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION: "a gateway endpoint serves its own VPC only: make "
    "one in the other VPC",
    Code.VPCE_GATEWAY_PROTOCOL_RESTRICTION: "a gateway endpoint carries HTTP and HTTPS only",
    Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR: "peering is not transitive: peer the two VPCs directly, and add routes",
}
# Where answers go to, for every client.  Source: VPC User Guide, "Ephemeral ports".
EPHEMERAL_PORTS = "From=1024,To=65535"
LAST_RULE = 32766


@dataclass(frozen=True, slots=True)
class Mend:
    """One thing to do about one refusal."""

    says: str
    command: str | None = None  # `None`: no command would help; `says` tells what would


def mend(world: World, trace: Trace) -> tuple[Mend, ...]:
    """Return what would let the flow through: one Mend for each refusal, in the order of AWS's checks."""
    return tuple(dict.fromkeys(m for _, mends in remedies(world, trace) for m in mends))


def remedies(world: World, trace: Trace) -> list[tuple[Step, tuple[Mend, ...]]]:
    """Return every refusal with what would mend it, in the order of AWS's checks.

    What lies on the flow's way is looked up whosever it is; what nobody sent a packet through only if it is shown to
    who asks.
    """
    shown, world = world, world.seen_by(None)
    found: list[tuple[Step, tuple[Mend, ...]]] = []
    for way in (trace.steps, trace.back):
        for index, step in enumerate(way):
            if not step.allowed:
                call = _Refusal(world, shown, trace, way[:index], step, answering=way is trace.back)
                found.append((step, tuple(_MENDS[step.code or Code.BAD_STATE](call))))
    return sorted(found, key=lambda pair: _rank(pair[0]))


def _rank(step: Step) -> int:
    """Order as AWS does.  Source: ElastiCache User Guide, "Troubleshooting connections"."""
    for rank, layer in enumerate(("groups", "acl", "route", "gateway", "check")):
        if layer in step.layer:
            return rank
    return 9


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A step that said no, and what went before it on its way."""

    world: World
    shown: World  # the same, as who asks sees it
    trace: Trace
    before: tuple[Step, ...]
    step: Step
    answering: bool

    @property
    def packet(self) -> Packet:
        """The packet as the step saw it."""
        return self.step.packet

    def sender(self) -> Interface | None:
        """Return the interface that put the packet on the wire last; `None`: it came from the internet."""
        for step in reversed(self.before):
            if step.layer == "internet":
                return None
            if step.layer in ("egress-groups", "nat-gateway", "load-balancer", "endpoint-answer"):
                return self.world[Interface, step.at]
        return None


def _group_rule(call: _Refusal) -> list[Mend]:
    """Open a group of the interface that refused, for the peer's group if it has one, else for its address."""
    interface, packet = call.world[Interface, call.step.at], call.packet
    egress = call.step.layer == "egress-groups"
    peer = packet.destination if egress else packet.source
    if not interface.group_ids:
        return [Mend(f"{interface.id} carries no security group")]
    member = owner(call.world, interface.vpc_id, peer)
    if egress and member and leave(call.world, interface, packet).target != member:
        member = None  # a middlebox is between: references do not match
    if not egress and member and call.sender() != member:
        member = None
    if found := authorizing(call.world, interface, member):
        return [Mend(*found)]
    group = member.group_ids[0] if member and member.group_ids else None
    verb = f"aws ec2 authorize-security-group-{'egress' if egress else 'ingress'} --group-id {interface.group_ids[0]}"
    whom = f"group {group}" if group else f"{peer}"
    says = f"let {interface.group_ids[0]} allow it {'to' if egress else 'from'} {whom}"
    if packet.protocol in (TCP, UDP):
        match = f"--protocol {protocol_name(packet.protocol)} --port {packet.port}"
        if group or peer.version == 4:
            return [Mend(says, f"{verb} {match} {f'--source-group {group}' if group else f'--cidr {peer}/32'}")]
        ports = f",FromPort={packet.port},ToPort={packet.port}"
    else:
        ports = f",FromPort={packet.source_port},ToPort=-1" if packet.is_icmp else ""
    whom = f"IpRanges=[{{CidrIp={peer}/32}}]" if peer.version == 4 else f"Ipv6Ranges=[{{CidrIpv6={peer}/128}}]"
    pair = f"UserIdGroupPairs=[{{GroupId={group}}}]" if group else whom
    permission = f"IpProtocol={protocol_name(packet.protocol)}{ports},{pair}"
    return [Mend(says, f"{verb} --ip-permissions '{permission}'")]


def _acl_entry(call: _Refusal) -> list[Mend]:
    """Add a rule before the one that denies."""
    acl, packet = call.world[NetworkAcl, call.step.at], call.packet
    egress = call.step.layer == "acl-out"
    peer = packet.destination if egress else packet.source
    mine = {e.number: e for e in acl.entries if e.egress is egress}
    matching = [n for n, e in mine.items() if peer in e.cidr and fits(e.protocol, e.from_port, e.to_port, packet)]
    number = _free_rule(set(mine), before=min(matching, default=None))
    if number is None:
        return [Mend(f"{acl.id} has no free number before rule {min(matching)}: renumber its rules")]
    match = f"--protocol {packet.protocol if packet.protocol == ICMPV6 else protocol_name(packet.protocol)}"
    if packet.protocol in (TCP, UDP):
        ports = EPHEMERAL_PORTS if call.answering else f"From={packet.port},To={packet.port}"
        match += f" --port-range {ports}"
    elif packet.is_icmp:
        match += f" --icmp-type-code Code=-1,Type={packet.source_port}"
    way = "egress" if egress else "ingress"
    command = (
        f"aws ec2 create-network-acl-entry --network-acl-id {acl.id} --{way} --rule-number {number} {match} "
        f"{'--cidr-block' if peer.version == 4 else '--ipv6-cidr-block'} {ip_network(peer)} --rule-action allow"
    )
    why = " (ACLs are stateless: answers need rules too)" if call.answering else ""
    return [Mend(f"let {acl.id} allow it {'to' if egress else 'from'} {peer}{why}", command)]


def _free_rule(taken: set[int], before: int | None) -> int | None:
    """Return a free rule number: the highest below `before`, or some room after all the others."""
    if before is None:
        after = max(taken, default=0) + 10
        if after <= LAST_RULE:
            return after
        before = LAST_RULE + 1
    return next((n for n in range(before - 1, 0, -1) if n not in taken), None)


def _route(call: _Refusal) -> list[Mend]:
    """Add a route to the internet gateway, if that is where the destination is."""
    if call.step.layer == "sender":
        return _ipv6_address(call.step.at)
    destination, table = call.packet.destination, call.world[RouteTable, call.step.at]
    if destination.version == 6 and (found := to_other_vpc(call.world, table, destination)):
        return [Mend(*found)]
    if is_private(destination):
        if found := to_other_vpc(call.world, table, destination):
            return [Mend(*found)]
        return [Mend(f"{destination} is in no range of {table.vpc_id}, and no other network is connected to it")]
    gateway = internet_gateway_of(call.world, table.vpc_id)
    everywhere = "0.0.0.0/0" if destination.version == 4 else "::/0"
    if gateway is None and destination.version == 6:
        egress_only = egress_only_gateway_of(call.world, table.vpc_id)
        if egress_only is not None and not call.answering:
            to = f"--egress-only-internet-gateway-id {egress_only.id}"
            return [Mend(f"route the internet of {table.id} to {egress_only.id}", creating(table, everywhere, to))]
    if gateway is None:
        return _attach_gateway(call, table.vpc_id)
    command = creating(table, everywhere, f"--gateway-id {gateway.id}")
    return [Mend(f"route the internet of {table.id} to {gateway.id}", command)]


def _ipv6_address(interface_id: str) -> list[Mend]:
    command = f"aws ec2 assign-ipv6-addresses --network-interface-id {interface_id} --ipv6-address-count 1"
    return [Mend(f"give {interface_id} an IPv6 address (its subnet needs an IPv6 range)", command)]


def _attach_gateway(call: _Refusal, vpc_id: str) -> list[Mend]:
    idle = cast("list[InternetGateway]", list(call.world.bucket(InternetGateway, "vpc_id", None).values()))
    mine = [g for g in idle if g.owner == call.world[Vpc, vpc_id].owner]
    says = f"{vpc_id} has no internet gateway: attach one, then add the route"
    if not mine:
        return [Mend(says, "aws ec2 create-internet-gateway")]
    return [Mend(says, f"aws ec2 attach-internet-gateway --internet-gateway-id {mine[0].id} --vpc-id {vpc_id}")]


def _blackhole(call: _Refusal) -> list[Mend]:
    """Bring the target of a route back, or take the route away."""
    table = call.world[RouteTable, call.step.at]
    route = best_route(call.world, table, call.packet.destination)
    assert route, "a blackhole is a route"
    peering = call.world.get(Peering, route.target)
    if peering is not None and peering.status == "pending-acceptance":
        return [Mend(*accepting(peering))]
    target = call.world.get(Interface, route.target)
    if target is not None and target.instance_id is not None:
        return _run_instance(call.world, target.instance_id)
    if target is not None:
        return _attach_interface(target)
    gateway = call.world.get(InternetGateway, route.target)
    if gateway is not None:
        command = f"aws ec2 attach-internet-gateway --internet-gateway-id {gateway.id} --vpc-id {table.vpc_id}"
        return [Mend(f"attach {gateway.id} to {table.vpc_id}", command)]
    command = f"aws ec2 delete-route --route-table-id {table.id} {towards(route.destination, route.prefix_list_id)}"
    return [Mend(f"{route.target} has gone: take its route away", command)]


def _public_address(call: _Refusal) -> list[Mend]:
    """Give the source a public address, or let the machine that forwarded it translate the source."""
    sender, packet = call.sender(), call.packet
    assert sender, "a packet to a gateway comes from an interface"
    if packet.version == 6:
        return [Mend(f"send from an address of the VPC's own: nobody in it has {packet.source}")]
    if packet.source not in sender.private_ips and sender.instance_id is not None:
        says = f"in {sender.instance_id}: translate the source (a trace cannot see whether it does already)"
        return [Mend(says, "sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")]
    if sender.kind == NAT_GATEWAY:
        says = "its NAT gateway is private: make a public one, and lead the route there"
        allocation = _free_address(call, sender)
        command = f"aws ec2 create-nat-gateway --subnet-id {sender.subnet_id} --allocation-id {allocation}"
        return [Mend(says, command)]
    if sender.requester_managed or sender.instance_id is None:
        return [Mend(f"{sender.id} belongs to a service: it gets no public address; send through a NAT device")]
    to = f"--network-interface-id {sender.id}"
    if packet.source != sender.address:
        to += f" --private-ip-address {packet.source}"
    command = f"aws ec2 associate-address --allocation-id {_free_address(call, sender)} {to}"
    return [Mend(f"give {packet.source} a public address", command)]


def _public_middlebox(call: _Refusal) -> list[Mend]:
    """Give the middlebox that a gateway's table leads to a public address."""
    box = call.world[Interface, call.step.at]
    command = f"aws ec2 associate-address --allocation-id {_free_address(call, box)} --network-interface-id {box.id}"
    return [Mend(f"give {box.id} a public address", command)]


def _free_address(call: _Refusal, sender: Interface) -> str:
    """Return an Elastic IP of the sender's owner that leads nowhere, or the command that allocates one."""
    free = cast("list[ElasticIp]", list(call.world.bucket(ElasticIp, "interface_id", None).values()))
    mine = next((e for e in free if e.owner == sender.owner), None)
    return mine.id if mine else "$(aws ec2 allocate-address --query AllocationId --output text)"


def _no_check(call: _Refusal) -> list[Mend]:
    """Turn the source/destination check off."""
    interface = call.world[Interface, call.step.at]
    says = f"let {interface.id} send and take what is not its own"
    first = primary_interface(call.world, interface.instance_id) if interface.instance_id else None
    if first == interface:
        command = f"aws ec2 modify-instance-attribute --instance-id {interface.instance_id} --no-source-dest-check"
    else:
        command = (
            f"aws ec2 modify-network-interface-attribute --network-interface-id {interface.id} --no-source-dest-check"
        )
    return [Mend(says, command)]


def _start(call: _Refusal) -> list[Mend]:
    if call.step.layer == "load-balancer":
        return [Mend(*at_balancer(call.world, call.step))]
    if call.step.layer == "endpoint":
        return [Mend(*at_endpoint(call.world, call.step))]
    return _run_instance(call.world, call.step.at)


def _run_instance(world: World, id: str) -> list[Mend]:
    instance = world[Instance, id]
    if instance.state == "stopped":
        return [Mend(f"start {id}", f"aws ec2 start-instances --instance-ids {id}")]
    return [Mend(f"{id} is {instance.state}: it does not come back")]


def _attach(call: _Refusal) -> list[Mend]:
    return _attach_interface(call.world[Interface, call.step.at])


def _attach_interface(interface: Interface) -> list[Mend]:
    command = (
        f"aws ec2 attach-network-interface --network-interface-id {interface.id} --instance-id INSTANCE "
        "--device-index 1"
    )
    return [Mend(f"attach {interface.id} to an instance", command)]


def _destination(call: _Refusal) -> list[Mend]:
    """Say what a destination that nobody has would need."""
    step, destination = call.step, call.packet.destination
    if destination.version == 6 and step.layer in ("route-table", "gateway-route-table", "delivery"):
        interface = call.world.get(Interface, step.at)
        if interface is not None and not interface.ipv6_addresses:
            return _ipv6_address(interface.id)
    if step.layer == "egress-only-gateway-in":
        vpc_id = call.world[EgressOnlyGateway, step.at].vpc_id
        return _attach_gateway(call, vpc_id)
    if step.layer == "vpc-services":
        return [Mend("turn the resolver on", f"aws ec2 modify-vpc-attribute --vpc-id {step.at} --enable-dns-support")]
    if step.layer == "nat-gateway" and not call.answering:
        return [Mend("a NAT gateway forwards no port: lead a public address to the machine, or use a NAT instance")]
    if step.layer == "internet" and is_private(destination):
        says = "ask from an instance of its VPC, or forward through a NAT instance that has an Elastic IP"
        return [Mend(says)]
    if step.layer == "internet":
        return _without_gateway(call, destination) or _unassociated(call.shown, destination)
    return [Mend(NOBODY.get(step.layer, NOBODY["delivery"]))]


def _without_gateway(call: _Refusal, public: Ip) -> list[Mend]:
    """Attach a gateway, if a machine of who asks has the public address and only its VPC has none."""
    eips = (cast(ElasticIp, eip) for eip in call.world.bucket(ElasticIp, "public_ip", public).values())
    held = [call.world[Interface, eip.interface_id] for eip in eips if eip.interface_id is not None]
    held += [cast(Interface, i) for i in call.world.bucket(Interface, "public_ip", public).values()]
    mine = [i for i in held if call.shown.get(Interface, i.id)]
    closed = [i.vpc_id for i in mine if internet_gateway_of(call.world, i.vpc_id) is None]
    return _attach_gateway(call, closed[0]) if closed else []


def _unassociated(world: World, public: Ip) -> list[Mend]:
    if public.version == 6:
        return [Mend(f"{public} is no address of a VPC with a gateway, and no outside host has it")]
    for eip in world.all(ElasticIp, public_ip=public):
        command = f"aws ec2 associate-address --allocation-id {eip.id} --instance-id INSTANCE"
        return [Mend(f"associate {public} with an instance", command)]
    return [Mend(f"{public} is no public address of a VPC with a gateway, and no outside host has it")]


def _balancer(call: _Refusal) -> list[Mend]:
    return [Mend(*at_balancer(call.world, call.step))]


def _revert(call: _Refusal) -> list[Mend]:
    at = call.world.get(Interface, call.step.at)  # a NAT gateway's; else it is the fault itself
    fault = dead(call.world, at) if at else None
    return [Mend("end the fault that somebody made", f"atoll chaos revert {fault.id if fault else call.step.at}")]


def _only_said(call: _Refusal) -> list[Mend]:
    return [Mend(NO_COMMAND[call.step.code or Code.BAD_STATE])]


_MENDS: dict[Code, Callable[[_Refusal], list[Mend]]] = {
    Code.ENI_SG_RULES_MISMATCH: _group_rule,
    Code.SG_HAS_NO_RULES: _group_rule,
    Code.SUBNET_ACL_RESTRICTION: _acl_entry,
    Code.NO_ROUTE_TO_DESTINATION: _route,
    Code.BAD_STATE_ROUTE: _blackhole,
    Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS: _public_address,
    Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS: _public_middlebox,
    Code.ENI_SOURCE_DEST_CHECK_RESTRICTION: _no_check,
    Code.BAD_STATE: _start,
    Code.BAD_STATE_ATTACHMENT: _attach,
    Code.ELB_NOT_CROSSZONE: _balancer,
    Code.ELBV2_LISTENERS_MISMATCH: _balancer,
    Code.ELBV2_LISTENER_HAS_NO_TG: _balancer,
    Code.NO_POSSIBLE_DESTINATION: _destination,
    Code.ATOLL_FAULT: _revert,
    **dict.fromkeys(NO_COMMAND, _only_said),
}
