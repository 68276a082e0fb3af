"""Calls about VPCs: subnets, groups, ACLs, routes, gateways, interfaces, instances, addresses."""

from typing import TYPE_CHECKING, Any

from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.image import images
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.model.prefix_list import PrefixList
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc

if TYPE_CHECKING:
    from tests.simulation.longrun.people import Hand

Call = tuple[str, dict[str, Any]]
DEFAULT = "ec2"
SERVICE: dict[str, str] = {}
PROTOCOLS = (("-1", None), ("tcp", 6379), ("tcp", 11211), ("tcp", 22), ("udp", 22), ("icmp", None))


def cidr(hand: "Hand") -> str:
    return hand.dice.choice(("0.0.0.0/0", "10.0.0.0/8", f"10.{hand.dice.randrange(6)}.0.0/16", "198.51.100.27/32"))


def permission(hand: "Hand") -> dict[str, Any]:
    protocol, port = hand.dice.choice(PROTOCOLS)
    made: dict[str, Any] = {"IpProtocol": protocol}
    if protocol == "icmp":
        made |= {"FromPort": -1, "ToPort": -1}
    elif port:
        made |= {"FromPort": port, "ToPort": port + hand.dice.choice((0, 0, 10))}
    what = hand.dice.random()
    if what < 0.5:
        made["IpRanges"] = [{"CidrIp": cidr(hand)}]
    elif what < 0.9:
        made["UserIdGroupPairs"] = [{"GroupId": hand.pick(SecurityGroup).id}]
    else:
        made["PrefixListIds"] = [{"PrefixListId": hand.pick(PrefixList).id}]
    return made


# Make


def vpc(hand: "Hand") -> Call:
    made: dict[str, Any] = {"CidrBlock": f"10.{hand.dice.randrange(6)}.0.0/16"}
    return "CreateVpc", made | ({"AmazonProvidedIpv6CidrBlock": True} if hand.chance(0.3) else {})


def subnet(hand: "Hand") -> Call:
    of = hand.pick(Vpc)
    inside = list(of.ranges[0].cidr.subnets(new_prefix=24))[:6]
    zone = f"us-east-1{hand.dice.choice('abc')}"
    return "CreateSubnet", {"VpcId": of.id, "CidrBlock": str(hand.dice.choice(inside)), "AvailabilityZone": zone}


def group(hand: "Hand") -> Call:
    return "CreateSecurityGroup", {"GroupName": hand.name("g"), "Description": "g", "VpcId": hand.pick(Vpc).id}


def ingress(hand: "Hand") -> Call:
    return "AuthorizeSecurityGroupIngress", {
        "GroupId": hand.pick(SecurityGroup).id, "IpPermissions": [permission(hand)]}  # fmt: skip


def egress(hand: "Hand") -> Call:
    return "AuthorizeSecurityGroupEgress", {
        "GroupId": hand.pick(SecurityGroup).id, "IpPermissions": [permission(hand)]}  # fmt: skip


def acl(hand: "Hand") -> Call:
    return "CreateNetworkAcl", {"VpcId": hand.pick(Vpc).id}


def acl_entry(hand: "Hand") -> Call:
    of = hand.pick(NetworkAcl)
    protocol = hand.dice.choice(("-1", "6", "17", "1"))
    made: dict[str, Any] = {
        "NetworkAclId": of.id, "RuleNumber": hand.dice.choice((10, 50, 90, 100, 200)), "Protocol": protocol,
        "RuleAction": hand.dice.choice(("allow", "allow", "deny")), "Egress": hand.chance(0.5),
        "CidrBlock": cidr(hand)}  # fmt: skip
    if protocol in ("6", "17"):
        made["PortRange"] = hand.dice.choice(({"From": 0, "To": 65535}, {"From": 6379, "To": 6379}))
    if protocol == "1":
        made["IcmpTypeCode"] = {"Type": -1, "Code": -1}
    return hand.dice.choice(("CreateNetworkAclEntry", "ReplaceNetworkAclEntry")), made


def table(hand: "Hand") -> Call:
    return "CreateRouteTable", {"VpcId": hand.pick(Vpc).id}


def gateway(_: "Hand") -> Call:
    return "CreateInternetGateway", {}


def egress_only_gateway(hand: "Hand") -> Call:
    return "CreateEgressOnlyInternetGateway", {"VpcId": hand.pick(Vpc).id}


def nat_gateway(hand: "Hand") -> Call:
    if hand.chance(0.3):
        return "CreateNatGateway", {"SubnetId": hand.pick(Subnet).id, "ConnectivityType": "private"}
    return "CreateNatGateway", {"SubnetId": hand.pick(Subnet).id, "AllocationId": hand.pick(ElasticIp).id}


def route(hand: "Hand") -> Call:
    of = hand.pick(RouteTable)
    target = hand.dice.choice((
        ("GatewayId", InternetGateway), ("NatGatewayId", NatGateway), ("VpcPeeringConnectionId", Peering),
        ("NetworkInterfaceId", Interface), ("InstanceId", Instance),
    ))  # fmt: skip
    made = {"RouteTableId": of.id, target[0]: hand.pick(target[1]).id}
    if hand.chance(0.1):
        made["DestinationPrefixListId"] = hand.pick(PrefixList).id
    else:
        other = f"10.{hand.dice.randrange(6)}.0.0/16"
        made["DestinationCidrBlock"] = hand.dice.choice(("0.0.0.0/0", other, "198.51.100.0/24"))
    return hand.dice.choice(("CreateRoute", "CreateRoute", "ReplaceRoute")), made


def interface(hand: "Hand") -> Call:
    made: dict[str, Any] = {"SubnetId": hand.pick(Subnet).id}
    if hand.chance(0.4):
        made["Groups"] = [one.id for one in hand.some(SecurityGroup, 2)]
    return "CreateNetworkInterface", made | ({"SecondaryPrivateIpAddressCount": 1} if hand.chance(0.2) else {})


def address(_: "Hand") -> Call:
    return "AllocateAddress", {"Domain": "vpc"}


def instances(hand: "Hand") -> Call:
    image = next(one for one in images(hand.caller.region) if one.architecture == "x86_64")
    made: dict[str, Any] = {"ImageId": image.id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    if hand.chance(0.8):
        made["SubnetId"] = hand.pick(Subnet).id
    if hand.chance(0.1):
        made["InstanceInitiatedShutdownBehavior"] = "terminate"
    return "RunInstances", made


def peering(hand: "Hand") -> Call:
    mine, all_vpcs = hand.pick(Vpc), list(hand.everything.all(Vpc))
    other = hand.dice.choice(all_vpcs)
    return "CreateVpcPeeringConnection", {"VpcId": mine.id, "PeerVpcId": other.id, "PeerOwnerId": other.account}


def prefix_list(hand: "Hand") -> Call:
    return "CreateManagedPrefixList", {
        "PrefixListName": hand.name("pl"), "MaxEntries": 4, "AddressFamily": "IPv4",
        "Entries": [{"Cidr": cidr(hand)}]}  # fmt: skip


# Change


def associate_table(hand: "Hand") -> Call:
    return "AssociateRouteTable", {"RouteTableId": hand.pick(RouteTable).id, "SubnetId": hand.pick(Subnet).id}


def replace_table(hand: "Hand") -> Call:
    of = hand.pick(RouteTable)
    ids = [one.id for one in of.associations]
    return "ReplaceRouteTableAssociation", {
        "AssociationId": hand.dice.choice(ids) if ids else "rtbassoc-0",
        "RouteTableId": hand.pick(RouteTable).id,
    }


def replace_acl(hand: "Hand") -> Call:
    return "ReplaceNetworkAclAssociation", {
        "AssociationId": hand.pick(Subnet).acl_association_id, "NetworkAclId": hand.pick(NetworkAcl).id}  # fmt: skip


def attach_gateway(hand: "Hand") -> Call:
    return "AttachInternetGateway", {"InternetGatewayId": hand.pick(InternetGateway).id, "VpcId": hand.pick(Vpc).id}


def detach_gateway(hand: "Hand") -> Call:
    of = hand.pick(InternetGateway)
    return "DetachInternetGateway", {"InternetGatewayId": of.id, "VpcId": of.vpc_id or "vpc-0"}


def attach_interface(hand: "Hand") -> Call:
    return "AttachNetworkInterface", {
        "NetworkInterfaceId": hand.pick(Interface).id,
        "InstanceId": hand.pick(Instance).id,
        "DeviceIndex": 1,
    }


def detach_interface(hand: "Hand") -> Call:
    of = hand.pick(Interface)
    return "DetachNetworkInterface", {"AttachmentId": of.attachment.id if of.attachment else "eni-attach-0"}


def groups_of_interface(hand: "Hand") -> Call:
    return "ModifyNetworkInterfaceAttribute", {
        "NetworkInterfaceId": hand.pick(Interface).id,
        "Groups": [one.id for one in hand.some(SecurityGroup, 2)],
    }


def source_check(hand: "Hand") -> Call:
    return "ModifyNetworkInterfaceAttribute", {
        "NetworkInterfaceId": hand.pick(Interface).id, "SourceDestCheck": {"Value": hand.chance(0.5)}}  # fmt: skip


def more_addresses(hand: "Hand") -> Call:
    return "AssignPrivateIpAddresses", {
        "NetworkInterfaceId": hand.pick(Interface).id, "SecondaryPrivateIpAddressCount": 1}  # fmt: skip


def fewer_addresses(hand: "Hand") -> Call:
    of = hand.pick(Interface)
    return "UnassignPrivateIpAddresses", {
        "NetworkInterfaceId": of.id, "PrivateIpAddresses": [str(of.private_ips[-1])]}  # fmt: skip


def associate_address(hand: "Hand") -> Call:
    return "AssociateAddress", {
        "AllocationId": hand.pick(ElasticIp).id, "NetworkInterfaceId": hand.pick(Interface).id,
        "AllowReassociation": hand.chance(0.5)}  # fmt: skip


def disassociate_address(hand: "Hand") -> Call:
    return "DisassociateAddress", {"AssociationId": hand.pick(ElasticIp).association_id or "eipassoc-0"}


def stop(hand: "Hand") -> Call:
    return "StopInstances", {"InstanceIds": [hand.pick(Instance).id], "Force": hand.chance(0.2)}


def start(hand: "Hand") -> Call:
    return "StartInstances", {"InstanceIds": [hand.pick(Instance).id]}


def reboot(hand: "Hand") -> Call:
    return "RebootInstances", {"InstanceIds": [hand.pick(Instance).id]}


def vpc_range(hand: "Hand") -> Call:
    return "AssociateVpcCidrBlock", {
        "VpcId": hand.pick(Vpc).id,
        "CidrBlock": f"10.{hand.dice.randrange(100, 104)}.0.0/20",
    }


def vpc_dns(hand: "Hand") -> Call:
    return "ModifyVpcAttribute", {"VpcId": hand.pick(Vpc).id, "EnableDnsSupport": {"Value": hand.chance(0.5)}}


def public_subnet(hand: "Hand") -> Call:
    return "ModifySubnetAttribute", {
        "SubnetId": hand.pick(Subnet).id,
        "MapPublicIpOnLaunch": {"Value": hand.chance(0.7)},
    }


def accept_peering(hand: "Hand") -> Call:
    return "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": hand.dice.choice(_peerings(hand))}


def _peerings(hand: "Hand") -> list[str]:
    return [one.id for one in hand.everything.all(Peering)] or ["pcx-0"]


def change_list(hand: "Hand") -> Call:
    of = hand.pick(PrefixList)
    return "ModifyManagedPrefixList", {
        "PrefixListId": of.id, "CurrentVersion": of.version, "AddEntries": [{"Cidr": cidr(hand)}]}  # fmt: skip


def name_it(hand: "Hand") -> Call:
    of = hand.pick(hand.dice.choice((Vpc, Subnet, SecurityGroup, Instance, Interface)))
    return "CreateTags", {"Resources": [of.id], "Tags": [{"Key": "Name", "Value": hand.name("n")}]}


# End


def revoke(hand: "Hand") -> Call:
    of = hand.pick(SecurityGroup)
    if not of.rules:
        return "RevokeSecurityGroupIngress", {"GroupId": of.id, "IpPermissions": [permission(hand)]}
    rule = hand.dice.choice(of.rules)
    which = "RevokeSecurityGroupEgress" if rule.egress else "RevokeSecurityGroupIngress"
    return which, {"GroupId": of.id, "SecurityGroupRuleIds": [rule.id]}


def drop_entry(hand: "Hand") -> Call:
    of = hand.pick(NetworkAcl)
    entry = hand.dice.choice(of.entries) if of.entries else None
    return "DeleteNetworkAclEntry", {
        "NetworkAclId": of.id,
        "RuleNumber": entry.number if entry else 1,
        "Egress": bool(entry and entry.egress),
    }


def drop_route(hand: "Hand") -> Call:
    of = hand.pick(RouteTable)
    there = [str(one.destination) for one in of.routes if one.destination]
    return "DeleteRoute", {"RouteTableId": of.id, "DestinationCidrBlock": hand.dice.choice(there or ["0.0.0.0/0"])}


def drop_association(hand: "Hand") -> Call:
    ids = [one.id for one in hand.pick(RouteTable).associations]
    return "DisassociateRouteTable", {"AssociationId": hand.dice.choice(ids or ["rtbassoc-0"])}


def drop_range(hand: "Hand") -> Call:
    return "DisassociateVpcCidrBlock", {"AssociationId": hand.dice.choice(hand.pick(Vpc).ranges).id}


def terminate(hand: "Hand") -> Call:
    return "TerminateInstances", {"InstanceIds": [hand.pick(Instance).id]}


def drop(hand: "Hand") -> Call:
    operation, parameter, kind = hand.dice.choice((
        ("DeleteVpc", "VpcId", Vpc), ("DeleteSubnet", "SubnetId", Subnet), ("DeleteSubnet", "SubnetId", Subnet),
        ("DeleteSecurityGroup", "GroupId", SecurityGroup), ("DeleteNetworkAcl", "NetworkAclId", NetworkAcl),
        ("DeleteRouteTable", "RouteTableId", RouteTable), ("DeletePrefixList", "PrefixListId", PrefixList),
        ("DeleteInternetGateway", "InternetGatewayId", InternetGateway),
        ("DeleteEgressOnlyInternetGateway", "EgressOnlyInternetGatewayId", EgressOnlyGateway),
        ("DeleteNatGateway", "NatGatewayId", NatGateway), ("DeleteNatGateway", "NatGatewayId", NatGateway),
        ("DeleteNetworkInterface", "NetworkInterfaceId", Interface),
        ("DeleteNetworkInterface", "NetworkInterfaceId", Interface),
        ("ReleaseAddress", "AllocationId", ElasticIp), ("ReleaseAddress", "AllocationId", ElasticIp),
        ("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", Peering),
    ))  # fmt: skip
    named = "DeleteManagedPrefixList" if operation == "DeletePrefixList" else operation
    return named, {parameter: hand.pick(kind).id}


MAKE = (
    vpc, subnet, subnet, group, ingress, ingress, egress, acl, acl_entry, acl_entry, table, gateway, nat_gateway,
    egress_only_gateway, route, route, route, interface, address, instances, instances, peering, prefix_list,
)  # fmt: skip
CHANGE = (
    associate_table, associate_table, replace_table, replace_acl, attach_gateway, detach_gateway, attach_interface,
    detach_interface, groups_of_interface, source_check, more_addresses, fewer_addresses, associate_address,
    disassociate_address, stop, start, reboot, vpc_range, vpc_dns, public_subnet, accept_peering, change_list,
    name_it,
)  # fmt: skip
END = (revoke, drop_entry, drop_route, drop_association, drop_range, terminate, terminate, drop, drop, drop, drop)
