"""A world with every kind of resource, made on paper: by boto3, and by what the control loops would have seen.

It uses no more than several versions of Atoll have in common, so that `record` can make it with an older one.
"""

import ipaddress

from botocore.exceptions import ClientError

from atoll.model.account import AccessKey
from atoll.model.alarm import MetricAlarm, remember
from atoll.model.internet import OutsideHost
from atoll.model.signing import SigningKey
from atoll.model.snapshot import Snapshot
from atoll.model.world import Caller
from tests.api import caches, snapshots
from tests.recipe import rich

BUILDS = (*caches.BUILDS, ("valkey", "8.1.4"), ("redis", "7.0.14"))
FARAWAY = "eu-west-1"
GROUP = {"ReplicationGroupDescription": "x", "CacheNodeType": "cache.m5.large"}


class Rest:
    """What `rich.make` fills: a paper world that comes to rest when it is asked to."""

    def __init__(self, paper):
        self.paper, self.write = paper, paper.write
        self.client = paper.client

    def settle(self):
        for _ in range(2):  # what a cache waits for may come to rest after it
            self.paper.settle()
            caches.settle(self.paper)
        snapshots.settle(self.paper)


def make(paper):
    """Fill an empty paper world; returns what this version of Atoll cannot make: step -> why."""
    caches.install(paper, BUILDS)
    rest, cannot = Rest(paper), {}
    rich.make(rest)
    for step in STEPS:
        try:
            step(rest)
        except (ClientError, AttributeError, ImportError, TypeError, ValueError) as error:
            cannot[step.__name__] = f"{type(error).__name__}: {error}"
        rest.settle()
    for step in SEEN:
        try:
            paper.write(step)
        except (ImportError, TypeError) as error:
            cannot[step.__name__] = f"{type(error).__name__}: {error}"
    return cannot


def accounts(rest):
    rest.client("ec2", account="222222222222").create_vpc(CidrBlock="10.9.0.0/16")
    rest.client("sts").assume_role(RoleArn="arn:aws:iam::000000000000:role/app", RoleSessionName="one")


def six(rest):
    ec2 = rest.client()
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    made = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    ec2.create_route(
        RouteTableId=table["RouteTableId"], DestinationIpv6CidrBlock="::/0",
        EgressOnlyInternetGatewayId=made["EgressOnlyInternetGatewayId"],
    )  # fmt: skip


def flow_logs(rest):
    ec2 = rest.client()
    vpc = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"][0]["VpcId"]
    about = {"ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "ALL"}
    ec2.create_flow_logs(LogGroupName="flows", DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/f", **about)
    ec2.create_flow_logs(LogDestinationType="s3", LogDestination="arn:aws:s3:::my-logs/team", **about)


def logs(rest):
    rest.client("logs").create_log_group(logGroupName="mine", tags={"team": "a"})


def placement(rest):
    rest.client().create_placement_group(GroupName="apart", Strategy="spread")


def twice(rest):
    ec2 = rest.client()
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    for _ in range(2):
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, ClientToken="once")


def paths(rest):
    ec2 = rest.client()
    one, two = [i["Instances"][0]["InstanceId"] for i in ec2.describe_instances()["Reservations"]][:2]
    path = ec2.create_network_insights_path(Source=one, Destination=two, Protocol="tcp", DestinationPort=22)
    ec2.start_network_insights_analysis(NetworkInsightsPathId=path["NetworkInsightsPath"]["NetworkInsightsPathId"])


def quotas(rest):
    rest.client("service-quotas").request_service_quota_increase(
        ServiceCode="vpc", QuotaCode="L-F678F1CE", DesiredValue=200
    )


def alarms(rest):
    rest.client("cloudwatch").put_metric_alarm(
        AlarmName="full", Namespace="AWS/ElastiCache", MetricName="CurrItems", Statistic="Maximum", Period=60,
        EvaluationPeriods=1, Threshold=5.0, ComparisonOperator="GreaterThanOrEqualToThreshold",
        Dimensions=[{"Name": "CacheClusterId", "Value": "pages"}],
    )  # fmt: skip


def classic(rest):
    from atoll.admin import classic

    old = Caller(account="333333333333", region="us-east-1", arn="arn:aws:iam::333333333333:root")
    rest.paper.store.write(lambda tx: classic.change(tx, old, enabled=True))
    rest.client("elasticache", account=old.account).create_cache_security_group(
        CacheSecurityGroupName="app", Description="the app"
    )


def reserved(rest):
    cache = rest.client("elasticache")
    offer = cache.describe_reserved_cache_nodes_offerings(
        CacheNodeType="cache.t3.micro", Duration="1", ProductDescription="valkey", OfferingType="No Upfront"
    )["ReservedCacheNodesOfferings"][0]
    cache.purchase_reserved_cache_nodes_offering(
        ReservedCacheNodesOfferingId=offer["ReservedCacheNodesOfferingId"], ReservedCacheNodeId="mine"
    )


def logged(rest):
    rest.client("elasticache").create_replication_group(
        ReplicationGroupId="logged", Engine="valkey", NumCacheClusters=2, **GROUP, LogDeliveryConfigurations=[{
            "LogType": "slow-log", "LogFormat": "json", "DestinationType": "cloudwatch-logs",
            "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "slow"}}}],
    )  # fmt: skip


def around_the_world(rest):
    cache, far = rest.client("elasticache"), rest.client("elasticache", region=FARAWAY)
    cache.create_replication_group(ReplicationGroupId="one", Engine="valkey", NumCacheClusters=2, **GROUP)
    rest.settle()
    made = cache.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one"
    )["GlobalReplicationGroup"]
    from atoll.cache import global_group as steps
    from atoll.model.cache import ReplicationGroup
    from atoll.model.global_group import GlobalReplicationGroup

    (datastore,) = rest.paper.world.all(GlobalReplicationGroup)
    (one,) = rest.paper.world.all(ReplicationGroup, name="one")
    rest.write(lambda tx: steps.associated(tx, datastore.id, one.id))
    far.create_replication_group(
        ReplicationGroupId="two", ReplicationGroupDescription="x",
        GlobalReplicationGroupId=made["GlobalReplicationGroupId"],
    )  # fmt: skip


def kept(rest):
    cache = rest.client("elasticache")
    cache.create_snapshot(SnapshotName="night", ReplicationGroupId="orders")
    rest.settle()
    assert next(iter(rest.paper.world.all(Snapshot))).status == "available"


def kept_serverless(rest):
    rest.client("elasticache").create_serverless_cache_snapshot(
        ServerlessCacheSnapshotName="noon", ServerlessCacheName="burst"
    )


def updated(rest):
    """A newer patch is found, and applied to one of two groups."""
    from atoll.control.engines import Engines
    from atoll.host.paper import PaperHost
    from atoll.model.engine import engine_build

    class Found(PaperHost):
        def builds(self):
            return [engine_build(engine, version, tls=True) for engine, version in (*BUILDS, ("redis", "7.0.16"))]

    cache = rest.client("elasticache")
    cache.create_replication_group(
        ReplicationGroupId="patched", Engine="redis", EngineVersion="7.0", NumCacheClusters=2, **GROUP
    )
    rest.settle()
    Engines(rest.paper.store, Found()).note()
    update = cache.describe_service_updates()["ServiceUpdates"][0]["ServiceUpdateName"]
    cache.batch_apply_update_action(ReplicationGroupIds=["patched"], ServiceUpdateName=update)


STEPS = (
    accounts, six, flow_logs, logs, placement, twice, paths, quotas, alarms, classic, reserved, logged,
    around_the_world, kept, kept_serverless, updated,
)  # fmt: skip


# What only the private API, the metadata service or a loop of the daemon writes


def fault(tx):
    from atoll.model.fault import Fault

    tx.put(Fault(id="fault-1", account="", region="", act="kill-host", target="us-east-1a/9/9", since=tx.now))


def lesson(tx):
    from atoll.model.lesson import Lesson

    tx.put(Lesson(id="acl", account="000000000000", region="us-east-1", opened=tx.now, built=True, done=("one",)))


def outside(tx):
    tx.put(OutsideHost(id="198.51.100.27", account="", region="", address=ipaddress.ip_address("198.51.100.27")))


def signed(tx):
    tx.put(SigningKey(id="metadata", account="", region="", secret="c2VjcmV0"))


def key(tx):
    if not any(True for _ in tx.world.seen_by(None).all(AccessKey)):
        tx.put(AccessKey(id="AKIA1", account="000000000000", region="us-east-1", secret="s", arn="a", issued=tx.now))


def alarmed(tx):
    for alarm in list(tx.world.seen_by(None).all(MetricAlarm)):
        remember(tx, alarm, "StateUpdate", "Alarm updated from OK to ALARM", "{}")


SEEN = (fault, lesson, outside, signed, key, alarmed)
