"""Rows 36, 78 and 187 to 190: names, documents, and that everything can be seen by the API."""

from pathlib import Path

import pytest

from tests.scenario.page import Page
from tests.scenario.stage import CLIENT, ELASTIC_IP, NAT_IP, NODES, Stage

DOCUMENTS = Path(__file__).parents[2] / "docs"
ASK_DNS = """
import sys
from dnslib import DNSRecord
try:
    answer = DNSRecord.parse(DNSRecord.question(sys.argv[1]).send(sys.argv[2], timeout=float(sys.argv[3])))
    print(" ".join(str(record.rdata) for record in answer.rr) or "nothing")
except TimeoutError:
    print("silence")
except OSError as error:
    print("error", error)
"""


@pytest.fixture(scope="module")
def page(valkey_page: Page) -> Page:
    return valkey_page


def ask(stage: Stage, here: str, name: str, server: str, seconds: float = 5) -> str:
    ended = stage.run(here, [stage.python, "-c", ASK_DNS, name, server, str(seconds)])
    return ended.output.strip() or f"no output, exit status {ended.code}"


def test_row_036_the_documentation_says_that_this_is_for_tests_only():
    said = " ".join((DOCUMENTS / "scenario.md").read_text().split())
    assert "all this is for tests and development only" in said


def test_row_078_the_documentation_links_to_related_topics():
    said = (DOCUMENTS / "scenario.md").read_text().split("## Related topics")[1]
    for page in ("network.md", "caches.md", "instances.md", "limits.md"):
        assert f"]({page})" in said
        assert (DOCUMENTS / page).exists()


def test_row_187_endpoint_names_resolve_at_the_vpcs_resolver_and_only_inside(stage, page):
    for cluster, address in zip(page.clusters, NODES, strict=True):
        ((name, _),) = stage.endpoints(cluster)
        assert ask(stage, page.app, name, "10.0.0.2") == address
        assert ask(stage, page.app, name, "169.254.169.253") == address
        assert stage.typed(page.app, f"getent hosts {name}").split() == [address, name]
        assert ask(stage, CLIENT, name, "10.0.0.2", 0.5) in ("silence", "error [Errno 101] Network is unreachable")
        # The names are public on AWS, too; what they lead to is not.
        assert stage.shell(CLIENT, f"redis-cli -t 1 -h {name} PING").output.strip() != "PONG"
    stage.allow(page.cluster_group, 6379, stage.default_group(page.vpc))
    assert stage.typed(page.app, f"redis-cli -h {name} PING") == "PONG"
    assert stage.typed(page.app, f"redis-cli -h {address} PING") == "PONG"


def test_row_189_a_nat_instance_may_use_a_public_address_that_is_not_an_elastic_ip(stage, page):
    nic = [{"DeviceIndex": 0, "SubnetId": page.public, "Groups": [page.nat_group], "AssociatePublicIpAddress": True}]
    image = stage.image("amzn-ami-vpc-nat-*")
    made = stage.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, NetworkInterfaces=nic)
    instance = made["Instances"][0]["InstanceId"]
    stage.booted(instance)
    found = stage.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    public, private = found["PublicIpAddress"], found["PrivateIpAddress"]
    for line in (page.forwards[0], f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {private}"):
        stage.typed(instance, line)
    assert stage.reach(CLIENT, public, 6379, "PING") == "connected +PONG"
    addresses = stage.ec2.describe_addresses()["Addresses"]
    assert [address["PublicIp"] for address in addresses] == [ELASTIC_IP]  # it is not one of these
    stage.terminate(instance)


def test_row_190_everything_is_visible_by_the_api(stage, page):
    ec2, cache = stage.ec2, stage.cache
    in_vpc = [{"Name": "vpc-id", "Values": [page.vpc]}]
    (vpc,) = ec2.describe_vpcs(VpcIds=[page.vpc])["Vpcs"]
    assert (vpc["CidrBlock"], vpc["State"]) == ("10.0.0.0/16", "available")
    subnets = ec2.describe_subnets(Filters=in_vpc)["Subnets"]
    assert {subnet["SubnetId"] for subnet in subnets} == {page.public, page.private}
    tables = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]
    assert sorted(len(table["Routes"]) for table in tables) == [1, 2]
    gateways = [{"Name": "attachment.vpc-id", "Values": [page.vpc]}]
    assert len(ec2.describe_internet_gateways(Filters=gateways)["InternetGateways"]) == 1
    assert len(ec2.describe_network_acls(Filters=in_vpc)["NetworkAcls"]) == 1
    groups = {group["GroupId"] for group in ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"]}
    assert groups == {page.nat_group, page.cluster_group, stage.default_group(page.vpc)}
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [page.cluster_group]}])
    assert page.nat_group in {
        rule.get("ReferencedGroupInfo", {}).get("GroupId") for rule in rules["SecurityGroupRules"]
    }
    (address,) = ec2.describe_addresses(AllocationIds=[page.allocation])["Addresses"]
    assert (address["PublicIp"], address["PrivateIpAddress"]) == (ELASTIC_IP, NAT_IP)
    assert len(ec2.describe_key_pairs()["KeyPairs"]) == 1
    instances = ec2.describe_instances(InstanceIds=[page.app, page.nat])["Reservations"]
    assert {r["Instances"][0]["State"]["Name"] for r in instances} == {"running"}
    interfaces = ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"]
    assert {*NODES, NAT_IP} < {interface["PrivateIpAddress"] for interface in interfaces}
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [page.nat]}])["Volumes"]
    assert len(volumes) == 1
    (group,) = cache.describe_replication_groups(ReplicationGroupId=page.replication_group)["ReplicationGroups"]
    assert (group["Status"], group["MemberClusters"]) == ("available", list(page.clusters))
    clusters = cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    assert {cluster["CacheClusterId"] for cluster in clusters} == set(page.clusters)
    assert {cluster["CacheNodes"][0]["CacheNodeStatus"] for cluster in clusters} == {"available"}
    (found,) = cache.describe_cache_subnet_groups(CacheSubnetGroupName=page.subnet_group)["CacheSubnetGroups"]
    assert (found["VpcId"], found["Subnets"][0]["SubnetIdentifier"]) == (page.vpc, page.private)
    sources = {event["SourceIdentifier"] for event in cache.describe_events(Duration=60)["Events"]}
    assert page.replication_group in sources
