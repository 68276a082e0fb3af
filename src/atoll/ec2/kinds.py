"""The kinds of EC2 resource: tag type, id prefix, and the errors of an id that names none.

AWS spells the codes of one resource in two ways (`InvalidRouteTableID.NotFound`, `InvalidRouteTableId.Malformed`);
clients compare them letter by letter, so each is written out.  Source: EC2 API Reference, "Error codes".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from atoll.aws.errors import Err
from atoll.ec2.errors import MALFORMED_MESSAGE
from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.flow_log import FlowLog
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.insight import InsightsAnalysis, InsightsPath
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.keypair import KeyPair
from atoll.model.nat_gateway import NatGateway
from atoll.model.placement_group import PlacementGroup
from atoll.model.prefix_list import PrefixList
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.volume import Volume
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import World

R = TypeVar("R", bound=Resource)

DIGITS = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{9})?")  # 17, or 8 as before 2018


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of EC2 resource, as callers name it."""

    kind: type[Resource]
    type: str  # ResourceType of a tag specification
    prefix: str
    missing: Err
    malformed: Err


def _noun(kind: type[Resource], type: str, prefix: str, missing: str, malformed: str, called: str) -> Noun:
    """Return a row; `called` is what the NotFound message calls the resource."""
    return Noun(
        kind,
        type,
        prefix,
        Err(missing, f"The {called} '{{id}}' does not exist"),
        Err(malformed, MALFORMED_MESSAGE),
    )


NOUNS: dict[type[Resource], Noun] = {
    noun.kind: noun
    for noun in (
        _noun(Vpc, "vpc", "vpc", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed", "vpc ID"),
        _noun(
            DhcpOptions, "dhcp-options", "dopt", "InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsId.Malformed",
            "dhcpOption ID",
        ),
        _noun(Subnet, "subnet", "subnet", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed", "subnet ID"),
        _noun(
            RouteTable, "route-table", "rtb", "InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed",
            "routeTable ID",
        ),
        _noun(
            InternetGateway, "internet-gateway", "igw", "InvalidInternetGatewayID.NotFound",
            "InvalidInternetGatewayId.Malformed", "internetGateway ID",
        ),
        _noun(
            EgressOnlyGateway, "egress-only-internet-gateway", "eigw",
            "InvalidEgressOnlyInternetGatewayId.NotFound", "InvalidEgressOnlyInternetGatewayId.Malformed",
            "eigw ID",
        ),
        Noun(
            NatGateway, "natgateway", "nat", Err("NatGatewayNotFound", "NatGateway {id} was not found"),
            Err("NatGatewayMalformed", MALFORMED_MESSAGE),
        ),
        _noun(
            ElasticIp, "elastic-ip", "eipalloc", "InvalidAllocationID.NotFound", "InvalidAllocationID.NotFound",
            "allocation ID",
        ),
        _noun(
            Interface, "network-interface", "eni", "InvalidNetworkInterfaceID.NotFound",
            "InvalidNetworkInterfaceId.Malformed", "networkInterface ID",
        ),
        _noun(SecurityGroup, "security-group", "sg", "InvalidGroup.NotFound", "InvalidGroupId.Malformed",
              "security group"),
        _noun(
            NetworkAcl, "network-acl", "acl", "InvalidNetworkAclID.NotFound", "InvalidNetworkAclId.Malformed",
            "networkAcl ID",
        ),
        _noun(
            VpcEndpoint, "vpc-endpoint", "vpce", "InvalidVpcEndpointId.NotFound", "InvalidVpcEndpointId.Malformed",
            "Vpc Endpoint Id",
        ),
        _noun(
            EndpointService, "vpc-endpoint-service", "vpce-svc", "InvalidVpcEndpointServiceId.NotFound",
            "InvalidVpcEndpointServiceId.Malformed", "VpcEndpointService Id",
        ),
        _noun(Instance, "instance", "i", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "instance ID"),
        _noun(KeyPair, "key-pair", "key", "InvalidKeyPair.NotFound", "InvalidKeyPair.Malformed", "key pair ID"),
        _noun(
            PlacementGroup, "placement-group", "pg", "InvalidPlacementGroup.Unknown",
            "InvalidPlacementGroupId.Malformed", "Placement Group",
        ),
        _noun(
            PrefixList, "prefix-list", "pl", "InvalidPrefixListID.NotFound", "InvalidPrefixListID.Malformed",
            "prefix list ID",
        ),
        Noun(
            InsightsPath, "network-insights-path", "nip",
            Err("InvalidNetworkInsightsPathId.NotFound", "The ID '{id}' does not exist"),
            Err("InvalidNetworkInsightsPathId.Malformed", MALFORMED_MESSAGE),
        ),
        Noun(
            InsightsAnalysis, "network-insights-analysis", "nia",
            Err("InvalidNetworkInsightsAnalysisId.NotFound", "The ID '{id}' does not exist"),
            Err("InvalidNetworkInsightsAnalysisId.Malformed", MALFORMED_MESSAGE),
        ),
        Noun(
            FlowLog, "vpc-flow-log", "fl", Err("InvalidFlowLogId.NotFound", "The flow log ID '{id}' does not exist"),
            Err("InvalidFlowLogId.Malformed", MALFORMED_MESSAGE),
        ),
        _noun(Volume, "volume", "vol", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed", "volume"),
    )
}  # fmt: skip

BY_PREFIX = {noun.prefix: noun for noun in NOUNS.values()}


def find(world: World, kind: type[R], id: str) -> R:
    """Return the caller's resource of a kind; raises its Malformed or NotFound error."""
    if found := world.get(kind, id):
        return found
    noun = NOUNS[kind]
    check_id(id, noun.prefix, noun.malformed)
    raise noun.missing(id=id)


def check_id(id: str, prefix: str, malformed: Err) -> None:
    """Raise `malformed` unless the text looks like an id with the prefix: 17 hexadecimal digits, or 8."""
    head, dash, digits = id.rpartition("-")
    if head != prefix or not dash or not DIGITS.fullmatch(digits):
        raise malformed(id=id, prefix=prefix)


def tagged(world: World) -> Iterator[tuple[str, Resource]]:
    """Yield the caller's EC2 resources that carry tags, with their tag types; rules of groups are not among them."""
    for noun in NOUNS.values():
        for resource in world.all(noun.kind):
            if resource.tags:
                yield noun.type, resource
