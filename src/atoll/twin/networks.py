"""VPCs, their subnets, the gateways at their edge, and the rules between subnets."""

from dataclasses import replace
from ipaddress import IPv4Network

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.digits import is_number
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.ip import Association6, lies_in
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, DhcpOptions, Vpc
from atoll.model.zones import zone, zones
from atoll.twin.commands import ATTRIBUTES
from atoll.twin.draft import Draft
from atoll.twin.row import BadRecording, Row

_SUBNETS_MAX = 0x3FDF  # in a VPC: their numbers are marks in the kernel
_LAST_NUMBER = 32766  # the final denies are always there
_TCP, _UDP, _ICMP, _ICMPV6 = 6, 17, 1, 58


def dhcp_options(draft: Draft) -> None:
    """Rebuild sets of DHCP options."""
    for row in draft.recording.rows("describe-dhcp-options"):
        options = tuple(
            (one.text("Key"), tuple(value.text("Value", "") for value in one.rows("Values")))
            for one in row.rows("DhcpConfigurations")
        )
        draft.make(row, DhcpOptions, row.id("DhcpOptionsId", "dopt"), options=options, tags=row.tags())


def vpcs(draft: Draft) -> None:
    """Rebuild VPCs with what was told of their attributes."""
    attributes: dict[str, dict[str, bool]] = {}
    for row in draft.recording.rows("describe-vpc-attribute"):
        said = {name: row.row(name).flag("Value") for name in ATTRIBUTES if row.has(name)}
        attributes.setdefault(row.id("VpcId", "vpc"), {}).update(said)
    for row in draft.recording.rows("describe-vpcs"):
        vpc = _vpc(draft, row, attributes)
        if vpc.id not in attributes:
            why = "describe-vpc-attribute was not recorded: DNS support is taken to be on, and host names "
            draft.note("approximated", vpc.id, why + ("on" if vpc.dns_hostnames else "off"))


def _vpc(draft: Draft, row: Row, attributes: dict[str, dict[str, bool]]) -> Vpc:
    id, primary = row.id("VpcId", "vpc"), row.net4("CidrBlock")
    said, is_default = attributes.get(id, {}), row.flag("IsDefault")
    ranges = [
        CidrAssociation(id=one.id("AssociationId", "vpc-cidr-assoc"), cidr=one.net4("CidrBlock"))
        for one in row.rows("CidrBlockAssociationSet")
        if one.row("CidrBlockState").text("State", "associated") == "associated"
    ]
    ranges = ranges or [CidrAssociation(id=draft.new_id("vpc-cidr-assoc", id), cidr=primary)]
    ranges.sort(key=lambda one: one.cidr != primary)
    options = row.text("DhcpOptionsId", "default")
    if options != "default" and draft.get(DhcpOptions, options) is None:
        draft.note("approximated", id, f"its DHCP options {options} were not recorded: it has AWS's usual ones")
        options = "default"
    return draft.make(
        row, Vpc, id, ranges=tuple(ranges), ranges6=_ranges6(row, "vpc-cidr-assoc"), dhcp_options_id=options,
        is_default=is_default, tenancy=row.text("InstanceTenancy", "default"),
        dns_support=said.get("EnableDnsSupport", True), dns_hostnames=said.get("EnableDnsHostnames", is_default),
        tags=row.tags(),
    )  # fmt: skip


def _ranges6(row: Row, prefix: str) -> tuple[Association6, ...]:
    return tuple(
        Association6(id=one.id("AssociationId", prefix), cidr=one.net6("Ipv6CidrBlock"))
        for one in row.rows("Ipv6CidrBlockAssociationSet")
        if one.row("Ipv6CidrBlockState").text("State", "associated") == "associated"
    )


def subnets(draft: Draft) -> None:
    """Rebuild subnets; which network ACL each uses is told by the ACLs."""
    of_subnet = _acl_of_subnet(draft)
    for row in draft.recording.rows("describe-subnets"):
        if not row.has("CidrBlock"):
            draft.note("left out", row.text("SubnetId"), "it has IPv6 only, which Atoll has not: nothing is in it")
            continue
        id = row.id("SubnetId", "subnet")
        vpc = draft.need(row, "VpcId", Vpc, row.id("VpcId", "vpc"))
        cidr = row.net4("CidrBlock")
        if not any(lies_in(cidr, whole) for whole in vpc.cidrs):
            raise row.wrong("CidrBlock", f"{cidr} is in no range of {vpc.id}")
        for other in draft.all(Subnet):
            if other.vpc_id == vpc.id and other.cidr.overlaps(cidr):
                raise row.wrong("CidrBlock", f"{cidr} overlaps {other.cidr} of {other.id}")
        if id not in of_subnet:
            raise row.wrong("SubnetId", f"no network ACL in describe-network-acls.json is associated with {id}")
        acl, association = of_subnet[id]
        number = draft.number(Subnet, vpc.id)
        if number > _SUBNETS_MAX:
            raise row.wrong("VpcId", f"{vpc.id} has more than {_SUBNETS_MAX} subnets")
        launch = row.row("PrivateDnsNameOptionsOnLaunch")
        where, zone_id = _zone(draft, row)
        draft.make(
            row, Subnet, id, vpc_id=vpc.id, cidr=cidr, zone=where, zone_id=zone_id, number=number, acl_id=acl,
            acl_association_id=association, ranges6=_ranges6(row, "subnet-cidr-assoc")[:1],
            is_default=row.flag("DefaultForAz"), map_public_ip=row.flag("MapPublicIpOnLaunch"),
            assign_ipv6=row.flag("AssignIpv6AddressOnCreation"), hostname_type=launch.text("HostnameType", "ip-name"),
            resource_name_a_record=launch.flag("EnableResourceNameDnsARecord"),
            resource_name_aaaa_record=launch.flag("EnableResourceNameDnsAAAARecord"), tags=row.tags(),
        )  # fmt: skip


def _zone(draft: Draft, row: Row) -> tuple[str, str]:
    name = row.text("AvailabilityZone")
    found = zone(draft.region, name)
    if found is not None:
        return name, row.text("AvailabilityZoneId", found.id)
    if not name.startswith(draft.region):
        raise row.wrong("AvailabilityZone", f"{name[:40]} is not in {draft.region}: a recording is of one region")
    known = zones(draft.region)[0]
    draft.note("approximated", row.text("SubnetId"), f"the zone {name[:40]} is not known here: it is in {known.name}")
    return known.name, known.id


def _acl_of_subnet(draft: Draft) -> dict[str, tuple[str, str]]:
    return {
        one.id("SubnetId", "subnet"): (row.id("NetworkAclId", "acl"), one.id("NetworkAclAssociationId", "aclassoc"))
        for row in draft.recording.rows("describe-network-acls")
        for one in row.rows("Associations")
    }


def acls(draft: Draft) -> None:
    """Rebuild network ACLs."""
    for row in draft.recording.rows("describe-network-acls"):
        vpc = draft.need(row, "VpcId", Vpc, row.id("VpcId", "vpc"))
        entries = tuple(_entry(one) for one in row.rows("Entries") if one.number("RuleNumber", 0) <= _LAST_NUMBER)
        draft.make(
            row, NetworkAcl, row.id("NetworkAclId", "acl"), vpc_id=vpc.id, is_default=row.flag("IsDefault"),
            entries=entries, tags=row.tags(),
        )  # fmt: skip


def _entry(row: Row) -> AclEntry:
    number = row.number("RuleNumber", 0)
    if number < 1:
        raise row.wrong("RuleNumber", f"{number} is not between 1 and {_LAST_NUMBER}")
    action, protocol = row.text("RuleAction"), row.text("Protocol")
    if action not in ("allow", "deny"):
        raise row.wrong("RuleAction", "it is neither allow nor deny")
    if protocol != "-1" and not is_number(protocol, 255):
        raise row.wrong("Protocol", f"{protocol[:20]!r} is no protocol's number")
    cidr = row.net("CidrBlock" if row.has("CidrBlock") else "Ipv6CidrBlock")
    entry = AclEntry(
        number=number, egress=row.flag("Egress"), protocol=int(protocol), allow=action == "allow", cidr=cidr
    )
    if entry.protocol in (_TCP, _UDP):
        ports = row.row("PortRange")
        first, last = port(ports, "From", 0), port(ports, "To", 65535)
        return replace(entry, from_port=first, to_port=last)
    if entry.protocol in (_ICMP, _ICMPV6):
        kind = row.row("IcmpTypeCode")
        return replace(entry, from_port=kind.number("Type", -1), to_port=kind.number("Code", -1))
    return entry


def port(row: Row, member: str, default: int) -> int:
    """Return a port.  Raises BadRecording."""
    number = row.number(member, default)
    if not 0 <= number <= 65535:
        raise row.wrong(member, f"{number} is no port")
    return number


def gateways(draft: Draft) -> None:
    """Rebuild the doors to the internet."""
    for verb, prefix, member, kind in (
        ("describe-internet-gateways", "igw", "InternetGatewayId", InternetGateway),
        ("describe-egress-only-internet-gateways", "eigw", "EgressOnlyInternetGatewayId", EgressOnlyGateway),
    ):
        for row in draft.recording.rows(verb):
            at = next((one.id("VpcId", "vpc") for one in row.rows("Attachments")), None)
            if at:
                draft.need(row, "Attachments", Vpc, at)
            if at or kind is InternetGateway:
                draft.make(row, kind, row.id(member, prefix), vpc_id=at, tags=row.tags())


def check_each_vpc(draft: Draft) -> None:
    """Refuse a VPC without what comes with each: nothing could be said of its subnets.  Raises BadRecording."""
    with_acl = {acl.vpc_id for acl in draft.all(NetworkAcl) if acl.is_default}
    known = {acl.id for acl in draft.all(NetworkAcl)}
    for subnet in draft.all(Subnet):
        assert subnet.acl_id in known, "it was read from the ACLs"
    for vpc in draft.all(Vpc):
        if vpc.id not in with_acl:
            where = draft.places[Vpc, vpc.id]
            raise BadRecording(f"{where}: describe-network-acls.json has no default network ACL of {vpc.id}")


ANYWHERE = IPv4Network("0.0.0.0/0")
