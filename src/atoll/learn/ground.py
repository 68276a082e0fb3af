"""The ground that a lesson begins on: its world, made by the same API calls that anybody makes.

Things have names (their Name tags): the commands of a lesson find them by these.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any, TypeAlias

from atoll.learn import names
from atoll.model.image import images
from atoll.model.internet import OutsideHost
from atoll.model.world import World

ANYWHERE = "0.0.0.0/0"
NODE_TYPE = "cache.t3.micro"
Waiting: TypeAlias = Callable[[Callable[[World], Any]], Awaitable[Any]]  # until a World gives something; returns it


Call: TypeAlias = Callable[[str, str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Makes an AWS call as the lesson's account (service, action, parameters as in boto3); raises AwsError."""
Booted: TypeAlias = Callable[[str], Awaitable[None]]


class Ground:
    """Builds a lesson's world."""

    def __init__(
        self, call: Call, until: Waiting, put: Callable[[OutsideHost], None], booted: Booted, region: str
    ) -> None:
        """Build by `call`; `put` makes an internet client.

        `until` waits until a World gives what is asked of it, `booted` until an instance has run its user data.
        """
        self._call, self._until, self._put, self._booted, self._region = call, until, put, booted, region
        self._gateways: dict[str, str] = {}  # VPC -> its internet gateway

    async def ec2(self, action: str, /, **given: Any) -> Mapping[str, Any]:
        """Make a call of EC2."""
        return await self._call("ec2", action, given)

    async def elasticache(self, action: str, /, **given: Any) -> Mapping[str, Any]:
        """Make a call of ElastiCache."""
        return await self._call("elasticache", action, given)

    async def elbv2(self, action: str, /, **given: Any) -> Mapping[str, Any]:
        """Make a call of Elastic Load Balancing."""
        return await self._call("elbv2", action, given)

    async def vpc(self, name: str, cidr: str = "10.0.0.0/16", *, internet: bool = False) -> str:
        """Make a VPC; with an internet gateway of the same name, if asked."""
        vpc: str = (await self.ec2("CreateVpc", CidrBlock=cidr, **_named("vpc", name)))["Vpc"]["VpcId"]
        if internet:
            made = await self.ec2("CreateInternetGateway", **_named("internet-gateway", name))
            gateway = made["InternetGateway"]["InternetGatewayId"]
            await self.ec2("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
            self._gateways[vpc] = gateway
        return vpc

    async def subnet(self, name: str, vpc: str, cidr: str, *, zone: str = "a", public: bool = False) -> str:
        """Make a subnet with a route table of its own, of the same name; `public`: with the way to the internet."""
        place = {"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": f"{self._region}{zone}"}
        made = await self.ec2("CreateSubnet", **place, **_named("subnet", name))
        subnet: str = made["Subnet"]["SubnetId"]
        table = (await self.ec2("CreateRouteTable", VpcId=vpc, **_named("route-table", name)))["RouteTable"]
        await self.ec2("AssociateRouteTable", RouteTableId=table["RouteTableId"], SubnetId=subnet)
        if public:
            await self._route(table["RouteTableId"], ANYWHERE, GatewayId=self._gateways[vpc])
        return subnet

    async def table(self, name: str, vpc: str) -> str:
        """Make a route table with the way to the internet, which nobody uses yet."""
        made = await self.ec2("CreateRouteTable", VpcId=vpc, **_named("route-table", name))
        table: str = made["RouteTable"]["RouteTableId"]
        await self._route(table, ANYWHERE, GatewayId=self._gateways[vpc])
        return table

    async def lead(self, subnet: str, cidr: str, **target: str) -> None:
        """Add a route to the table of a subnet, by the subnet's name."""
        await self._route(await self._found("rtb", subnet), cidr, **target)

    async def acl(self, name: str, vpc: str) -> str:
        """Make a network ACL in a VPC, by the VPC's name."""
        vpc_id = await self._found("vpc", vpc)
        made = await self.ec2("CreateNetworkAcl", VpcId=vpc_id, **_named("network-acl", name))
        id: str = made["NetworkAcl"]["NetworkAclId"]
        return id

    async def guard(self, subnet: str, acl: str) -> None:
        """Give a subnet, by its name, another ACL."""
        association = await self._found("aclassoc", subnet)
        await self.ec2("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl)

    async def peering(self, name: str, near: str, far: str) -> str:
        """Peer two VPCs, accepted."""
        named = _named("vpc-peering-connection", name)
        made = await self.ec2("CreateVpcPeeringConnection", VpcId=near, PeerVpcId=far, **named)
        id: str = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        await self.ec2("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id)
        return id

    async def endpoint_service(self, name: str, balancer: str) -> str:
        """Offer a balancer to others; returns the service's name."""
        arns = [await self._found("lb", balancer)]
        named = _named("vpc-endpoint-service", name)
        await self.ec2("CreateVpcEndpointServiceConfiguration", NetworkLoadBalancerArns=arns, **named)
        return await self._found("service", name)

    async def endpoint(self, name: str, vpc: str, subnet: str, group: str, service: str) -> None:
        """Ask for an endpoint; VPC, subnet and group are named."""
        place = {
            "VpcId": await self._found("vpc", vpc), "SubnetIds": [await self._found("subnet", subnet)],
            "SecurityGroupIds": [await self._found("sg", group)],
        }  # fmt: skip
        how = {"VpcEndpointType": "Interface", "ServiceName": service, "PrivateDnsEnabled": False}
        await self.ec2("CreateVpcEndpoint", **place, **how, **_named("vpc-endpoint", name))

    async def group(self, name: str, vpc: str, *, closed: bool = False) -> str:
        """Make a security group; `closed`: without the rule that lets everything out."""
        call = {"GroupName": name, "Description": name, "VpcId": vpc}
        group: str = (await self.ec2("CreateSecurityGroup", **call))["GroupId"]
        if closed:
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
            await self.ec2("RevokeSecurityGroupEgress", GroupId=group, IpPermissions=everything)
        return group

    async def allow(self, group: str, ports: int | str, source: str, *, out: bool = False) -> None:
        """Add a TCP rule: from (or to) a CIDR block or a group."""
        low, _, high = str(ports).partition("-")
        by_group = source.startswith("sg-")
        at = {"UserIdGroupPairs": [{"GroupId": source}]} if by_group else {"IpRanges": [{"CidrIp": source}]}
        rule = [{"IpProtocol": "tcp", "FromPort": int(low), "ToPort": int(high or low), **at}]
        side = "Egress" if out else "Ingress"
        await self.ec2(f"AuthorizeSecurityGroup{side}", GroupId=group, IpPermissions=rule)

    async def instance(
        self, name: str, subnet: str, group: str, *, image: str = "plain", user_data: str = "", **more: Any
    ) -> str:
        """Launch an instance and wait until it runs; `user_data` is a shell script of its first boot."""
        script = {"UserData": base64.b64encode(user_data.encode()).decode()} if user_data else {}
        call = {"ImageId": self._image(image), "InstanceType": "m1.small", "MinCount": 1, "MaxCount": 1}
        place = {"SubnetId": subnet, "SecurityGroupIds": [group], **script, **more}
        made = await self.ec2("RunInstances", **call, **place, **_named("instance", name))
        id: str = made["Instances"][0]["InstanceId"]
        await self._until(lambda w: (found := names.instance(w, name)) is not None and found.state == "running")
        if user_data:
            await self._booted(id)
        return id

    async def address(self, name: str, instance: str | None = None, wanted: str | None = None) -> str:
        """Allocate an Elastic IP and give it to an instance, if one is named; returns the allocation's id."""
        chosen = {"Address": wanted} if wanted else {}
        made = await self.ec2("AllocateAddress", Domain="vpc", **chosen, **_named("elastic-ip", name))
        id: str = made["AllocationId"]
        if instance:
            await self.ec2("AssociateAddress", AllocationId=id, InstanceId=instance)
        return id

    async def subnet_group(self, name: str, *subnets: str) -> None:
        """Make a cache subnet group."""
        call = {"CacheSubnetGroupName": name, "CacheSubnetGroupDescription": name, "SubnetIds": list(subnets)}
        await self.elasticache("CreateCacheSubnetGroup", **call)

    async def memcached(self, name: str, subnet_group: str, group: str | None, nodes: int = 1) -> None:
        """Make a Memcached cluster and wait until it is available; without a group it takes the default one."""
        groups = {"SecurityGroupIds": [group]} if group else {}
        call = {"CacheClusterId": name, "Engine": "memcached", "CacheNodeType": NODE_TYPE, "NumCacheNodes": nodes}
        await self.elasticache("CreateCacheCluster", **call, CacheSubnetGroupName=subnet_group, **groups)
        await self._until(lambda w: (found := names.cache(w, name)) is not None and found.status == "available")

    async def valkey(self, name: str, subnet_group: str, group: str, nodes: int = 1, **more: Any) -> None:
        """Make a Valkey replication group and wait until it is available."""
        call = {"ReplicationGroupId": name, "ReplicationGroupDescription": name, "Engine": "valkey"}
        size = {} if "NumNodeGroups" in more else {"NumCacheClusters": nodes}
        place = {"CacheSubnetGroupName": subnet_group, "SecurityGroupIds": [group], "CacheNodeType": NODE_TYPE}
        await self.elasticache("CreateReplicationGroup", **call, **size, **place, **more)
        await self._until(lambda w: (found := names.replication(w, name)) is not None and found.status == "available")

    async def address_of(self, name: str) -> str:
        """Return the address of a machine, or of a cluster's first node."""
        return await self._found("ip", name)

    def outside(self, *addresses: str) -> None:
        """Have internet clients."""
        for address in addresses:
            self._put(OutsideHost(id=address, account="", region="", address=ip_address(address)))

    async def _route(self, table: str, cidr: str, **target: str) -> None:
        await self.ec2("CreateRoute", RouteTableId=table, DestinationCidrBlock=cidr, **target)

    async def _found(self, kind: str, name: str) -> str:
        return str(await self._until(lambda world: names.find(world, kind, name)))

    def _image(self, kind: str) -> str:
        return next(i.id for i in images(self._region) if names.IMAGES[kind].fullmatch(i.name))


def _named(kind: str, name: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]}
