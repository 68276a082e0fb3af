"""Calls about what stands at the edges of VPCs: load balancers, endpoints, endpoint services, flow logs."""

from typing import TYPE_CHECKING, Any

from atoll.model.balancer import Listener, LoadBalancer, TargetGroup
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.flow_log import FlowLog
from atoll.model.instance import Instance
from atoll.model.placement_group import PlacementGroup
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc

if TYPE_CHECKING:
    from tests.simulation.longrun.people import Hand

Call = tuple[str, dict[str, Any]]
DEFAULT = "ec2"


def balancer(hand: "Hand") -> Call:
    return "CreateLoadBalancer", {"Name": hand.name("nlb"), "Type": "network", "Scheme": "internal",
                                  "Subnets": [hand.pick(Subnet).id]}  # fmt: skip


def target_group(hand: "Hand") -> Call:
    return "CreateTargetGroup", {
        "Name": hand.name("tg"),
        "Protocol": "TCP",
        "Port": 6379,
        "VpcId": hand.pick(Vpc).id,
        "TargetType": "instance",
    }


def listener(hand: "Hand") -> Call:
    return "CreateListener", {
        "LoadBalancerArn": hand.pick(LoadBalancer).id, "Protocol": "TCP", "Port": hand.dice.choice((6379, 22)),
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": hand.pick(TargetGroup).id}]}  # fmt: skip


def target(hand: "Hand") -> Call:
    return "RegisterTargets", {
        "TargetGroupArn": hand.pick(TargetGroup).id, "Targets": [{"Id": hand.pick(Instance).id}]}  # fmt: skip


def no_target(hand: "Hand") -> Call:
    of = hand.pick(TargetGroup)
    return "DeregisterTargets", {
        "TargetGroupArn": of.id,
        "Targets": [{"Id": one.id} for one in of.targets[:1]] or [{"Id": "i-0"}],
    }


def drop_listener(hand: "Hand") -> Call:
    return "DeleteListener", {"ListenerArn": hand.pick(Listener).id}


def drop_balancer(hand: "Hand") -> Call:
    return "DeleteLoadBalancer", {"LoadBalancerArn": hand.pick(LoadBalancer).id}


def drop_target_group(hand: "Hand") -> Call:
    return "DeleteTargetGroup", {"TargetGroupArn": hand.pick(TargetGroup).id}


def gateway_endpoint(hand: "Hand") -> Call:
    of = hand.pick(RouteTable)
    return "CreateVpcEndpoint", {
        "VpcId": of.vpc_id, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [of.id]}  # fmt: skip


def interface_endpoint(hand: "Hand") -> Call:
    of = hand.pick(Subnet)
    services = [f"com.amazonaws.vpce.us-east-1.{one.id}" for one in hand.everything.all(EndpointService)]
    return "CreateVpcEndpoint", {
        "VpcId": of.vpc_id, "VpcEndpointType": "Interface", "SubnetIds": [of.id],
        "ServiceName": hand.dice.choice(("com.amazonaws.us-east-1.elasticache", *services))}  # fmt: skip


def endpoint_service(hand: "Hand") -> Call:
    return "CreateVpcEndpointServiceConfiguration", {
        "NetworkLoadBalancerArns": [hand.pick(LoadBalancer).id], "AcceptanceRequired": hand.chance(0.5)}  # fmt: skip


def accept_endpoint(hand: "Hand") -> Call:
    ids = [one.id for one in hand.everything.all(VpcEndpoint)]
    verb = hand.dice.choice(("AcceptVpcEndpointConnections", "RejectVpcEndpointConnections"))
    return verb, {"ServiceId": hand.pick(EndpointService).id, "VpcEndpointIds": [hand.dice.choice(ids or ["vpce-0"])]}


def drop_endpoint(hand: "Hand") -> Call:
    return "DeleteVpcEndpoints", {"VpcEndpointIds": [hand.pick(VpcEndpoint).id]}


def drop_endpoint_service(hand: "Hand") -> Call:
    return "DeleteVpcEndpointServiceConfigurations", {"ServiceIds": [hand.pick(EndpointService).id]}


def flow_log(hand: "Hand") -> Call:
    return "CreateFlowLogs", {
        "ResourceIds": [hand.pick(Vpc).id], "ResourceType": "VPC", "TrafficType": "ALL",
        "LogGroupName": hand.name("l"),
        "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/x"}  # fmt: skip


def drop_flow_log(hand: "Hand") -> Call:
    return "DeleteFlowLogs", {"FlowLogIds": [hand.pick(FlowLog).id]}


def placement_group(hand: "Hand") -> Call:
    return "CreatePlacementGroup", {"GroupName": hand.name("pg"), "Strategy": "cluster"}


def drop_placement_group(hand: "Hand") -> Call:
    return "DeletePlacementGroup", {"GroupName": hand.pick(PlacementGroup).name}


MAKE = (balancer, target_group, listener, gateway_endpoint, interface_endpoint, endpoint_service, flow_log,
        placement_group)  # fmt: skip
CHANGE = (target, target, no_target, accept_endpoint)
END = (drop_listener, drop_balancer, drop_balancer, drop_target_group, drop_endpoint, drop_endpoint,
       drop_endpoint_service, drop_flow_log, drop_placement_group)  # fmt: skip
_BALANCING = (balancer, target_group, listener, target, no_target, drop_listener, drop_balancer, drop_target_group)
SERVICE = {one.__name__: "elbv2" for one in _BALANCING}
