"""Endpoint services through boto3."""

import pytest

from tests.api.balancers import Ground
from tests.api.paper import by, code, ids, tagging


@pytest.fixture
def ground(paper):
    return Ground(paper)


def offer(ground, *arns, **more):
    made = ground.ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=list(arns), **more)
    return made["ServiceConfiguration"]


def test_a_service_offers_a_balancer(ground):
    arn = ground.balancer()
    made = offer(ground, arn, TagSpecifications=tagging("vpc-endpoint-service", Name="caches"))
    assert made["ServiceName"] == f"com.amazonaws.vpce.us-east-1.{made['ServiceId']}"
    assert (made["ServiceState"], made["AcceptanceRequired"]) == ("Available", True)
    assert (made["NetworkLoadBalancerArns"], made["AvailabilityZones"]) == ([arn], ["us-east-1a", "us-east-1b"])
    (shown,) = ground.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"]
    assert shown == made
    assert code(ground.elb.delete_load_balancer, LoadBalancerArn=arn) == "ResourceInUse"
    filters = [{"Name": "tag:Name", "Values": ["caches"]}]
    found = ground.ec2.describe_vpc_endpoint_service_configurations(Filters=filters)
    assert ids(found["ServiceConfigurations"], "ServiceId") == [made["ServiceId"]]


def test_what_may_not_be_is_refused(ground):
    create = ground.ec2.create_vpc_endpoint_service_configuration
    assert code(create) == "MissingParameter"
    assert code(create, NetworkLoadBalancerArns=["arn:x"]) == "InvalidParameter"
    arn = ground.balancer()
    assert code(create, NetworkLoadBalancerArns=[arn], SupportedIpAddressTypes=["ipv6"]) == "UnsupportedOperation"
    assert code(create, NetworkLoadBalancerArns=[arn], PrivateDnsName="-") == "InvalidParameter"
    assert code(create, GatewayLoadBalancerArns=[arn]) == "UnsupportedOperation"
    offer(ground, arn)
    assert code(create, NetworkLoadBalancerArns=[arn]) == "InvalidParameter"


def test_it_is_changed(ground):
    one, two = ground.balancer("one"), ground.balancer("two", Subnets=ground.subnets[:1])
    id = offer(ground, one)["ServiceId"]
    change = ground.ec2.modify_vpc_endpoint_service_configuration
    balancers = {"AddNetworkLoadBalancerArns": [two], "RemoveNetworkLoadBalancerArns": [one]}
    change(ServiceId=id, AcceptanceRequired=False, **balancers)
    (shown,) = ground.ec2.describe_vpc_endpoint_service_configurations(ServiceIds=[id])["ServiceConfigurations"]
    assert (shown["NetworkLoadBalancerArns"], shown["AcceptanceRequired"]) == ([two], False)
    assert shown["AvailabilityZones"] == ["us-east-1a"]
    assert code(change, ServiceId=id, RemoveNetworkLoadBalancerArns=[one]) == "InvalidParameter"
    assert code(change, ServiceId=id, RemoveNetworkLoadBalancerArns=[two]) == "InvalidParameter"
    refused = code(change, ServiceId=id, PrivateDnsName="a.example.com", RemovePrivateDnsName=True)
    assert refused == "InvalidParameterCombination"


def test_permissions(ground):
    id = offer(ground, ground.balancer())["ServiceId"]
    permit = ground.ec2.modify_vpc_endpoint_service_permissions
    user = "arn:aws:iam::111111111111:user/me"
    permit(ServiceId=id, AddAllowedPrincipals=["*", user])
    shown = ground.ec2.describe_vpc_endpoint_service_permissions(ServiceId=id)["AllowedPrincipals"]
    assert [(a["Principal"], a["PrincipalType"]) for a in shown] == [("*", "All"), (user, "User")]
    found = ground.ec2.describe_vpc_endpoint_service_permissions(ServiceId=id, Filters=by(principal_type="User"))
    assert ids(found["AllowedPrincipals"], "Principal") == [user]
    assert code(permit, ServiceId=id, AddAllowedPrincipals=["x"]) == "InvalidPrincipal"
    permit(ServiceId=id, RemoveAllowedPrincipals=["*"])
    assert code(permit, ServiceId=id, RemoveAllowedPrincipals=["*"]) == "InvalidPrincipal"
    missing = "vpce-svc-00000000000000000"
    assert code(permit, ServiceId=missing) == "InvalidVpcEndpointServiceId.NotFound"
    assert code(permit, ServiceId="x") == "InvalidVpcEndpointServiceId.Malformed"


def test_it_is_withdrawn_when_nobody_is_connected(ground):
    arn = ground.balancer()
    made = offer(ground, arn, AcceptanceRequired=False)
    id, name = made["ServiceId"], made["ServiceName"]
    call = {"VpcId": ground.vpc, "ServiceName": name, "VpcEndpointType": "Interface", "SubnetIds": ground.subnets}
    endpoint = ground.ec2.create_vpc_endpoint(**call)["VpcEndpoint"]
    assert endpoint["State"] == "pending"
    withdraw = ground.ec2.delete_vpc_endpoint_service_configurations
    (failed,) = withdraw(ServiceIds=[id])["Unsuccessful"]
    assert failed["Error"]["Code"] == "ExistingVpcEndpointConnections"
    ground.ec2.reject_vpc_endpoint_connections(ServiceId=id, VpcEndpointIds=[endpoint["VpcEndpointId"]])
    assert withdraw(ServiceIds=[id])["Unsuccessful"] == []
    (failed,) = withdraw(ServiceIds=[id])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidVpcEndpointServiceId.NotFound"
    ground.elb.delete_load_balancer(LoadBalancerArn=arn)
    ground.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])


def test_aws_own_services_are_listed(ground):
    found = ground.ec2.describe_vpc_endpoint_services(Filters=by(owner="amazon"))
    assert found["ServiceNames"] == [
        f"com.amazonaws.us-east-1.{name}"
        for name in ("ec2", "elasticache", "elasticloadbalancing", "sts", "s3", "dynamodb")
    ]
    gateways = ground.ec2.describe_vpc_endpoint_services(Filters=by(service_type="Gateway"))["ServiceNames"]
    assert gateways == ["com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"]
    assert code(ground.ec2.describe_vpc_endpoint_services, ServiceNames=["x"]) == "InvalidServiceName"


def test_an_endpoint_whose_service_was_withdrawn_goes_nowhere_else(ground):
    made = offer(ground, ground.balancer(), AcceptanceRequired=False)
    call = {"VpcId": ground.vpc, "ServiceName": made["ServiceName"], "VpcEndpointType": "Interface"}
    id = ground.ec2.create_vpc_endpoint(**call, SubnetIds=ground.subnets[:1])["VpcEndpoint"]["VpcEndpointId"]
    ground.ec2.reject_vpc_endpoint_connections(ServiceId=made["ServiceId"], VpcEndpointIds=[id])
    ground.ec2.delete_vpc_endpoint_service_configurations(ServiceIds=[made["ServiceId"]])
    change = {"VpcEndpointId": id, "AddSubnetIds": ground.subnets[1:]}
    assert code(ground.ec2.modify_vpc_endpoint, **change) == "InvalidServiceName"
    assert ground.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "rejected"
    ground.ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
