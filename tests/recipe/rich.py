"""A world with something of each kind, made by boto3 as a program makes it."""

import urllib.request
from typing import Any

from atoll.admin import snapshot
from atoll.model.access import UserGroup
from atoll.model.balancer import LoadBalancer
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.instance import Instance
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from tests.daemon.atoll import until


def tags(kind: str, name: str, **more: str) -> list[dict[str, Any]]:
    listed = [{"Key": k, "Value": v} for k, v in {"Name": name, **more}.items()]
    return [{"ResourceType": kind, "Tags": listed}]


class Live:
    """A daemon on the paper host, and when it has come to rest."""

    def __init__(self, atoll: Any) -> None:
        self.atoll = atoll

    def client(self, service: str = "ec2") -> Any:
        return self.atoll.client(service)

    def world(self) -> Any:
        with urllib.request.urlopen(f"{self.atoll.url}/_atoll/world") as answer:
            return snapshot.read(answer.read())

    def settle(self) -> None:
        until(lambda: not self._unsettled(), 60.0, "rest")

    def _unsettled(self) -> list[Any]:
        states = {Instance: "state", NatGateway: "state", LoadBalancer: "state", VpcEndpoint: "state",
            Peering: "status", UserGroup: "status", ReplicationGroup: "status", CacheCluster: "status"}  # fmt: skip
        moving = ("pending", "provisioning", "creating", "modifying", "associating")
        world = self.world()
        return [r for kind, name in states.items() for r in world.all(kind) if getattr(r, name) in moving]


def make(paper: Live) -> None:
    """Fill an empty daemon."""
    ec2, cache, elb = paper.client(), paper.client("elasticache"), paper.client("elbv2")
    made = network(ec2)
    paper.settle()
    groups(ec2, made)
    machines(ec2, made, paper)
    edge(ec2, made, paper)
    balancers(ec2, elb, made, paper)
    caches(cache, made, paper)
    paper.settle()


def network(ec2: Any) -> dict[str, str]:
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp.example"]},
            {"Key": "domain-name-servers", "Values": ["10.0.0.2", "AmazonProvidedDNS"]}],
        TagSpecifications=tags("dhcp-options", "corp"))["DhcpOptions"]["DhcpOptionsId"]  # fmt: skip
    main = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc", "main", team='a "b" ${c}'))["Vpc"]
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags("vpc", "main"))["Vpc"]
    vpc = main["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.2.0.0/16")
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    found = {"vpc": vpc, "other": other["VpcId"]}
    for name, cidr, zone in (("public", "10.0.0.0/24", "a"), ("private", "10.0.1.0/24", "a"),
            ("private-b", "10.0.2.0/24", "b")):  # fmt: skip
        found[name] = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"us-east-1{zone}",
            TagSpecifications=tags("subnet", name))["Subnet"]["SubnetId"]  # fmt: skip
    ec2.modify_subnet_attribute(SubnetId=found["public"], MapPublicIpOnLaunch={"Value": True})
    gateway = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway", "door"))
    found["igw"] = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=found["igw"], VpcId=vpc)
    for name in ("public", "private"):
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table", name))["RouteTable"]
        found[f"{name}-table"] = table["RouteTableId"]
        ec2.associate_route_table(RouteTableId=found[f"{name}-table"], SubnetId=found[name])
    ec2.create_route(RouteTableId=found["public-table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=found["igw"])
    return found


def groups(ec2: Any, made: dict[str, str]) -> None:
    for name in ("app", "cache"):
        group = ec2.create_security_group(GroupName=name, Description=f"the {name} group", VpcId=made["vpc"])
        made[f"sg-{name}"] = group["GroupId"]
    listed = ec2.create_managed_prefix_list(PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4",
        Entries=[{"Cidr": "198.51.100.0/24", "Description": "Seoul"}])["PrefixList"]["PrefixListId"]  # fmt: skip
    ec2.authorize_security_group_ingress(GroupId=made["sg-cache"], IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6380, "UserIdGroupPairs": [
            {"GroupId": made["sg-app"], "Description": "from the app"}]}])  # fmt: skip
    ec2.authorize_security_group_ingress(GroupId=made["sg-app"], IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": listed}]},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])  # fmt: skip
    ec2.revoke_security_group_egress(GroupId=made["sg-cache"], IpPermissions=[
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])  # fmt: skip
    acl = ec2.create_network_acl(VpcId=made["vpc"], TagSpecifications=tags("network-acl", "strict"))["NetworkAcl"]
    for egress in (False, True):
        ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], Egress=egress, RuleNumber=100, Protocol="6",
            RuleAction="allow", CidrBlock="10.0.0.0/16", PortRange={"From": 1024, "To": 65535})  # fmt: skip
    (held,) = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [made["private-b"]]}])[
        "NetworkAcls"]  # fmt: skip
    association = next(a for a in held["Associations"] if a["SubnetId"] == made["private-b"])
    ec2.replace_network_acl_association(
        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl["NetworkAclId"])  # fmt: skip


def machines(ec2: Any, made: dict[str, str], paper: Live) -> None:
    ec2.import_key_pair(KeyName="me", PublicKeyMaterial=KEY)
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["amzn-ami-vpc-nat-*"]}])["Images"][0]["ImageId"]
    common = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    made["app"] = ec2.run_instances(**common, SubnetId=made["private"], SecurityGroupIds=[made["sg-app"]],
        KeyName="me", UserData="#!/bin/sh\necho \"it's ${HOME} %{x}\"\n", MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=tags("instance", "app"))["Instances"][0]["InstanceId"]  # fmt: skip
    made["nat"] = ec2.run_instances(**common, SubnetId=made["public"], PrivateIpAddress="10.0.0.55",
        SecurityGroupIds=[made["sg-app"]], TagSpecifications=tags("instance", "nat"))["Instances"][0]["InstanceId"]
    paper.settle()
    ec2.modify_instance_attribute(InstanceId=made["nat"], SourceDestCheck={"Value": False})
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", "nat"))["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=made["nat"])
    eni = ec2.create_network_interface(SubnetId=made["private"], Groups=[made["sg-app"]], Description="spare",
        PrivateIpAddress="10.0.1.77")["NetworkInterface"]["NetworkInterfaceId"]  # fmt: skip
    ec2.attach_network_interface(InstanceId=made["app"], NetworkInterfaceId=eni, DeviceIndex=1)


def edge(ec2: Any, made: dict[str, str], paper: Live) -> None:
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", "gateway"))["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=made["public"], AllocationId=address,
        TagSpecifications=tags("natgateway", "gateway"))["NatGateway"]["NatGatewayId"]  # fmt: skip
    paper.settle()
    ec2.create_route(RouteTableId=made["private-table"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    ec2.create_route(RouteTableId=made["private-table"], DestinationCidrBlock="198.51.100.0/24",
        InstanceId=made["nat"])  # fmt: skip
    peering = ec2.create_vpc_peering_connection(VpcId=made["vpc"], PeerVpcId=made["other"],
        TagSpecifications=tags("vpc-peering-connection", "both"))["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    paper.settle()
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [made["other"]]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="10.0.0.0/16",
        VpcPeeringConnectionId=peering)  # fmt: skip
    ec2.create_vpc_endpoint(VpcId=made["vpc"], ServiceName="com.amazonaws.us-east-1.s3",
        VpcEndpointType="Gateway", RouteTableIds=[made["private-table"]])  # fmt: skip
    ec2.create_vpc_endpoint(VpcId=made["vpc"], ServiceName="com.amazonaws.us-east-1.elasticache",
        VpcEndpointType="Interface", SubnetIds=[made["private"]], SecurityGroupIds=[made["sg-app"]])  # fmt: skip


def balancers(ec2: Any, elb: Any, made: dict[str, str], paper: Live) -> None:
    group = elb.create_target_group(Name="web", Protocol="TCP", Port=80, VpcId=made["vpc"], TargetType="instance",
        HealthCheckProtocol="HTTP", HealthCheckPath="/ok")["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": made["app"], "Port": 8080}])
    balancer = elb.create_load_balancer(Name="front", Type="network", Scheme="internal", Subnets=[made["private"]])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    paper.settle()
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=[
        {"Type": "forward", "TargetGroupArn": group}])  # fmt: skip
    service = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[arn], AcceptanceRequired=False)
    ec2.create_vpc_endpoint(VpcId=made["vpc"], VpcEndpointType="Interface", SubnetIds=[made["private"]],
        ServiceName=service["ServiceConfiguration"]["ServiceName"], SecurityGroupIds=[made["sg-app"]],
        PrivateDnsEnabled=False, TagSpecifications=tags("vpc-endpoint", "to-front"))  # fmt: skip


def caches(cache: Any, made: dict[str, str], paper: Live) -> None:
    cache.create_cache_subnet_group(CacheSubnetGroupName="private", CacheSubnetGroupDescription="two zones",
        SubnetIds=[made["private"], made["private-b"]])  # fmt: skip
    cache.create_cache_parameter_group(CacheParameterGroupName="lru", CacheParameterGroupFamily="valkey8",
        Description="evicts")  # fmt: skip
    cache.modify_cache_parameter_group(CacheParameterGroupName="lru", ParameterNameValues=[
        {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}])  # fmt: skip
    cache.create_user(UserId="off", UserName="default", Engine="valkey", AccessString="off -@all",
        Passwords=["nobody-comes-in-by-this"])  # fmt: skip
    cache.create_user(UserId="app", UserName="app", Engine="valkey", AccessString="on ~* +@all",
        Passwords=["a-password-of-the-app"])  # fmt: skip
    cache.create_user_group(UserGroupId="team", Engine="valkey", UserIds=["off", "app"])
    paper.settle()
    where = {"CacheSubnetGroupName": "private", "SecurityGroupIds": [made["sg-cache"]],
        "CacheNodeType": "cache.t3.micro"}  # fmt: skip
    cache.create_cache_cluster(CacheClusterId="pages", Engine="memcached", NumCacheNodes=2, AZMode="cross-az",
        **where)  # fmt: skip
    cache.create_replication_group(ReplicationGroupId="sessions", ReplicationGroupDescription="people's",
        Engine="valkey", EngineVersion="8.1", NumCacheClusters=2, AutomaticFailoverEnabled=True, MultiAZEnabled=True,
        CacheParameterGroupName="lru", **where)  # fmt: skip
    cache.create_replication_group(ReplicationGroupId="orders", ReplicationGroupDescription="shards", Engine="valkey",
        NumNodeGroups=2, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, TransitEncryptionEnabled=True,
        UserGroupIds=["team"], SnapshotRetentionLimit=1, **where)  # fmt: skip
    cache.create_serverless_cache(ServerlessCacheName="burst", Engine="valkey", SubnetIds=[made["private"],
        made["private-b"]], SecurityGroupIds=[made["sg-cache"]],
        CacheUsageLimits={"DataStorage": {"Maximum": 2, "Unit": "GB"}})  # fmt: skip


KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHmwZxZvk2rTsFjsTpGzUXkHTdD7mA7CqnbIwI1y1t0E me"
