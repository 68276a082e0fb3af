"""Network Load Balancers through boto3."""

import pytest

from tests.api.balancers import Ground
from tests.api.paper import OTHER_ACCOUNT, code, refusal

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/lb/"


@pytest.fixture
def ground(paper):
    return Ground(paper)


def shown(ground, arn):
    return ground.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]


def test_a_balancer_is_provisioning_until_the_network_carries_it(ground, paper):
    arn = ground.balancer()
    assert arn.startswith(ARN)
    made = shown(ground, arn)
    assert (made["State"]["Code"], made["Type"], made["Scheme"]) == ("provisioning", "network", "internal")
    assert made["DNSName"] == f"lb-{arn.rpartition('/')[2]}.elb.us-east-1.amazonaws.com"
    assert made["VpcId"] == ground.vpc
    assert [z["ZoneName"] for z in made["AvailabilityZones"]] == ["us-east-1a", "us-east-1b"]
    assert made["AvailabilityZones"][0]["LoadBalancerAddresses"] == [{"PrivateIPv4Address": "10.0.0.4"}]
    assert "SecurityGroups" not in made
    paper.settle()
    assert shown(ground, arn)["State"]["Code"] == "active"
    ground.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn])


def test_each_node_has_an_interface_that_is_the_balancers(ground):
    arn = ground.balancer()
    found = ground.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [ground.vpc]}])
    first, second = found["NetworkInterfaces"]
    assert first["InterfaceType"] == second["InterfaceType"] == "network_load_balancer"
    assert first["Description"] == f"ELB net/lb/{arn.rpartition('/')[2]}"
    assert (first["RequesterId"], first["RequesterManaged"]) == ("amazon-elb", True)
    assert (first["Attachment"]["InstanceOwnerId"], first["Groups"]) == ("amazon-elb", [])
    id = first["NetworkInterfaceId"]
    assert code(ground.ec2.delete_network_interface, NetworkInterfaceId=id) == "InvalidParameterValue"
    refused = code(ground.ec2.modify_network_interface_attribute, NetworkInterfaceId=id, Description={"Value": "x"})
    assert refused == "AuthFailure"


def test_a_private_address_may_be_chosen(ground):
    mappings = [{"SubnetId": ground.subnets[0], "PrivateIPv4Address": "10.0.0.77"}]
    made = shown(ground, ground.balancer(SubnetMappings=mappings))
    assert made["AvailabilityZones"][0]["LoadBalancerAddresses"] == [{"PrivateIPv4Address": "10.0.0.77"}]
    for address in ("10.0.1.77", "10.0.0.1", "10.0.0.77"):
        mappings[0]["PrivateIPv4Address"] = address
        assert code(ground.balancer, "other", SubnetMappings=mappings) == "InvalidConfigurationRequest", address
    mappings[0]["PrivateIPv4Address"] = "x"
    assert code(ground.balancer, "other", SubnetMappings=mappings) == "ValidationError"


def test_facing_the_internet_it_has_public_addresses(ground):
    needs = ("InvalidSubnet", f"VPC {ground.vpc} has no internet gateway")
    assert refusal(ground.balancer, Scheme="internet-facing") == needs
    ground.gateway()
    eip = ground.ec2.allocate_address(Domain="vpc")
    mappings = [{"SubnetId": ground.subnets[0], "AllocationId": eip["AllocationId"]}]
    arn = ground.balancer(Scheme="internet-facing", SubnetMappings=mappings)
    address = {"IpAddress": eip["PublicIp"], "AllocationId": eip["AllocationId"]}
    assert shown(ground, arn)["AvailabilityZones"][0]["LoadBalancerAddresses"] == [address]
    assert code(ground.balancer, "two", Scheme="internet-facing", SubnetMappings=mappings) == "ResourceInUse"
    mappings[0]["AllocationId"] = "eipalloc-00000000000000000"
    assert code(ground.balancer, "two", Scheme="internet-facing", SubnetMappings=mappings) == "AllocationIdNotFound"
    ground.elb.delete_load_balancer(LoadBalancerArn=arn)
    assert "AssociationId" not in ground.ec2.describe_addresses()["Addresses"][0]
    automatic = shown(ground, ground.balancer("three", Scheme="internet-facing"))
    assert automatic["AvailabilityZones"][0]["LoadBalancerAddresses"] == []
    interfaces = ground.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert all("Association" in i for i in interfaces)


def test_the_same_again_is_the_same_and_other_settings_are_refused(ground):
    arn = ground.balancer()
    assert ground.balancer() == arn
    assert code(ground.balancer, Subnets=ground.subnets[:1]) == "DuplicateLoadBalancerName"
    assert len(ground.elb.describe_load_balancers(Names=["lb"])["LoadBalancers"]) == 1


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"Type": "application"}, "InvalidConfigurationRequest"),
        ({"Type": "gateway"}, "InvalidConfigurationRequest"),
        ({"IpAddressType": "dualstack"}, "InvalidConfigurationRequest"),
        ({"Scheme": "public"}, "ValidationError"),
        ({"Subnets": []}, "ValidationError"),
        ({"Subnets": ["subnet-00000000000000000"]}, "SubnetNotFound"),
        ({"SecurityGroups": ["sg-00000000000000000"]}, "InvalidSecurityGroup"),
        ({"Name": "internal-x"}, "ValidationError"),
        ({"Name": "-x"}, "ValidationError"),
        ({"Name": "x" * 33}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "DuplicateTagKeys"),
        ({"CustomerOwnedIpv4Pool": "x"}, "ValidationError"),
    ],
)
def test_what_may_not_be_is_refused(ground, more, refused):
    name = more.pop("Name", "lb")
    assert code(ground.balancer, name, **more) == refused
    assert ground.elb.describe_load_balancers()["LoadBalancers"] == []


def test_one_subnet_of_each_zone(ground):
    second = ground.subnet("10.0.9.0/24", "us-east-1a")
    said = refusal(ground.balancer, Subnets=[*ground.subnets, second])
    assert said == (
        "InvalidConfigurationRequest",
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
    )
    elsewhere = Ground(ground.paper)
    assert code(ground.balancer, Subnets=[ground.subnets[0], elsewhere.subnets[1]]) == "InvalidConfigurationRequest"


def test_attributes(ground):
    arn = ground.balancer()
    key = "load_balancing.cross_zone.enabled"
    before = ground.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": key, "Value": "false"} in before
    change = ground.elb.modify_load_balancer_attributes
    assert {"Key": key, "Value": "true"} in change(
        LoadBalancerArn=arn,
        Attributes=[{"Key": key, "Value": "true"}, {"Key": "access_logs.s3.enabled", "Value": "false"}],
    )["Attributes"]
    for attribute in (
        {"Key": key, "Value": "maybe"},
        {"Key": "access_logs.s3.enabled", "Value": "true"},
        {"Key": "idle_timeout.timeout_seconds", "Value": "60"},
    ):
        assert code(change, LoadBalancerArn=arn, Attributes=[attribute]) == "InvalidConfigurationRequest", attribute


def test_a_protected_balancer_is_not_deleted(ground):
    arn = ground.balancer()
    protect = {"Key": "deletion_protection.enabled", "Value": "true"}
    ground.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protect])
    assert code(ground.elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    ground.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protect | {"Value": "false"}])
    ground.elb.delete_load_balancer(LoadBalancerArn=arn)
    ground.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn])
    ground.elb.delete_load_balancer(LoadBalancerArn=arn)
    assert ground.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_subnets_change_and_what_stays_keeps_its_address(ground):
    arn = ground.balancer(Subnets=ground.subnets[:1])
    before = shown(ground, arn)["AvailabilityZones"][0]
    after = ground.elb.set_subnets(LoadBalancerArn=arn, Subnets=ground.subnets)["AvailabilityZones"]
    assert after[0] == before
    assert [z["ZoneName"] for z in after] == ["us-east-1a", "us-east-1b"]
    ground.elb.set_subnets(LoadBalancerArn=arn, SubnetMappings=[{"SubnetId": ground.subnets[1]}])
    assert len(ground.ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1
    other = Ground(ground.paper)
    assert code(ground.elb.set_subnets, LoadBalancerArn=arn, Subnets=other.subnets) == "InvalidConfigurationRequest"


def test_groups_change_but_do_not_come_or_go(ground):
    one, two = ground.group("one"), ground.group("two")
    arn = ground.balancer(SecurityGroups=[one])
    assert shown(ground, arn)["SecurityGroups"] == [one]
    assert ground.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[two])["SecurityGroupIds"] == [two]
    interfaces = ground.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert {group["GroupId"] for i in interfaces for group in i["Groups"]} == {two}
    assert code(ground.ec2.delete_security_group, GroupId=two) == "DependencyViolation"
    refused = code(ground.elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[])
    assert refused == "InvalidConfigurationRequest"
    without = ground.balancer("without")
    refused = code(ground.elb.set_security_groups, LoadBalancerArn=without, SecurityGroups=[one])
    assert refused == "InvalidConfigurationRequest"
    refused = code(
        ground.elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[one],
        EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic="on",
    )  # fmt: skip
    assert refused == "InvalidConfigurationRequest"


def test_nobody_else_sees_it(ground, paper):
    arn = ground.balancer()
    stranger = paper.client("elbv2", account=OTHER_ACCOUNT)
    assert stranger.describe_load_balancers()["LoadBalancers"] == []
    assert code(stranger.describe_load_balancers, LoadBalancerArns=[arn]) == "LoadBalancerNotFound"
    assert refusal(ground.elb.describe_load_balancers, Names=["no"]) == (
        "LoadBalancerNotFound", "Load balancers '[no]' not found",
    )  # fmt: skip
    assert code(ground.elb.describe_load_balancers, Names=["lb"], LoadBalancerArns=[arn]) == "ValidationError"


def test_pages(ground):
    for n in range(3):
        ground.balancer(f"lb{n}")
    first = ground.elb.describe_load_balancers(PageSize=2)
    second = ground.elb.describe_load_balancers(PageSize=2, Marker=first["NextMarker"])
    names = [b["LoadBalancerName"] for page in (first, second) for b in page["LoadBalancers"]]
    assert names == ["lb0", "lb1", "lb2"]
    assert "NextMarker" not in second
    assert code(ground.elb.describe_load_balancers, PageSize=0) == "ValidationError"
    assert code(ground.elb.describe_load_balancers, Marker="x") == "ValidationError"


def test_tags(ground):
    arn = ground.balancer(Tags=[{"Key": "a", "Value": "1"}])
    ground.elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "b", "Value": "2"}])
    ground.elb.remove_tags(ResourceArns=[arn], TagKeys=["a"])
    (shown,) = ground.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    assert shown == {"ResourceArn": arn, "Tags": [{"Key": "b", "Value": "2"}]}
    assert code(ground.elb.describe_tags, ResourceArns=["arn:x"]) == "ValidationError"
    assert code(ground.elb.describe_tags, ResourceArns=[arn + "0"]) == "LoadBalancerNotFound"
