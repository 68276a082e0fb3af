"""Survey VPCs: ranges, options, subnets, gateways, tables; without routes, whose targets are made later."""

from collections.abc import Iterator, Mapping
from typing import Any

from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.keypair import KeyPair
from atoll.model.placement_group import PlacementGroup
from atoll.model.prefix_list import PrefixList
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import World
from atoll.recipe.step import Made, Parameters, Step


def tagged(resource_type: str, tags: Mapping[str, str]) -> Parameters:
    """Return the parameter that gives a new resource its tags."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": listed}]} if listed else {}


def called(tags: Mapping[str, str], otherwise: str) -> str:
    """Return what people call a thing."""
    return tags.get("Name") or otherwise


def steps(world: World) -> Iterator[Step]:
    """Yield the steps of all VPCs and of what stands beside them."""
    yield from _beside(world)
    for vpc in world.all(Vpc):
        yield from _default(world, vpc) if vpc.is_default else _vpc(world, vpc)
    for subnet in world.all(Subnet):
        yield _found_subnet(subnet) if subnet.is_default else _subnet(world, subnet)
        if not subnet.is_default:
            yield from _subnet_changes(subnet)
    yield from _gateways(world)
    yield from _tables(world)


def _beside(world: World) -> Iterator[Step]:
    for pair in world.all(KeyPair):
        material = pair.public_key.encode()
        yield Step(service="ec2", operation="ImportKeyPair",
            parameters={"KeyName": pair.name, "PublicKeyMaterial": material, **tagged("key-pair", pair.tags)},
            named=(("KeyName", pair.name),), attribute="key_name", imports=pair.name)  # fmt: skip
    for group in world.all(PlacementGroup):
        more: Parameters = {"PartitionCount": group.partition_count} if group.partition_count else {}
        more |= {"SpreadLevel": group.spread_level} if group.spread_level == "host" else {}
        yield Step(service="ec2", operation="CreatePlacementGroup",
            parameters={"GroupName": group.name, "Strategy": group.strategy, **more,
                **tagged("placement-group", group.tags)},
            named=(("GroupName", group.name),), imports=group.name)  # fmt: skip
    for listed in world.all(PrefixList):
        entries = [{"Cidr": str(e.cidr), **({"Description": e.description} if e.description else {})}
            for e in listed.entries]  # fmt: skip
        yield Step(service="ec2", operation="CreateManagedPrefixList",
            parameters={"PrefixListName": listed.name, "MaxEntries": listed.max_entries,
                "AddressFamily": listed.family, **({"Entries": entries} if entries else {}),
                **tagged("prefix-list", listed.tags)},
            made=(Made(id=listed.id, path="PrefixList.PrefixListId", name=listed.name, kind="pl"),))  # fmt: skip
    for options in world.all(DhcpOptions):
        if not options.is_default:
            said = [{"Key": key, "Values": list(values)} for key, values in options.options]
            yield Step(service="ec2", operation="CreateDhcpOptions",
                parameters={"DhcpConfigurations": said, **tagged("dhcp-options", options.tags)},
                made=(Made(id=options.id, path="DhcpOptions.DhcpOptionsId", name=called(options.tags, "options"),
                    kind="dopt"),))  # fmt: skip


def _vpc(world: World, vpc: Vpc) -> Iterator[Step]:
    name = called(vpc.tags, "vpc")
    asked: Parameters = {"CidrBlock": str(vpc.cidr)}
    if vpc.tenancy != "default":
        asked["InstanceTenancy"] = vpc.tenancy
    if vpc.ranges6:
        asked["AmazonProvidedIpv6CidrBlock"] = True
    yield Step(service="ec2", operation="CreateVpc", parameters={**asked, **tagged("vpc", vpc.tags)},
        made=(Made(id=vpc.id, path="Vpc.VpcId", name=name, kind="vpc"),))  # fmt: skip
    for more in vpc.ranges[1:]:
        yield Step(service="ec2", operation="AssociateVpcCidrBlock",
            parameters={"VpcId": vpc.id, "CidrBlock": str(more.cidr)},
            made=(Made(id=more.id, path="CidrBlockAssociation.AssociationId", name=name, kind="range"),))  # fmt: skip
    for member, on in (("EnableDnsSupport", vpc.dns_support), ("EnableDnsHostnames", vpc.dns_hostnames),
            ("EnableNetworkAddressUsageMetrics", vpc.address_usage_metrics)):  # fmt: skip
        if on != (member == "EnableDnsSupport"):
            yield Step(service="ec2", operation="ModifyVpcAttribute", changes=vpc.id,
                parameters={"VpcId": vpc.id, member: {"Value": on}})  # fmt: skip
    options = world.get(DhcpOptions, vpc.dhcp_options_id)
    if options is not None and not options.is_default:
        yield Step(service="ec2", operation="AssociateDhcpOptions",
            parameters={"DhcpOptionsId": vpc.dhcp_options_id, "VpcId": vpc.id}, imports=vpc.id)  # fmt: skip


def _default(world: World, vpc: Vpc) -> Iterator[Step]:
    """Find the default VPC and its gateway: every account has them."""
    yield finding("DescribeVpcs", "Vpcs[0].VpcId", vpc.id, "default", "vpc", {"is-default": "true"},
        source=("aws_vpc", (("default", True),)))  # fmt: skip
    for gateway in world.all(InternetGateway):
        if gateway.vpc_id == vpc.id:
            yield finding("DescribeInternetGateways", "InternetGateways[0].InternetGatewayId", gateway.id, "default",
                "igw", {"attachment.vpc-id": vpc.id}, source=("aws_internet_gateway", ()))  # fmt: skip


def finding(
    operation: str, path: str, id: str, name: str, kind: str, filters: Mapping[str, str], *,
    source: tuple[str, tuple[tuple[str, Any], ...]] | None = None, of: str | None = None, terraform: str = "id",
) -> Step:  # fmt: skip
    """Return a question: in Terraform it is a data source, or an attribute of what it belongs to."""
    asked = [{"Name": key, "Values": [value]} for key, value in filters.items()]
    made = Made(id=id, path=path, name=name, kind=kind, of=of, terraform=terraform)
    return Step(service="ec2", operation=operation, parameters={"Filters": asked}, made=(made,), finds=True,
        source=source)  # fmt: skip


def _found_subnet(subnet: Subnet) -> Step:
    return finding("DescribeSubnets", "Subnets[0].SubnetId", subnet.id, f"default-{subnet.zone}", "subnet",
        {"default-for-az": "true", "availability-zone": subnet.zone},
        source=("aws_subnet", (("default_for_az", True), ("availability_zone", subnet.zone))))  # fmt: skip


def _subnet(world: World, subnet: Subnet) -> Step:
    asked: Parameters = {"VpcId": subnet.vpc_id, "CidrBlock": str(subnet.cidr), "AvailabilityZone": subnet.zone}
    if subnet.cidr6 is not None:
        asked["Ipv6CidrBlock"] = str(subnet.cidr6)
    vpc = world[Vpc, subnet.vpc_id]
    otherwise = f"{called(vpc.tags, 'subnet')}-{subnet.zone}"
    return Step(service="ec2", operation="CreateSubnet", parameters={**asked, **tagged("subnet", subnet.tags)},
        made=(Made(id=subnet.id, path="Subnet.SubnetId", name=called(subnet.tags, otherwise), kind="subnet"),)
    )  # fmt: skip


def _subnet_changes(subnet: Subnet) -> Iterator[Step]:
    changed: dict[str, Any] = {
        "MapPublicIpOnLaunch": subnet.map_public_ip, "AssignIpv6AddressOnCreation": subnet.assign_ipv6,
        "EnableResourceNameDnsARecordOnLaunch": subnet.resource_name_a_record,
        "EnableResourceNameDnsAAAARecordOnLaunch": subnet.resource_name_aaaa_record,
    }  # fmt: skip
    said: list[Parameters] = [{member: {"Value": True}} for member, on in changed.items() if on]
    if subnet.hostname_type != "ip-name":
        said.append({"PrivateDnsHostnameTypeOnLaunch": subnet.hostname_type})
    for one in said:  # AWS takes one at a time
        yield Step(service="ec2", operation="ModifySubnetAttribute", changes=subnet.id,
            parameters={"SubnetId": subnet.id, **one})  # fmt: skip


def _gateways(world: World) -> Iterator[Step]:
    for gateway in world.all(InternetGateway):
        vpc = world.get(Vpc, gateway.vpc_id) if gateway.vpc_id else None
        if vpc is not None and vpc.is_default:
            continue
        name = called(gateway.tags, called(vpc.tags, "igw") if vpc else "igw")
        yield Step(service="ec2", operation="CreateInternetGateway",
            parameters=tagged("internet-gateway", gateway.tags),
            made=(Made(id=gateway.id, path="InternetGateway.InternetGatewayId", name=name, kind="igw"),))  # fmt: skip
        if gateway.vpc_id:
            yield Step(service="ec2", operation="AttachInternetGateway",
                parameters={"InternetGatewayId": gateway.id, "VpcId": gateway.vpc_id},
                imports=f"{gateway.id}:{gateway.vpc_id}")  # fmt: skip
    for door in world.all(EgressOnlyGateway):
        yield Step(service="ec2", operation="CreateEgressOnlyInternetGateway",
            parameters={"VpcId": door.vpc_id, **tagged("egress-only-internet-gateway", door.tags)},
            made=(Made(id=door.id, path="EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
                name=called(door.tags, "eigw"), kind="eigw"),))  # fmt: skip


def _tables(world: World) -> Iterator[Step]:
    for table in world.all(RouteTable):
        vpc = world[Vpc, table.vpc_id]
        if table.is_main:
            yield finding("DescribeRouteTables", "RouteTables[0].RouteTableId", table.id,
                f"{called(vpc.tags, 'vpc')}-main", "rtb", {"vpc-id": vpc.id, "association.main": "true"},
                of=vpc.id, terraform="main_route_table_id")  # fmt: skip
        else:
            yield Step(service="ec2", operation="CreateRouteTable",
                parameters={"VpcId": vpc.id, **tagged("route-table", table.tags)},
                made=(Made(id=table.id, path="RouteTable.RouteTableId", name=called(table.tags, "table"),
                    kind="rtb"),))  # fmt: skip
        for association in table.associations:
            if association.main:
                continue
            member, user = ("SubnetId", association.subnet_id) if association.subnet_id else (
                "GatewayId", association.gateway_id)  # fmt: skip
            yield Step(service="ec2", operation="AssociateRouteTable",
                parameters={"RouteTableId": table.id, member: user},
                made=(Made(id=association.id, path="AssociationId", name=called(table.tags, "table"),
                    kind="rtbassoc"),), imports=f"{user}/{table.id}")  # fmt: skip
