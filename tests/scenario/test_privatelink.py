"""Rows 113 to 117: a cache of one VPC used from another, whose range is the same, through PrivateLink."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import Stage

OTHER_ACCOUNT = "222222222222"
CIDR, FIRST = "10.0.0.0/16", "10.0.0.0/24"
ZONE = "us-east-1a"


@dataclass
class Link:
    """A provider with a cache behind a load balancer, and a consumer in another account with the same range."""

    provider: Stage
    consumer: Stage
    elb: Any
    balancer: str
    balancer_ip: str
    targets: str
    cache_group: str
    service: str
    name: str
    vpc: str
    subnet: str
    app: str
    group: str


def subnet(stage: Stage, vpc: str) -> str:
    made = stage.ec2.create_subnet(VpcId=vpc, CidrBlock=FIRST, AvailabilityZone=ZONE)
    found: str = made["Subnet"]["SubnetId"]
    return found


@pytest.fixture(scope="module")
def link(stage: Stage) -> Link:
    consumer, elb = Stage(stage.atoll, OTHER_ACCOUNT), stage.atoll.client("elbv2")
    vpc = stage.vpc(CIDR, internet=False)
    near = subnet(stage, vpc)
    group = stage.group(vpc)
    node = stage.cluster("redis", stage.subnet_group(near), group)
    (address,) = stage.node_addresses(node)
    made = elb.create_load_balancer(Name="caches", Type="network", Scheme="internal", Subnets=[near])
    balancer = made["LoadBalancers"][0]
    ip = balancer["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
    stage.allow(group, 6379, f"{ip}/32")
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    targets = elb.create_target_group(
        Name="caches", Protocol="TCP", Port=6379, VpcId=vpc, TargetType="ip", HealthyThresholdCount=2, **check
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": address}])
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    arn = balancer["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=6379, DefaultActions=forward)
    offered = stage.ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[arn])
    service = offered["ServiceConfiguration"]
    permit = stage.ec2.modify_vpc_endpoint_service_permissions
    permit(ServiceId=service["ServiceId"], AddAllowedPrincipals=[f"arn:aws:iam::{OTHER_ACCOUNT}:root"])
    theirs = consumer.vpc(CIDR, internet=False)
    consumer.ec2.modify_vpc_attribute(VpcId=theirs, EnableDnsHostnames={"Value": True})
    far, door = subnet(consumer, theirs), consumer.group(theirs)
    consumer.allow(door, 6379, CIDR)
    return Link(
        stage, consumer, elb, arn, ip, targets, group, service["ServiceId"],
        service["ServiceName"], theirs, far, consumer.instance(far), door,
    )  # fmt: skip


def health(link: Link) -> str:
    found = link.elb.describe_target_health(TargetGroupArn=link.targets)["TargetHealthDescriptions"]
    state: str = found[0]["TargetHealth"]["State"]
    return state


def ask(link: Link) -> dict[str, Any]:
    call = {"VpcId": link.vpc, "ServiceName": link.name, "VpcEndpointType": "Interface", "SubnetIds": [link.subnet]}
    made: dict[str, Any] = link.consumer.ec2.create_vpc_endpoint(
        **call, SecurityGroupIds=[link.group], PrivateDnsEnabled=False
    )["VpcEndpoint"]
    return made


def state(link: Link, id: str) -> str:
    found: str = link.consumer.ec2.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"][0]["State"]
    return found


def address_of(link: Link, endpoint: dict[str, Any]) -> str:
    found = link.consumer.ec2.describe_network_interfaces(NetworkInterfaceIds=endpoint["NetworkInterfaceIds"])
    address: str = found["NetworkInterfaces"][0]["PrivateIpAddress"]
    return address


def end(link: Link, id: str) -> None:
    link.consumer.ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
    until(lambda: not link.consumer.ec2.describe_vpc_endpoints()["VpcEndpoints"], 5, "the endpoint gone")


def test_row_113_an_endpoint_and_an_endpoint_service_are_privatelink(link):
    until(lambda: health(link) == "healthy", 20, "a healthy target")
    link.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[link.balancer])
    made = ask(link)
    id, address = made["VpcEndpointId"], address_of(link, made)
    assert state(link, id) == "pendingAcceptance"
    assert link.consumer.is_dropped(link.app, address, 6379)
    assert link.consumer.refusal(link.app, address, 6379).code == "BAD_STATE"

    link.provider.ec2.accept_vpc_endpoint_connections(ServiceId=link.service, VpcEndpointIds=[id])
    assert link.consumer.reach(link.app, address, 6379, "PING") == "connected +PONG"
    until(lambda: state(link, id) == "available", 5, "an available endpoint")
    name = made["DnsEntries"][0]["DnsName"]
    assert link.consumer.typed(link.app, f"redis-cli -h {name} PING") == "PONG"

    with link.consumer.without(link.group, 6379, CIDR):  # the endpoint's group is obeyed
        assert link.consumer.is_dropped(link.app, address, 6379)
        assert link.consumer.refusal(link.app, address, 6379).code == "SG_HAS_NO_RULES"
    assert link.consumer.is_dropped(link.app, address, 6380)

    link.provider.ec2.reject_vpc_endpoint_connections(ServiceId=link.service, VpcEndpointIds=[id])
    assert link.consumer.is_dropped(link.app, address, 6379)
    end(link, id)


def test_row_116_without_an_endpoint_there_is_no_way(link):
    assert link.consumer.is_dropped(link.app, link.balancer_ip, 6379)
    with pytest.raises(AssertionError, match="no interface has the private address"):  # of the consumer's
        link.consumer.trace(link.app, link.balancer_ip, 6379)


def test_row_117_the_target_sees_the_balancer_and_opens_nothing(link):
    made = ask(link)
    id, address = made["VpcEndpointId"], address_of(link, made)
    link.provider.ec2.accept_vpc_endpoint_connections(ServiceId=link.service, VpcEndpointIds=[id])
    listed = link.consumer.redis(link.app, address, 6379, "CLIENT", "LIST")
    assert f"addr={link.balancer_ip}:" in listed, listed
    lines = link.consumer.trace(link.app, address, 6379)["lines"]
    assert any("load-balancer" in line for line in lines), lines
    end(link, id)


def test_a_dead_target_leaves_and_comes_back(link):
    until(lambda: health(link) == "healthy", 20, "a healthy target")
    with link.provider.without(link.cache_group, 6379, f"{link.balancer_ip}/32"):
        until(lambda: health(link) == "unhealthy", 30, "an unhealthy target")
    until(lambda: health(link) == "healthy", 30, "a healthy target")


def test_row_114_a_service_is_of_its_region(link):
    abroad = link.consumer.atoll.client("ec2", account=OTHER_ACCOUNT, region="eu-west-1")
    vpc = abroad.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    with pytest.raises(Exception, match="InvalidServiceName"):
        abroad.create_vpc_endpoint(VpcId=vpc, ServiceName=link.name, VpcEndpointType="Interface")


def test_row_115_an_endpoint_is_of_one_vpc(link):
    made = ask(link)
    id, address = made["VpcEndpointId"], address_of(link, made)
    link.provider.ec2.accept_vpc_endpoint_connections(ServiceId=link.service, VpcEndpointIds=[id])
    assert link.consumer.connects(link.app, address, 6379)
    other = link.consumer.vpc("10.7.0.0/16", internet=False)
    stranger = link.consumer.instance(link.consumer.subnet(other, "10.7.0.0/24"))
    assert link.consumer.is_dropped(stranger, address, 6379)
    assert link.consumer.refusal(stranger, address, 6379).code == "NO_ROUTE_TO_DESTINATION"
    end(link, id)
