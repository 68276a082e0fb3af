"""Survey what leads out of VPCs: addresses, NAT gateways, peering, endpoints, routes, and the logs of all that."""

import json
from collections.abc import Iterator

from atoll.model.address import ElasticIp
from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.flow_log import FlowLog
from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.nat_gateway import STANDING, NatGateway
from atoll.model.peering import Peering, visible
from atoll.model.route import Route, RouteTable
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.recipe.step import LeftOut, Made, Parameters, Step, Wait
from atoll.recipe.survey_instance import interface_id
from atoll.recipe.survey_vpc import called, tagged

TARGETS = {"igw": "GatewayId", "nat": "NatGatewayId", "eni": "NetworkInterfaceId", "pcx": "VpcPeeringConnectionId",
    "vpce": "VpcEndpointId", "eigw": "EgressOnlyInternetGatewayId"}  # fmt: skip
EVERYTHING = [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]  # what a new policy says
FLOW_SUBJECTS = {"vpc": "VPC", "subnet": "Subnet", "eni": "NetworkInterface"}


def steps(world: World) -> Iterator[Step]:
    """Yield the steps of addresses, gateways and peering."""
    for address in world.all(ElasticIp):
        yield Step(service="ec2", operation="AllocateAddress",
            parameters={"Domain": "vpc", **tagged("elastic-ip", address.tags)},
            made=(Made(id=address.id, path="AllocationId", name=called(address.tags, "eip"), kind="eipalloc"),)
        )  # fmt: skip
    for address in world.all(ElasticIp):
        held = world.get(Interface, address.interface_id) if address.interface_id else None
        if address.association_id and held is not None and not held.requester_managed and held.kind == "interface":
            yield _association(world, address, held)
    for gateway in world.all(NatGateway):
        if gateway.state in STANDING:
            yield _nat(gateway)
    for peering in visible(world):
        if _is_ours(world, peering):
            yield from _peering(peering)


def _association(world: World, address: ElasticIp, held: Interface) -> Step:
    asked: Parameters = {"AllocationId": address.id}
    if held.instance_id and held.attachment and held.attachment.device_index == 0:
        asked["InstanceId"] = held.instance_id
    else:
        asked["NetworkInterfaceId"] = interface_id(world, held.id)
    if address.private_ip is not None and address.private_ip != held.address:
        asked["PrivateIpAddress"] = str(address.private_ip)
    return Step(service="ec2", operation="AssociateAddress", parameters=asked, imports=address.association_id,
        made=(Made(id=str(address.association_id), path="AssociationId", name=called(address.tags, "eip"),
            kind="eipassoc"),))  # fmt: skip


def _nat(gateway: NatGateway) -> Step:
    first, *more = gateway.addresses
    asked: Parameters = {"SubnetId": gateway.subnet_id}
    if gateway.connectivity != "public":
        asked["ConnectivityType"] = gateway.connectivity
    if first.allocation_id:
        asked["AllocationId"] = first.allocation_id
    if first.private_ip:
        asked["PrivateIpAddress"] = str(first.private_ip)
    if more and gateway.connectivity == "public":
        asked["SecondaryAllocationIds"] = [a.allocation_id for a in more if a.allocation_id]
    if more:
        asked["SecondaryPrivateIpAddresses"] = [str(a.private_ip) for a in more if a.private_ip]
    return Step(service="ec2", operation="CreateNatGateway",
        parameters={**asked, **tagged("natgateway", gateway.tags)},
        made=(Made(id=gateway.id, path="NatGateway.NatGatewayId", name=called(gateway.tags, "nat"), kind="nat"),),
        waits=(Wait(service="ec2", waiter="nat_gateway_available", parameters={"NatGatewayIds": [gateway.id]}),)
    )  # fmt: skip


def _is_ours(world: World, peering: Peering) -> bool:
    caller = world.caller
    assert caller is not None, "a survey is somebody's"
    return peering.requester.owner == (caller.account, caller.region) and peering.status in (
        "pending-acceptance", "provisioning", "active")  # fmt: skip


def _peering(peering: Peering) -> Iterator[Step]:
    mine, other = peering.requester, peering.accepter
    asked: Parameters = {"VpcId": mine.vpc_id, "PeerVpcId": other.vpc_id}
    if other.account != mine.account:
        asked["PeerOwnerId"] = other.account
    if other.region != mine.region:
        asked["PeerRegion"] = other.region
    name = called(mine.tags, "peering")
    yield Step(service="ec2", operation="CreateVpcPeeringConnection",
        parameters={**asked, **tagged("vpc-peering-connection", mine.tags)},
        made=(Made(id=peering.id, path="VpcPeeringConnection.VpcPeeringConnectionId", name=name, kind="pcx"),),
        waits=(Wait(service="ec2", waiter="vpc_peering_connection_exists",
            parameters={"VpcPeeringConnectionIds": [peering.id]}),))  # fmt: skip
    if not peering.is_open or other.owner != mine.owner:
        return
    yield Step(service="ec2", operation="AcceptVpcPeeringConnection", changes=peering.id,
        parameters={"VpcPeeringConnectionId": peering.id})  # fmt: skip
    ways = {"RequesterPeeringConnectionOptions": mine.allow_dns, "AccepterPeeringConnectionOptions": other.allow_dns}
    if any(ways.values()):
        yield Step(service="ec2", operation="ModifyVpcPeeringConnectionOptions", changes=peering.id,
            parameters={"VpcPeeringConnectionId": peering.id,
                **{way: {"AllowDnsResolutionFromRemoteVpc": True} for way, on in ways.items() if on}})  # fmt: skip


def endpoints(world: World) -> Iterator[Step]:
    """Yield the steps of endpoint services and endpoints; the balancers are there."""
    for service in world.all(EndpointService):
        named: Parameters = {"PrivateDnsName": service.private_dns_name} if service.private_dns_name else {}
        yield Step(service="ec2", operation="CreateVpcEndpointServiceConfiguration",
            parameters={"NetworkLoadBalancerArns": list(service.balancer_ids),
                "AcceptanceRequired": service.acceptance_required, **named,
                **tagged("vpc-endpoint-service", service.tags)},
            made=(
                Made(id=service.id, path="ServiceConfiguration.ServiceId", name=called(service.tags, "service"),
                    kind="vpcesvc"),
                Made(id=service.service_name, path="ServiceConfiguration.ServiceName",
                    name=called(service.tags, "service"), kind="name", terraform="service_name"),
            ))  # fmt: skip
        if service.admissions:
            yield Step(service="ec2", operation="ModifyVpcEndpointServicePermissions",
                parameters={"ServiceId": service.id,
                    "AddAllowedPrincipals": [one.principal for one in service.admissions]})  # fmt: skip
    for endpoint in world.all(VpcEndpoint):
        if endpoint.state in ("pending", "available", "pendingAcceptance"):
            yield from _endpoint(world, endpoint)


def _endpoint(world: World, endpoint: VpcEndpoint) -> Iterator[Step]:
    asked: Parameters = {"VpcId": endpoint.vpc_id, "ServiceName": endpoint.service_name,
        "VpcEndpointType": endpoint.type}  # fmt: skip
    if endpoint.type == "Gateway":
        if endpoint.table_ids:
            asked["RouteTableIds"] = list(endpoint.table_ids)
    else:
        asked["SubnetIds"] = [foot.subnet_id for foot in endpoint.feet]
        if endpoint.group_ids:
            asked["SecurityGroupIds"] = list(endpoint.group_ids)
        asked["PrivateDnsEnabled"] = endpoint.private_dns
    if endpoint.policy and json.loads(endpoint.policy).get("Statement") != EVERYTHING:
        asked["PolicyDocument"] = endpoint.policy
    yield Step(service="ec2", operation="CreateVpcEndpoint",
        parameters={**asked, **tagged("vpc-endpoint", endpoint.tags)},
        made=(Made(id=endpoint.id, path="VpcEndpoint.VpcEndpointId", name=called(endpoint.tags, "endpoint"),
            kind="vpce"),))  # fmt: skip
    service = world.get(EndpointService, endpoint.service_id) if endpoint.service_id else None
    if service is not None and service.acceptance_required and endpoint.state != "pendingAcceptance":
        yield Step(service="ec2", operation="AcceptVpcEndpointConnections",
            parameters={"ServiceId": service.id, "VpcEndpointIds": [endpoint.id]})  # fmt: skip


def routes(world: World) -> Iterator[Step]:
    """Yield the steps of routes, and of flow logs: all that they name is there."""
    for table in world.all(RouteTable):
        for route in table.routes:
            if route.origin == "CreateRoute" and not _is_given(world, table, route):
                yield _route(world, table, route)
    for table in world.all(RouteTable):
        yield from _middleboxes(world, table)
    for log in world.all(FlowLog):
        yield _flow_log(log)


def _is_given(world: World, table: RouteTable, route: Route) -> bool:
    """Tell whether a route comes by itself: with a gateway endpoint, or with the default VPC."""
    if route.prefix_list_id and route.target.startswith("vpce-"):
        return True
    vpc = world[Vpc, table.vpc_id]
    gateway = world.get(InternetGateway, route.target)
    return vpc.is_default and table.is_main and gateway is not None and route.towards == "0.0.0.0/0"


def _route(world: World, table: RouteTable, route: Route) -> Step:
    prefix = route.target.partition("-")[0]
    to = "DestinationPrefixListId" if route.prefix_list_id else (
        "DestinationIpv6CidrBlock" if ":" in route.towards else "DestinationCidrBlock")  # fmt: skip
    target = interface_id(world, route.target) if prefix == "eni" else route.target
    return Step(service="ec2", operation="CreateRoute", imports=f"{table.id}_{route.towards}",
        parameters={"RouteTableId": table.id, to: route.towards, TARGETS.get(prefix, "GatewayId"): target},
        made=(Made(id=f"{table.id} {route.towards}", path="", name=f"{called(table.tags, 'table')}-{route.towards}",
            kind="route"),))  # fmt: skip


def _middleboxes(world: World, table: RouteTable) -> Iterator[Step]:
    for route in table.routes:
        if route.is_local and route.target != "local":
            yield Step(service="ec2", operation="ReplaceRoute", changes=table.id,
                parameters={"RouteTableId": table.id, "DestinationCidrBlock": route.towards,
                    "NetworkInterfaceId": interface_id(world, route.target)})  # fmt: skip


def _flow_log(log: FlowLog) -> Step:
    subject = FLOW_SUBJECTS[log.resource_id.partition("-")[0]]
    said: Parameters = {"ResourceIds": [log.resource_id], "ResourceType": subject, "TrafficType": log.traffic,
        "LogDestinationType": log.destination_type, "LogFormat": log.format,
        "MaxAggregationInterval": log.interval_seconds}  # fmt: skip
    wanted = {"LogDestination": log.destination, "LogGroupName": log.log_group,
        "DeliverLogsPermissionArn": log.permission_arn, "DeliverCrossAccountRole": log.cross_account_role}
    said |= {member: value for member, value in wanted.items() if value}
    if log.hive_partitions or log.hour_partitions:
        said["DestinationOptions"] = {"FileFormat": "plain-text", "HiveCompatiblePartitions": log.hive_partitions,
            "PerHourPartition": log.hour_partitions}  # fmt: skip
    return Step(service="ec2", operation="CreateFlowLogs", parameters={**said, **tagged("vpc-flow-log", log.tags)},
        made=(Made(id=log.id, path="FlowLogIds[0]", name=called(log.tags, "flows"), kind="fl"),))  # fmt: skip


def left_out(world: World) -> Iterator[LeftOut]:
    """Yield peerings whose other side somebody else accepts, and addresses of balancers."""
    for peering in visible(world):
        if not _is_ours(world, peering):
            yield LeftOut(peering.id, f"its other side asks for it, or it is {peering.status}")
        elif peering.requester.owner != peering.accepter.owner:
            yield LeftOut(peering.id, "asked for, but its other side, in another account or region, must accept it")
    for balancer in world.all(LoadBalancer):
        if balancer.attributes:
            yield LeftOut(balancer.id, "attributes of load balancers are not exported")
