"""Network interfaces, whoever has them; the public addresses on them, and the gateways and endpoints made of them.

What AWS puts into a VPC and Atoll has not (a database, a function, a balancer) is there as its interface: at its
address, with its groups, so that a packet to it is judged as on AWS.  Nobody answers behind it.
"""

import re
from dataclasses import replace
from ipaddress import IPv4Address

from atoll.model.address import ElasticIp
from atoll.model.endpoint import GATEWAY_SERVICES, KIND, OWN_SERVICES, Foot, VpcEndpoint
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Attachment, Interface, Timeouts
from atoll.model.names import digest, mac_address
from atoll.model.nat_gateway import NatAddress, NatGateway
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.twin.draft import Draft
from atoll.twin.row import Row

NAT = "nat_gateway"
INTERFACES_MAX = 0x3FFF  # in a VPC: their numbers are marks in the kernel
_CACHE = "amazon-elasticache"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_DIGITS = re.compile(r"^vpce-[0-9a-f]+-([0-9a-z]{8})[.-]")


def interfaces(draft: Draft) -> None:
    """Rebuild interfaces at their own addresses."""
    ours = _of_gateways(draft) | _of_endpoints(draft)
    taken: dict[tuple[str, str], str] = {}
    for row in draft.recording.rows("describe-network-interfaces"):
        made = _interface(draft, row, ours)
        for ip in made.private_ips:
            if other := taken.get((made.subnet_id, str(ip))):
                raise row.wrong("PrivateIpAddress", f"{other} has {ip}, too")
            taken[made.subnet_id, str(ip)] = made.id


def _interface(draft: Draft, row: Row, ours: dict[str, str]) -> Interface:
    id = row.id("NetworkInterfaceId", "eni")
    subnet = draft.need(row, "SubnetId", Subnet, row.id("SubnetId", "subnet"))
    members = [*row.rows("PrivateIpAddresses")]
    first = row.ip4("PrivateIpAddress")
    ips = [first, *(ip for one in members if (ip := one.ip4("PrivateIpAddress")) != first)]
    for ip in ips:
        if ip not in subnet.cidr:
            raise row.wrong("PrivateIpAddress", f"{ip} is not in {subnet.cidr} of {subnet.id}")
    groups = tuple(
        draft.need(one, "GroupId", SecurityGroup, one.id("GroupId", "sg")).id for one in row.rows("Groups")
    )
    number = draft.number(Interface, subnet.vpc_id)
    if number > INTERFACES_MAX:
        raise row.wrong("VpcId", f"{subnet.vpc_id} has more than {INTERFACES_MAX} interfaces")
    mac = row.text("MacAddress", "").lower()
    attachment = _attachment(draft, row, id)
    tracking = row.row("ConnectionTrackingConfiguration")
    seconds = {name: tracking.number(member, 0) or None for name, member in _TIMEOUTS.items()}
    made = draft.make(
        row, Interface, id, vpc_id=subnet.vpc_id, subnet_id=subnet.id, zone=subnet.zone, number=number,
        mac=mac if _MAC.fullmatch(mac) else mac_address(f"{subnet.id}/{first}"),
        private_ips=tuple(dict.fromkeys(ips)),
        ipv6_addresses=tuple(one.ip6("Ipv6Address") for one in row.rows("Ipv6Addresses")), group_ids=groups,
        source_dest_check=row.flag("SourceDestCheck", default=True), description=row.text("Description", ""),
        kind=ours.get(id, "interface"), created=draft.now, attachment=attachment,
        requester_id=row.maybe("RequesterId"), requester_managed=row.flag("RequesterManaged"),
        timeouts=Timeouts(**seconds), public_ip=_automatic(row), tags=row.tags("TagSet"),
        host=draft.host(subnet.zone) if attachment and attachment.instance_owner == _CACHE else None,
    )  # fmt: skip
    _tell(draft, row, made)
    return made


_TIMEOUTS = {
    "tcp_established": "TcpEstablishedTimeout", "udp_stream": "UdpStreamTimeout", "udp": "UdpTimeout",
}  # fmt: skip


def _attachment(draft: Draft, row: Row, id: str) -> Attachment | None:
    at = row.row("Attachment")
    if not at.values or at.text("Status", "attached") not in ("attached", "attaching"):
        return None
    instance = at.maybe_id("InstanceId", "i")
    if instance and draft.get(Instance, instance) is None:
        draft.note("approximated", id, f"{instance}, to which it is attached, does not run: nothing answers there")
        instance = None
    return Attachment(
        id=at.text("AttachmentId", draft.new_id("eni-attach", id)), instance_id=instance,
        instance_owner=at.text("InstanceOwnerId", draft.account), time=at.time("AttachTime", draft.now),
        device_index=at.number("DeviceIndex", 0), delete_on_termination=at.flag("DeleteOnTermination"),
    )  # fmt: skip


def _automatic(row: Row) -> IPv4Address | None:
    """Return an automatic public address: one that is nobody's Elastic IP."""
    at = row.row("Association")
    return at.maybe_ip4("PublicIp") if at.values and not at.has("AllocationId") else None


def _tell(draft: Draft, row: Row, made: Interface) -> None:
    """Say what stands in for a service that Atoll has not."""
    plug = made.attachment
    if plug is None or plug.instance_id or made.kind != "interface" or plug.instance_owner == _CACHE:
        return
    what = made.description[:120] or row.text("InterfaceType", "interface")
    draft.note("stand-in", made.id, f"{what} ({made.address}): its interface with its groups; nobody answers there")


def _of_gateways(draft: Draft) -> dict[str, str]:
    return {
        address.id("NetworkInterfaceId", "eni"): NAT
        for row in draft.recording.rows("describe-nat-gateways")
        if row.text("State", "") == "available" and row.has("SubnetId")
        for address in row.rows("NatGatewayAddresses")
        if address.has("NetworkInterfaceId")
    }


def _of_endpoints(draft: Draft) -> dict[str, str]:
    return {
        id: KIND
        for row in draft.recording.rows("describe-vpc-endpoints")
        if _is_served(draft, row)
        for id in row.texts("NetworkInterfaceIds")
    }


def _is_served(draft: Draft, row: Row) -> bool:
    """Tell whether Atoll has the service that an endpoint leads to."""
    services = {"Interface": OWN_SERVICES, "Gateway": GATEWAY_SERVICES}.get(row.text("VpcEndpointType", ""), ())
    names = {f"com.amazonaws.{draft.region}.{name}" for name in services}
    return row.text("ServiceName", "") in names and row.text("State", "").lower() == "available"


def addresses(draft: Draft) -> None:
    """Rebuild Elastic IPs at their own public addresses: they exist in the simulated internet only."""
    for row in draft.recording.rows("describe-addresses"):
        if not row.has("AllocationId"):
            draft.note("left out", row.text("PublicIp"), "an Elastic IP of EC2-Classic, which is gone")
            continue
        at, private = row.maybe_id("NetworkInterfaceId", "eni"), row.maybe_ip4("PrivateIpAddress")
        interface = draft.need(row, "NetworkInterfaceId", Interface, at) if at else None
        if interface and private not in interface.private_ips:
            raise row.wrong("PrivateIpAddress", f"{private} is no address of {at}")
        draft.make(
            row, ElasticIp, row.id("AllocationId", "eipalloc"), public_ip=_public(row),
            border_group=row.text("NetworkBorderGroup", draft.region), interface_id=at, private_ip=private,
            association_id=row.text("AssociationId") if at else None, tags=row.tags(),
            instance_id=interface.instance_id if interface else None,
        )  # fmt: skip
    held = {eip.public_ip for eip in draft.all(ElasticIp)}
    for interface in list(draft.all(Interface)):
        if interface.public_ip in held:  # of an Elastic IP, said without its allocation
            draft.put(interface.but(public_ip=None))


def _public(row: Row) -> IPv4Address:
    found = row.ip4("PublicIp")
    if found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local:
        raise row.wrong("PublicIp", f"{found} is no public address")
    return found


def nat_gateways(draft: Draft) -> None:
    """Rebuild NAT gateways that are available; others carry nothing."""
    for row in draft.recording.rows("describe-nat-gateways"):
        id, state = row.id("NatGatewayId", "nat"), row.text("State", "")
        if state in ("deleted", "deleting"):
            continue
        if state != "available" or not row.has("SubnetId"):
            why = f"it is {state}" if state != "available" else "a regional NAT gateway, which Atoll has not"
            draft.note("left out", id, f"{why}: routes to it lead nowhere")
            continue
        subnet = draft.need(row, "SubnetId", Subnet, row.id("SubnetId", "subnet"))
        found = sorted(row.rows("NatGatewayAddresses"), key=lambda one: not one.flag("IsPrimary", default=True))
        if not found:
            raise row.wrong("NatGatewayAddresses", "it is available, and has no address")
        at = found[0].id("NetworkInterfaceId", "eni")
        interface = draft.need(found[0], "NetworkInterfaceId", Interface, at)
        draft.put(interface.but(source_dest_check=False))
        draft.make(
            row, NatGateway, id, vpc_id=subnet.vpc_id, subnet_id=subnet.id, zone=subnet.zone, state="available",
            connectivity=row.text("ConnectivityType", "public"), created=row.time("CreateTime", draft.now),
            interface_id=at, addresses=tuple(_address(draft, one, interface) for one in found), tags=row.tags(),
        )  # fmt: skip


def _address(draft: Draft, row: Row, interface: Interface) -> NatAddress:
    allocation, private = row.maybe_id("AllocationId", "eipalloc"), row.ip4("PrivateIp")
    eip = draft.need(row, "AllocationId", ElasticIp, allocation) if allocation else None
    if private not in interface.private_ips:
        raise row.wrong("PrivateIp", f"{private} is no address of {interface.id}")
    if eip and eip.interface_id != interface.id:
        eip = draft.put(replace(eip, interface_id=interface.id, private_ip=private))
    if eip and not eip.association_id:
        eip = draft.put(replace(eip, association_id=row.text("AssociationId", draft.new_id("eipassoc", eip.id))))
    return NatAddress(
        private_ip=private, allocation_id=allocation, public_ip=eip.public_ip if eip else None,
        association_id=eip.association_id if eip else None, status="succeeded",
    )  # fmt: skip


def endpoints(draft: Draft) -> None:
    """Rebuild endpoints of the services that Atoll has; of others the interfaces are there."""
    for row in draft.recording.rows("describe-vpc-endpoints"):
        id, service = row.id("VpcEndpointId", "vpce"), row.text("ServiceName")
        if not _is_served(draft, row):
            what = f"an endpoint of {service[:80]}, {row.text('State', '')}"
            draft.note("left out", id, f"{what}: its interfaces are there with their groups; nobody answers")
            continue
        vpc = draft.need(row, "VpcId", Vpc, row.id("VpcId", "vpc"))
        feet = [
            draft.need(row, "NetworkInterfaceIds", Interface, row.checked_id("NetworkInterfaceIds", eni, "eni"))
            for eni in row.texts("NetworkInterfaceIds")
        ]
        tables = tuple(
            draft.need(row, "RouteTableIds", RouteTable, row.checked_id("RouteTableIds", one, "rtb")).id
            for one in row.texts("RouteTableIds")
        )
        groups = tuple(
            draft.need(one, "GroupId", SecurityGroup, one.id("GroupId", "sg")).id for one in row.rows("Groups")
        )
        names = [one.text("DnsName", "") for one in row.rows("DnsEntries")]
        digits = next((found[1] for name in names if (found := _DIGITS.match(name))), digest(id, 8))
        draft.make(
            row, VpcEndpoint, id, vpc_id=vpc.id, type=row.text("VpcEndpointType"), service_name=service,
            state="available", created=row.time("CreationTimestamp", draft.now), group_ids=groups, table_ids=tables,
            feet=tuple(Foot(subnet_id=one.subnet_id, zone=one.zone, interface_id=one.id) for one in feet),
            private_dns=row.flag("PrivateDnsEnabled"), policy=row.maybe("PolicyDocument"), digits=digits,
            tags=row.tags(),
        )  # fmt: skip


def balancers(draft: Draft) -> None:
    """Tell of load balancers: their nodes are interfaces without anybody behind them."""
    for row in draft.recording.rows("describe-load-balancers"):
        why = (
            f"a load balancer ({row.text('DNSName', '')[:120]}): its interfaces are stand-ins, its targets not known"
        )
        draft.note("left out", row.text("LoadBalancerName", row.text("LoadBalancerArn", "?"))[:120], why)
