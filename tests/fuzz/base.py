"""The world that a round begins with: something of everything, made by a user's own calls."""

import contextlib
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tests.api import caches
from tests.api.paper import Raw, as_received, tagging

ACCOUNTS = ("000000000000", "222222222222")
REGION = "us-east-1"
NODE = "cache.t3.micro"
PUBLIC = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Lr0Xw2f8mQpYy0d9p9mCw3pQb1nq3u2yqk7m4Tg5e somebody"


def build(stage: Any) -> None:
    """Fill a stage's store."""
    caches.install(stage)
    _network(_client(stage, "ec2", ACCOUNTS[1]), small=True)
    ec2 = _client(stage, "ec2", ACCOUNTS[0])
    place = _network(ec2)
    stage.settle()
    _edge(ec2, place)
    _balancer(_client(stage, "elbv2", ACCOUNTS[0]), place)
    _caches(_client(stage, "elasticache", ACCOUNTS[0]), place, stage)
    _watching(stage)


def _client(stage: Any, service: str, account: str) -> Any:
    made = boto3.client(
        service, region_name=REGION, endpoint_url="http://localhost:4566", aws_access_key_id=account,
        aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip

    def send(request: Any, **_: Any) -> Any:
        out = stage.ask(as_received(request))
        return AWSResponse(request.url, out.status, dict(out.headers), Raw(out.body))

    made.meta.events.register("before-send", send)
    return made


def _network(ec2: Any, *, small: bool = False) -> dict[str, str]:
    vpc = ec2.create_vpc(
        CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tagging("vpc", Name="shop")
    )["Vpc"]["VpcId"]
    out = {"vpc": vpc}
    for name, cidr, zone in (("a", "10.0.1.0/24", "us-east-1a"), ("b", "10.0.2.0/24", "us-east-1b")):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)
        out[name] = made["Subnet"]["SubnetId"]
    out["group"] = ec2.create_security_group(VpcId=vpc, GroupName="app", Description="of the app")["GroupId"]
    if small:
        return out
    ec2.authorize_security_group_ingress(
        GroupId=out["group"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    out["igw"] = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=out["igw"], VpcId=vpc)
    out["table"] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=out["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=out["igw"])
    ec2.associate_route_table(RouteTableId=out["table"], SubnetId=out["a"])
    ec2.import_key_pair(KeyName="key", PublicKeyMaterial=PUBLIC)
    image = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])
    for count, subnet in ((2, "a"), (1, "b")):
        ec2.run_instances(
            ImageId=image["Images"][-1]["ImageId"], MinCount=count, MaxCount=count, InstanceType="t3.micro",
            SubnetId=out[subnet], SecurityGroupIds=[out["group"]], KeyName="key",
        )  # fmt: skip
    return out


def _edge(ec2: Any, place: dict[str, str]) -> None:
    vpc, a, b = place["vpc"], place["a"], place["b"]
    for _ in range(2):
        address = ec2.allocate_address()["AllocationId"]
    ec2.create_nat_gateway(SubnetId=a, AllocationId=address)
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[place["table"]])
    ec2.create_network_acl(VpcId=vpc)
    ec2.create_network_interface(SubnetId=b, Groups=[place["group"]])
    ec2.create_egress_only_internet_gateway(VpcId=vpc)
    ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["shop.example"]}])
    ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
    )
    ec2.create_placement_group(GroupName="near", Strategy="cluster")
    instances = [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    path = ec2.create_network_insights_path(Source=instances[0], Destination=instances[1], Protocol="tcp")
    ec2.start_network_insights_analysis(NetworkInsightsPathId=path["NetworkInsightsPath"]["NetworkInsightsPathId"])
    with contextlib.suppress(ec2.exceptions.ClientError):
        ec2.create_flow_logs(
            ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="cloud-watch-logs",
            LogGroupName="/shop/flows", DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/flows",
        )  # fmt: skip
    with contextlib.suppress(ec2.exceptions.ClientError):
        ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": "app"}, InstanceId=instances[0])


def _balancer(elb: Any, place: dict[str, str]) -> None:
    made = elb.create_load_balancer(Name="front", Type="network", Scheme="internal", Subnets=[place["a"], place["b"]])
    group = elb.create_target_group(Name="apps", Protocol="TCP", Port=80, VpcId=place["vpc"], TargetType="instance")
    target = group["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"], Protocol="TCP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
    )  # fmt: skip


def _caches(cache: Any, place: dict[str, str], stage: Any) -> None:
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="private", CacheSubnetGroupDescription="nodes", SubnetIds=[place["a"], place["b"]]
    )
    cache.create_cache_parameter_group(
        CacheParameterGroupName="own", CacheParameterGroupFamily="valkey8", Description="ours"
    )
    where: dict[str, Any] = {"CacheNodeType": NODE, "CacheSubnetGroupName": "private"}
    cache.create_cache_cluster(CacheClusterId="pages", Engine="memcached", NumCacheNodes=2, **where)
    cache.create_cache_cluster(CacheClusterId="one", Engine="redis", NumCacheNodes=1, **where)
    cache.create_user(
        UserId="app", UserName="app", Engine="valkey", AccessString="on ~* +@all", Passwords=["0123456789abcdef-app"]
    )
    cache.create_user(
        UserId="default-off",
        UserName="default",
        Engine="valkey",
        AccessString="off -@all",
        Passwords=["0123456789abcdef-off"],
    )
    stage.settle()
    cache.create_user_group(UserGroupId="people", Engine="valkey", UserIds=["default-off"])
    stage.settle()
    cache.create_replication_group(
        ReplicationGroupId="rg", ReplicationGroupDescription="sessions", Engine="valkey", NumCacheClusters=2,
        AutomaticFailoverEnabled=True, **where,
    )  # fmt: skip
    cache.create_replication_group(
        ReplicationGroupId="sharded", ReplicationGroupDescription="sessions", Engine="valkey", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, **where,
    )  # fmt: skip
    cache.create_serverless_cache(ServerlessCacheName="burst", Engine="valkey", SubnetIds=[place["a"], place["b"]])
    stage.settle()
    cache.create_snapshot(ReplicationGroupId="rg", SnapshotName="nightly")


def _watching(stage: Any) -> None:
    logs, watch = _client(stage, "logs", ACCOUNTS[0]), _client(stage, "cloudwatch", ACCOUNTS[0])
    logs.create_log_group(logGroupName="/shop/slow")
    watch.put_metric_alarm(
        AlarmName="busy", MetricName="CPUUtilization", Namespace="AWS/ElastiCache", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=80.0, ComparisonOperator="GreaterThanThreshold",
        Dimensions=[{"Name": "CacheClusterId", "Value": "one"}],
    )  # fmt: skip
    quotas = _client(stage, "service-quotas", ACCOUNTS[0])
    with contextlib.suppress(Exception):
        quotas.request_service_quota_increase(ServiceCode="vpc", QuotaCode="L-F678F1CE", DesiredValue=50)
