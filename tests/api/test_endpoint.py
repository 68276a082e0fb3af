"""VPC endpoints through boto3: those of Atoll's own API, and those that lead to somebody's service."""

import json

import pytest

from tests.api.balancers import Ground
from tests.api.paper import OTHER_ACCOUNT, OTHER_REGION, by, code, refusal, tagging

EC2, S3 = "com.amazonaws.us-east-1.ec2", "com.amazonaws.us-east-1.s3"


@pytest.fixture
def ground(paper):
    return Ground(paper)


def named(ground):
    """Give the VPC what private DNS needs."""
    ground.ec2.modify_vpc_attribute(VpcId=ground.vpc, EnableDnsHostnames={"Value": True})


def endpoint(ground, service=EC2, **more):
    call = {"VpcId": ground.vpc, "ServiceName": service, "VpcEndpointType": "Interface", "SubnetIds": ground.subnets}
    return ground.ec2.create_vpc_endpoint(**(call | {"PrivateDnsEnabled": False} | more))["VpcEndpoint"]


def show(ground, id):
    return ground.ec2.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"][0]


def test_an_endpoint_is_pending_until_the_network_carries_it(ground, paper):
    made = endpoint(ground, TagSpecifications=tagging("vpc-endpoint", Name="api"))
    id = made["VpcEndpointId"]
    assert (made["State"], made["VpcEndpointType"], made["SubnetIds"]) == ("pending", "Interface", ground.subnets)
    assert made["Tags"] == [{"Key": "Name", "Value": "api"}]
    assert [g["GroupName"] for g in made["Groups"]] == ["default"]
    assert json.loads(made["PolicyDocument"])["Statement"][0]["Effect"] == "Allow"
    names = [entry["DnsName"] for entry in made["DnsEntries"]]
    assert names[0].startswith(f"{id}-")
    assert names[0].endswith(".ec2.us-east-1.vpce.amazonaws.com")
    assert names[1] == names[0].replace(".ec2.", "-us-east-1a.ec2.", 1)
    paper.settle()
    assert show(ground, id)["State"] == "available"


def test_its_interfaces_are_its_own(ground):
    made = endpoint(ground, SubnetConfigurations=[{"SubnetId": ground.subnets[0], "Ipv4": "10.0.0.77"}])
    found = ground.ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])
    first = found["NetworkInterfaces"][0]
    assert (first["InterfaceType"], first["PrivateIpAddress"]) == ("vpc_endpoint", "10.0.0.77")
    assert first["Description"] == f"VPC Endpoint Interface {made['VpcEndpointId']}"
    id = first["NetworkInterfaceId"]
    assert code(ground.ec2.modify_network_interface_attribute, NetworkInterfaceId=id, Groups=["x"]) != ""
    assert code(ground.ec2.delete_network_interface, NetworkInterfaceId=id) == "InvalidParameterValue"
    assert code(ground.ec2.delete_subnet, SubnetId=ground.subnets[0]) == "DependencyViolation"
    ground.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert ground.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"ServiceName": "com.amazonaws.us-east-1.nothing"}, "InvalidServiceName"),
        ({"ServiceName": "com.amazonaws.eu-west-1.ec2"}, "InvalidServiceName"),
        ({"ServiceRegion": "eu-west-1"}, "InvalidServiceName"),
        ({"ServiceName": S3}, "InvalidParameter"),
        ({"VpcEndpointType": "Gateway"}, "InvalidParameter"),
        ({"VpcEndpointType": "GatewayLoadBalancer"}, "UnsupportedOperation"),
        ({"SubnetIds": ["subnet-00000000000000000"]}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"RouteTableIds": ["rtb-00000000000000000"]}, "InvalidParameter"),
        ({"IpAddressType": "ipv6"}, "UnsupportedOperation"),
        ({"DnsOptions": {"DnsRecordIpType": "dualstack"}}, "UnsupportedOperation"),
        ({"PolicyDocument": "x"}, "InvalidPolicyDocument"),
        ({"PolicyDocument": "{}"}, "InvalidPolicyDocument"),
        ({"VpcId": "vpc-00000000000000000"}, "InvalidVpcID.NotFound"),
        ({"ServiceNetworkArn": "x"}, "UnsupportedOperation"),
        ({"SubnetConfigurations": [{"SubnetId": "subnet-00000000000000000"}]}, "InvalidParameter"),
    ],
)
def test_what_may_not_be_is_refused(ground, more, refused):
    assert code(endpoint, ground, **{"service": more.pop("ServiceName", EC2), **more}) == refused
    assert ground.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


def test_one_subnet_of_each_zone(ground):
    second = ground.subnet("10.0.9.0/24", "us-east-1a")
    said = refusal(endpoint, ground, SubnetIds=[ground.subnets[0], second])
    assert said[0] == "DuplicateSubnetsInSameZone"
    assert second in said[1]
    id = endpoint(ground)["VpcEndpointId"]
    refused = code(ground.ec2.modify_vpc_endpoint, VpcEndpointId=id, AddSubnetIds=[second])
    assert refused == "DuplicateSubnetsInSameZone"


def test_private_dns_needs_both_attributes_of_the_vpc(ground):
    said = refusal(endpoint, ground, PrivateDnsEnabled=True)
    assert said == (
        "InvalidParameter",
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
        f"{ground.vpc}",
    )
    named(ground)
    made = endpoint(ground, PrivateDnsEnabled=True)
    assert made["DnsEntries"][-1]["DnsName"] == "ec2.us-east-1.amazonaws.com"
    said = refusal(endpoint, ground, PrivateDnsEnabled=True)
    assert "conflicting DNS domain for ec2.us-east-1.amazonaws.com" in said[1]
    other = endpoint(ground)["VpcEndpointId"]
    assert code(ground.ec2.modify_vpc_endpoint, VpcEndpointId=other, PrivateDnsEnabled=True) == "InvalidParameter"
    ground.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PrivateDnsEnabled=False)
    ground.ec2.modify_vpc_endpoint(VpcEndpointId=other, PrivateDnsEnabled=True)


def test_it_is_changed(ground):
    id = endpoint(ground, SubnetIds=ground.subnets[:1])["VpcEndpointId"]
    group = ground.group("more")
    policy = json.dumps({"Statement": []})
    ground.ec2.modify_vpc_endpoint(
        VpcEndpointId=id, AddSubnetIds=ground.subnets[1:], AddSecurityGroupIds=[group], PolicyDocument=policy
    )
    shown = show(ground, id)
    assert shown["SubnetIds"] == ground.subnets
    assert shown["PolicyDocument"] == policy
    default = next(g["GroupId"] for g in shown["Groups"] if g["GroupName"] == "default")
    ground.ec2.modify_vpc_endpoint(
        VpcEndpointId=id, RemoveSubnetIds=ground.subnets[:1], RemoveSecurityGroupIds=[default], ResetPolicy=True
    )
    shown = show(ground, id)
    assert shown["SubnetIds"] == ground.subnets[1:]
    assert [g["GroupId"] for g in shown["Groups"]] == [group]
    (interface,) = ground.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [g["GroupId"] for g in interface["Groups"]] == [group]
    change = ground.ec2.modify_vpc_endpoint
    assert code(change, VpcEndpointId=id, RemoveSecurityGroupIds=[group]) == "InvalidParameter"
    assert code(change, VpcEndpointId=id, RemoveSubnetIds=ground.subnets[:1]) == "InvalidParameter"
    assert code(change, VpcEndpointId=id, AddRouteTableIds=["x"]) == "InvalidParameter"
    assert code(change, VpcEndpointId=id, ResetPolicy=True, PolicyDocument=policy) == "InvalidParameterCombination"


def test_it_is_deleted_when_the_network_is_seen_without_it(ground, paper):
    id = endpoint(ground)["VpcEndpointId"]
    strange = "vpce-00000000000000000"
    failed = ground.ec2.delete_vpc_endpoints(VpcEndpointIds=[id, strange])["Unsuccessful"]
    assert [(f["ResourceId"], f["Error"]["Code"]) for f in failed] == [(strange, "InvalidVpcEndpointId.NotFound")]
    assert show(ground, id)["State"] == "deleting"
    assert code(ground.ec2.modify_vpc_endpoint, VpcEndpointId=id, ResetPolicy=True) == "InvalidState"
    paper.settle()
    assert code(ground.ec2.describe_vpc_endpoints, VpcEndpointIds=[id]) == "InvalidVpcEndpointId.NotFound"


def test_filters_tags_and_others(ground, stranger):
    id = endpoint(ground)["VpcEndpointId"]
    ground.ec2.create_tags(Resources=[id], Tags=[{"Key": "a", "Value": "1"}])
    for filters in (by(vpc_id=ground.vpc), by(service_name=EC2), by(vpc_endpoint_state="pending"), by(tag_key="a")):
        assert len(ground.ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]) == 1, filters
    assert ground.ec2.describe_vpc_endpoints(Filters=by(vpc_endpoint_type="Gateway"))["VpcEndpoints"] == []
    assert stranger.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert code(ground.ec2.delete_vpc, VpcId=ground.vpc) == "DependencyViolation"


@pytest.fixture
def service(ground):
    """Return the id of an endpoint service of the ground's."""
    arn = ground.balancer()
    made = ground.ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[arn])
    return made["ServiceConfiguration"]["ServiceId"]


def name_of(service):
    return f"com.amazonaws.vpce.us-east-1.{service}"


def test_a_consumer_waits_until_it_is_accepted(ground, service, paper):
    id = endpoint(ground, name_of(service))["VpcEndpointId"]
    paper.settle()
    assert show(ground, id)["State"] == "pendingAcceptance"
    (asked,) = ground.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"]
    assert (asked["VpcEndpointId"], asked["ServiceId"]) == (id, service)
    assert asked["VpcEndpointState"] == "pendingAcceptance"
    accept, reject = ground.ec2.accept_vpc_endpoint_connections, ground.ec2.reject_vpc_endpoint_connections
    assert accept(ServiceId=service, VpcEndpointIds=[id])["Unsuccessful"] == []
    assert show(ground, id)["State"] == "pending"
    paper.settle()
    assert show(ground, id)["State"] == "available"
    (failed,) = accept(ServiceId=service, VpcEndpointIds=[id])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidState"
    reject(ServiceId=service, VpcEndpointIds=[id])
    assert show(ground, id)["State"] == "rejected"
    found = ground.ec2.describe_vpc_endpoint_connections(Filters=by(vpc_endpoint_state="rejected"))
    assert len(found["VpcEndpointConnections"]) == 1
    (failed,) = accept(ServiceId=service, VpcEndpointIds=["vpce-00000000000000000"])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidVpcEndpointId.NotFound"


def test_a_stranger_needs_a_permission(ground, service, paper):
    theirs = Ground(paper, account=OTHER_ACCOUNT)
    assert refusal(endpoint, theirs, name_of(service)) == (
        "InvalidServiceName", f"The Vpc Endpoint Service '{name_of(service)}' does not exist",
    )  # fmt: skip
    assert name_of(service) not in theirs.ec2.describe_vpc_endpoint_services()["ServiceNames"]
    root = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    permit = ground.ec2.modify_vpc_endpoint_service_permissions
    (added,) = permit(ServiceId=service, AddAllowedPrincipals=[root])["AddedPrincipals"]
    assert (added["Principal"], added["PrincipalType"], added["ServiceId"]) == (root, "Account", service)
    assert name_of(service) in theirs.ec2.describe_vpc_endpoint_services()["ServiceNames"]
    made = endpoint(theirs, name_of(service))
    assert made["DnsEntries"][0]["DnsName"].endswith(f".{service}.us-east-1.vpce.amazonaws.com")
    (asked,) = ground.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"]
    assert asked["VpcEndpointOwner"] == OTHER_ACCOUNT
    assert theirs.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"] == []
    abroad = paper.client(region=OTHER_REGION)
    vpc = abroad.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    call = {"VpcId": vpc, "ServiceName": name_of(service), "VpcEndpointType": "Interface"}
    assert code(abroad.create_vpc_endpoint, **call) == "InvalidServiceName", "row 114"
    permit(ServiceId=service, RemoveAllowedPrincipals=[root])
    assert code(endpoint, theirs, name_of(service)) == "InvalidServiceName"


def test_a_service_is_only_where_its_balancer_is(ground, service):
    third = ground.subnet("10.0.7.0/24", "us-east-1c")
    said = refusal(endpoint, ground, name_of(service), SubnetIds=[third])
    assert said == (
        "InvalidParameter",
        f"The VPC endpoint service {name_of(service)} does not support the availability zone of the subnet: {third}.",
    )


def test_private_dns_is_the_services(ground, service):
    named(ground)
    assert code(endpoint, ground, name_of(service), PrivateDnsEnabled=True) == "InvalidParameter"
    change = ground.ec2.modify_vpc_endpoint_service_configuration
    assert code(change, ServiceId=service, PrivateDnsName="x y") == "InvalidParameter"
    change(ServiceId=service, PrivateDnsName="cache.example.com")
    assert endpoint(ground, name_of(service), PrivateDnsEnabled=True)["PrivateDnsEnabled"]
    (shown,) = ground.ec2.describe_vpc_endpoint_services(ServiceNames=[name_of(service)])["ServiceDetails"]
    assert shown["PrivateDnsName"] == "cache.example.com"
    change(ServiceId=service, RemovePrivateDnsName=True)
    (shown,) = ground.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"]
    assert "PrivateDnsName" not in shown
