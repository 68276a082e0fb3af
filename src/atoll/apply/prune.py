"""Take away what a file made once and does not name any more: what others need goes last."""

from typing import Any

from atoll.apply.action import DELETE, Planner, call
from atoll.apply.wish import OWNER
from atoll.model.address import ElasticIp
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.nat_gateway import STANDING as NAT_STANDING
from atoll.model.nat_gateway import NatGateway
from atoll.model.parameter import CacheParameterGroup
from atoll.model.peering import visible
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.serverless import ServerlessCache
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.recipe.step import Step, Wait
from atoll.recipe.survey_instance import STANDING

# Kind, what it is called, the call that ends it, and its parameter.
CACHES: tuple[tuple[type[Resource], str, str, str, str | None], ...] = (
    (ServerlessCache, "cache", "DeleteServerlessCache", "ServerlessCacheName", None),
    (CacheCluster, "cache", "DeleteCacheCluster", "CacheClusterId", "cache_cluster_deleted"),
    (ReplicationGroup, "cache", "DeleteReplicationGroup", "ReplicationGroupId", "replication_group_deleted"),
    (CacheSubnetGroup, "subnet group", "DeleteCacheSubnetGroup", "CacheSubnetGroupName", None),
    (CacheParameterGroup, "parameter group", "DeleteCacheParameterGroup", "CacheParameterGroupName", None),
)
PLACES: tuple[tuple[type[Resource], str, str, str], ...] = (
    (RouteTable, "route table", "DeleteRouteTable", "RouteTableId"),
    (SecurityGroup, "security group", "DeleteSecurityGroup", "GroupId"),
    (Subnet, "subnet", "DeleteSubnet", "SubnetId"),
    (InternetGateway, "internet gateway", "DeleteInternetGateway", "InternetGatewayId"),
    (Vpc, "vpc", "DeleteVpc", "VpcId"),
)


def prune(planner: Planner) -> None:
    """Plan the end of all that carries the file's tag and is not kept."""
    for kind, word, operation, member, waiter in CACHES:
        for one in _gone(planner, kind):
            if not (isinstance(one, CacheCluster) and one.group_id):
                name = one.id.rpartition("/")[2]
                waits = (Wait(service="elasticache", waiter=waiter, parameters={member: name}),) if waiter else ()
                step = Step(service="elasticache", operation=operation, parameters={member: name}, waits=waits)
                planner.add(DELETE, word, name, step)
    _endpoints(planner)
    _machines(planner)
    for group in _gone(planner, SecurityGroup):
        _forget(planner, group)
    for kind, word, operation, member in PLACES:
        for one in _gone(planner, kind):
            steps = [call("ec2", operation, **{member: one.id})]
            if isinstance(one, InternetGateway) and one.vpc_id:
                steps.insert(0, call("ec2", "DetachInternetGateway", InternetGatewayId=one.id, VpcId=one.vpc_id))
            if isinstance(one, RouteTable):
                steps[:0] = [call("ec2", "DisassociateRouteTable", AssociationId=a.id) for a in one.associations]
            planner.add(DELETE, word, one.tags.get("Name", one.id), *steps)


def _gone(planner: Planner, kind: type[Resource]) -> list[Any]:
    mine = [one for one in planner.world.all(kind) if one.tags.get(OWNER) == planner.wish.name]
    return [one for one in mine if one.id not in planner.kept]


def _endpoints(planner: Planner) -> None:
    for endpoint in _gone(planner, VpcEndpoint):
        if endpoint.stands or endpoint.state == "pendingAcceptance":
            step = call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[endpoint.id])
            planner.add(DELETE, "endpoint", endpoint.tags["Name"], step)
    for peering in visible(planner.world):
        tags = peering.requester.tags
        if tags.get(OWNER) == planner.wish.name and peering.id not in planner.kept and peering.is_open:
            step = call("ec2", "DeleteVpcPeeringConnection", VpcPeeringConnectionId=peering.id)
            planner.add(DELETE, "peering", tags["Name"], step)


def _machines(planner: Planner) -> None:
    for gateway in _gone(planner, NatGateway):
        if gateway.state in NAT_STANDING:
            wait = Wait(service="ec2", waiter="nat_gateway_deleted", parameters={"NatGatewayIds": [gateway.id]})
            step = Step(service="ec2", operation="DeleteNatGateway", parameters={"NatGatewayId": gateway.id},
                waits=(wait,))  # fmt: skip
            planner.add(DELETE, "NAT gateway", gateway.tags["Name"], step)
    for instance in _gone(planner, Instance):
        if instance.state in STANDING:
            wait = Wait(service="ec2", waiter="instance_terminated", parameters={"InstanceIds": [instance.id]})
            step = Step(service="ec2", operation="TerminateInstances", parameters={"InstanceIds": [instance.id]},
                waits=(wait,))  # fmt: skip
            planner.add(DELETE, "instance", instance.tags["Name"], step)
    for address in _gone(planner, ElasticIp):
        steps = [call("ec2", "ReleaseAddress", AllocationId=address.id)]
        holder = planner.world.get(Instance, address.instance_id) if address.instance_id else None
        if address.association_id and holder is not None and holder.id in planner.kept:
            steps.insert(0, call("ec2", "DisassociateAddress", AssociationId=address.association_id))
        planner.add(DELETE, "elastic IP", address.tags["Name"], *steps)


def _forget(planner: Planner, group: SecurityGroup) -> None:
    """Take the rules of a group away before it goes: they may name others that go, too."""
    for way, egress in (("Ingress", False), ("Egress", True)):
        ids = [rule.id for rule in group.rules if rule.egress == egress and rule.group_id]
        if ids:
            step = call("ec2", f"RevokeSecurityGroup{way}", GroupId=group.id, SecurityGroupRuleIds=ids)
            planner.add(DELETE, "rules", group.name, step)
