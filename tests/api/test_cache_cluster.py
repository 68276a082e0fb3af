"""CreateCacheCluster, DescribeCacheClusters and DeleteCacheCluster through boto3."""

from datetime import timedelta

import pytest

from atoll.cache import transitions
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster
from atoll.model.engine import EngineBuild
from atoll.model.interface import Interface
from tests.api.caches import NODE, settle
from tests.api.paper import ACCOUNT, code, refusal


def addresses(paper, name):
    cluster = next(c for c in paper.world.all(CacheCluster) if c.name == name)
    return [str(paper.world[Interface, node.interface_id].address) for node in cluster.nodes]


def test_a_new_cluster_shows_what_belongs_to_it_as_a_whole_and_no_node(cache, private):
    made = cache.redis("Cluster-Test", CacheSubnetGroupName=private, EngineVersion="7.0")

    assert made == {
        "CacheClusterId": "cluster-test",
        "ClientDownloadLandingPage": "https://console.aws.amazon.com/elasticache/home#client-download:",
        "CacheNodeType": NODE,
        "Engine": "redis",
        "EngineVersion": "7.0.15",
        "CacheClusterStatus": "creating",
        "NumCacheNodes": 1,
        "PreferredMaintenanceWindow": made["PreferredMaintenanceWindow"],
        "PendingModifiedValues": {},
        "CacheSecurityGroups": [],
        "CacheParameterGroup": {
            "CacheParameterGroupName": "default.redis7",
            "ParameterApplyStatus": "in-sync",
            "CacheNodeIdsToReboot": [],
        },
        "CacheSubnetGroupName": private,
        "AutoMinorVersionUpgrade": True,
        "SecurityGroups": made["SecurityGroups"],
        "SnapshotRetentionLimit": 0,
        "SnapshotWindow": made["SnapshotWindow"],
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": False,
        "AtRestEncryptionEnabled": False,
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:cluster:cluster-test",
        "ReplicationGroupLogDeliveryEnabled": False,
        "LogDeliveryConfigurations": [],
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
    }


def test_a_cluster_is_available_when_its_nodes_answered_and_shows_their_endpoints(cache, paper, private):
    cache.memcached("mem", 3, CacheSubnetGroupName=private)
    assert "CacheNodes" not in cache.cluster("mem")

    settle(paper)

    cache.get_waiter("cache_cluster_available").wait(
        CacheClusterId="mem", WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    shown = cache.cluster("MEM")
    host = shown["ConfigurationEndpoint"]["Address"].split(".")
    assert shown["ConfigurationEndpoint"]["Port"] == 11211
    assert [host[0], host[2:]] == ["mem", ["cfg", "use1", "cache", "amazonaws", "com"]]
    assert [n["Endpoint"]["Address"] for n in shown["CacheNodes"]] == [
        f"mem.{host[1]}.{id}.use1.cache.amazonaws.com" for id in ("0001", "0002", "0003")
    ]
    assert {n["CacheNodeStatus"] for n in shown["CacheNodes"]} == {"available"}
    assert shown["PreferredAvailabilityZone"] == "us-east-1a"
    assert addresses(paper, "mem") == ["10.0.1.4", "10.0.1.5", "10.0.1.6"]
    assert cache.told("mem", "cache-cluster") == ["Cache cluster created"]


def test_nodes_are_shown_only_when_asked_for(cache, paper):
    cache.redis()
    settle(paper)

    assert "CacheNodes" not in cache.describe_cache_clusters()["CacheClusters"][0]


def test_a_node_is_a_network_interface_of_the_service(cache, ec2, private):
    cache.redis(CacheSubnetGroupName=private)

    interface = ec2.describe_network_interfaces()["NetworkInterfaces"][0]
    assert interface["Description"] == "ElastiCache one"
    assert (interface["RequesterId"], interface["RequesterManaged"]) == ("amazon-elasticache", True)
    assert interface["Attachment"]["AttachmentId"].startswith("ela-attach-")
    assert interface["Attachment"]["InstanceOwnerId"] == "amazon-elasticache"
    assert "Association" not in interface


def test_a_cluster_without_security_groups_gets_the_default_group_of_its_vpc(cache, ec2, vpc, private):
    made = cache.redis(CacheSubnetGroupName=private)

    own = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    assert made["SecurityGroups"] == [{"SecurityGroupId": own, "Status": "active"}]


def test_a_cluster_without_a_subnet_group_goes_into_the_default_vpc(cache, paper):
    assert cache.redis()["CacheSubnetGroupName"] == "default"
    assert addresses(paper, "one") == ["172.31.0.4"]


@pytest.mark.parametrize(
    ("engine", "port", "expected"),
    [("memcached", None, 11211), ("redis", None, 6379), ("redis", 6390, 6390)],
    ids=["memcached", "redis", "the port asked for"],
)
def test_the_port_is_the_engines_own_unless_asked_for(cache, paper, engine, port, expected):
    cache.redis("c", Engine=engine, **({"Port": port} if port else {}))
    settle(paper)

    assert cache.cluster("c")["CacheNodes"][0]["Endpoint"]["Port"] == expected
    assert [node.port for node in nodes(paper.world)] == [expected]


def test_cross_az_spreads_over_the_zones_of_the_subnet_group(cache, paper, private):
    cache.memcached("mem", 3, CacheSubnetGroupName=private, AZMode="cross-az")
    settle(paper)

    shown = cache.cluster("mem")
    assert shown["PreferredAvailabilityZone"] == "Multiple"
    zones = [n["CustomerAvailabilityZone"] for n in shown["CacheNodes"]]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1a"]


def test_each_node_goes_into_the_zone_listed_for_it(cache, paper, private):
    listed = ["us-east-1b", "us-east-1a"]
    cache.memcached("mem", 2, CacheSubnetGroupName=private, PreferredAvailabilityZones=listed)
    settle(paper)

    assert [n["CustomerAvailabilityZone"] for n in cache.cluster("mem")["CacheNodes"]] == listed


VALUE = "InvalidParameterValue"
BOTH = "InvalidParameterCombination"


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"Engine": "valkey"}, VALUE,
         "This API doesn't support Valkey engine. "
         "Please use CreateReplicationGroup API for Valkey cluster creation."),
        ({"CacheNodeType": None}, VALUE, "The parameter CacheNodeType must be provided and must not be null."),
        ({"Engine": None}, VALUE, "The parameter Engine must be provided and must not be null."),
        ({"NumCacheNodes": None}, VALUE, "The parameter NumCacheNodes must be provided and must not be null."),
        ({"NumCacheNodes": 2}, VALUE, "NumCacheNodes must be 1 for engine redis."),
        ({"NumCacheNodes": 0}, VALUE, "NumCacheNodes must be at least 1."),
        ({"Engine": "memcached", "NumCacheNodes": 61}, "NodeQuotaForClusterExceeded",
         "Cluster node quota exceeded. Each cluster can have at most 60 nodes in this region."),
        ({"Engine": "mysql"}, VALUE, "Invalid value mysql for Engine. Must be one of memcached, redis, valkey."),
        ({"EngineVersion": "7.0.15"}, VALUE,
         "Specific version selection is not allowed for '7.0.15', please use '7.0'"),
        ({"EngineVersion": "7.1"}, VALUE,
         "Cannot find version 7.1 for redis. The versions available here are: 6.2, 7.0. To have another one, "
         "put its server into a directory for `atoll up --engine-dir` (docs/engines.md)."),
        ({"CacheNodeType": "cache.z9.large"}, VALUE, "Invalid Cache Node Type: cache.z9.large."),
        ({"CacheNodeType": "cache.m1.small"}, VALUE,
         "The cache node type cache.m1.small is of a previous generation: no new nodes."),
        ({"CacheNodeType": "cache.r6gd.xlarge"}, VALUE,
         "Atoll does not support CacheNodeType=cache.r6gd.xlarge: no node here keeps data on a disk."),
        ({"CacheParameterGroupName": "default.redis6.x"}, BOTH,
         "Expected a parameter group of family redis7 but found one of family redis6.x"),
        ({"CacheParameterGroupName": "default.redis7.cluster.on"}, BOTH,
         "Cluster mode should be disabled in parameter group, but found it is enabled."),
        ({"CacheParameterGroupName": "nobody"}, "CacheParameterGroupNotFound",
         "CacheParameterGroup not found: nobody"),
        ({"CacheSubnetGroupName": "nobody"}, "CacheSubnetGroupNotFoundFault",
         "Cache Subnet Group nobody does not exist."),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, VALUE,
         "Some input security groups in :[sg-0123456789abcdef0] are invalid."),
        ({"CacheSecurityGroupNames": ["default"]}, BOTH,
         "Use of cache security groups is not permitted along with cache subnet group and/or security group Ids."),
        ({"Port": 0}, VALUE, "Invalid value 0 for Port. Must be between 1 and 65535."),
        ({"AZMode": "cross-az"}, BOTH, "AZMode is only supported for Memcached cache clusters."),
        ({"AZMode": "both"}, VALUE, "Invalid value both for AZMode. Valid values: single-az, cross-az"),
        ({"Engine": "memcached", "AZMode": "cross-az"}, BOTH,
         "AZMode cross-az needs more than one cache node."),
        ({"Engine": "memcached", "PreferredAvailabilityZones": ["us-east-1a", "us-east-1b"]}, BOTH,
         "PreferredAvailabilityZones must list 1 availability zones, one for each node."),
        ({"PreferredAvailabilityZone": "us-east-1z"}, VALUE,
         "The cache subnet group default has no subnet in the availability zone us-east-1z."),
        ({"NetworkType": "ipv6"}, VALUE, "Atoll does not support NetworkType=ipv6: caches have IPv4 addresses."),
        ({"SnapshotRetentionLimit": -1}, VALUE,
         "Invalid value -1 for SnapshotRetentionLimit. Must be between 0 and 35."),
        ({"AuthToken": "a" * 16}, VALUE, "Atoll does not support the parameter AuthToken of CreateCacheCluster."),
        ({"NotificationTopicArn": "topic"}, VALUE,
         "Invalid value topic for NotificationTopicArn. Must be the ARN of an SNS topic."),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, VALUE, "Tag keys that start with aws: are reserved."),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_met_is_refused_by_name_and_makes_nothing(cache, paper, asked, expected, words):
    request = {"Engine": "redis", "NumCacheNodes": 1, "CacheNodeType": NODE} | asked
    given = {name: value for name, value in request.items() if value is not None}

    assert refusal(cache.create_cache_cluster, CacheClusterId="c", **given) == (expected, words)

    assert not list(paper.world.all(CacheCluster))
    assert not list(paper.world.all(Interface))


@pytest.mark.parametrize("name", ["1a", "a-", "a--b", "a_b", "-a", "a" * 51, "한"], ids=lambda n: n[:5])
def test_a_name_that_aws_would_not_take_is_refused(cache, name):
    got, words = refusal(cache.redis, name)

    assert got == "InvalidParameterValue"
    assert "CacheClusterIdentifier" in words


def test_a_name_is_taken_whatever_its_case(cache):
    cache.redis("Cache")

    assert code(cache.redis, "cACHE") == "CacheClusterAlreadyExists"


def test_security_groups_of_another_vpc_are_refused(cache, ec2, private):
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    foreign = ec2.create_security_group(GroupName="x", Description="x", VpcId=other)["GroupId"]

    got, words = refusal(cache.redis, CacheSubnetGroupName=private, SecurityGroupIds=[foreign])

    assert got == "InvalidParameterCombination"
    assert words.startswith("Subnet group [private] belongs to a different VPC [vpc-")


def test_a_full_subnet_makes_nothing(cache, ec2, vpc, paper):
    small = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="small", CacheSubnetGroupDescription="11 addresses", SubnetIds=[small]
    )

    assert code(cache.memcached, "mem", 12, CacheSubnetGroupName="small") == "InvalidVPCNetworkStateFault"
    assert not list(paper.world.all(Interface))
    assert cache.memcached("mem", 11, CacheSubnetGroupName="small")["NumCacheNodes"] == 11


def test_a_region_holds_300_nodes(cache):
    for n in range(7):
        cache.memcached(f"m{n}", 40)

    assert code(cache.memcached, "m7", 21) == "NodeQuotaForCustomerExceeded"
    assert cache.memcached("m7", 20)["NumCacheNodes"] == 20


def test_a_machine_without_the_engine_says_what_to_do(cache, paper):
    gone = [b for b in paper.world.all(EngineBuild) if b.engine == "memcached"]
    paper.write(lambda tx: [tx.delete(build) for build in gone])

    assert refusal(cache.memcached) == (
        "InvalidParameterValue",
        "Atoll found no memcached that this machine can run; install the package that has it, and Atoll finds it "
        "within seconds.",
    )


def test_a_deleted_cluster_is_deleting_until_its_nodes_have_gone(cache, paper, private):
    cache.memcached("mem", 2, CacheSubnetGroupName=private)
    settle(paper)

    assert cache.delete_cache_cluster(CacheClusterId="mem")["CacheCluster"]["CacheClusterStatus"] == "deleting"
    assert nodes(paper.world) == ()
    assert cache.cluster("mem")["CacheClusterStatus"] == "deleting"
    settle(paper)

    cache.get_waiter("cache_cluster_deleted").wait(CacheClusterId="mem", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    assert not list(paper.world.all(Interface))


def test_a_cluster_that_is_coming_up_cannot_be_deleted_unless_it_cannot_come_up(cache, paper):
    cache.redis("fine")
    cache.redis("stuck")
    stuck = next(c for c in paper.world.all(CacheCluster) if c.name == "stuck")
    paper.write(lambda tx: transitions.node_failed(tx, stuck.id, "0001", "no such program"))

    assert refusal(cache.delete_cache_cluster, CacheClusterId="fine") == (
        "InvalidCacheClusterState",
        "Cache cluster fine is not in a valid state to be deleted.",
    )
    cache.delete_cache_cluster(CacheClusterId="stuck")
    assert cache.told("stuck", "cache-cluster") == ["Cache node 0001 cannot run: no such program"]
    paper.clock += timedelta(minutes=2)
    cache.delete_cache_cluster(CacheClusterId="fine")


def test_what_is_not_there_is_not_found(cache):
    expected = "CacheClusterNotFound", "CacheCluster not found: nobody"

    for call in (cache.describe_cache_clusters, cache.delete_cache_cluster, cache.modify_cache_cluster):
        assert refusal(call, CacheClusterId="nobody") == expected
    with pytest.raises(cache.exceptions.CacheClusterNotFoundFault) as caught:
        cache.describe_cache_clusters(CacheClusterId="nobody")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_clusters_belong_to_an_account_and_a_region(cache, paper):
    cache.redis()

    for other in (
        paper.client("elasticache", account="222222222222"),
        paper.client("elasticache", region="eu-west-1"),
    ):
        assert other.describe_cache_clusters()["CacheClusters"] == []
        assert code(other.describe_cache_clusters, CacheClusterId="one") == "CacheClusterNotFound"
        assert code(other.delete_cache_cluster, CacheClusterId="one") == "CacheClusterNotFound"
        made = other.create_cache_cluster(
            CacheClusterId="one", Engine="redis", NumCacheNodes=1, CacheNodeType=NODE
        )  # the name is free there
        assert made["CacheCluster"]["CacheClusterStatus"] == "creating"


def test_the_security_groups_of_another_account_do_not_exist(cache, stranger):
    foreign = stranger.describe_security_groups()["SecurityGroups"][0]["GroupId"]

    assert code(cache.redis, SecurityGroupIds=[foreign]) == "InvalidParameterValue"


def test_listings_come_in_pages_by_name(cache):
    for n in range(45):
        cache.redis(f"c{n:02d}")
    cache.group("rg", 1)

    pages = list(cache.get_paginator("describe_cache_clusters").paginate(PaginationConfig={"PageSize": 20}))
    alone = cache.describe_cache_clusters(ShowCacheClustersNotInReplicationGroups=True)["CacheClusters"]

    assert [len(page["CacheClusters"]) for page in pages] == [20, 20, 6]
    assert [c["CacheClusterId"] for page in pages for c in page["CacheClusters"]][:2] == ["c00", "c01"]
    assert len(alone) == 45
    assert code(cache.describe_cache_clusters, MaxRecords=19) == "InvalidParameterValue"
    assert code(cache.describe_cache_clusters, Marker="forged") == "InvalidParameterValue"
