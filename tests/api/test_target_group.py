"""Target groups, targets and listeners through boto3."""

from datetime import timedelta

import pytest

from atoll.model import balancer_transitions as transitions
from tests.api.balancers import Ground, forward
from tests.api.machines import launch
from tests.api.paper import code, refusal


@pytest.fixture
def ground(paper):
    return Ground(paper)


def test_a_target_group_has_aws_defaults(ground):
    arn = ground.targets()
    (shown,) = ground.elb.describe_target_groups(Names=["tg"])["TargetGroups"]
    assert shown["TargetGroupArn"] == arn
    assert {k: shown[k] for k in shown if k.startswith(("Health", "Unhealthy"))} == {
        "HealthCheckProtocol": "TCP", "HealthCheckPort": "traffic-port", "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 10, "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
    }  # fmt: skip
    http = ground.targets("http", HealthCheckProtocol="HTTP")
    (shown,) = ground.elb.describe_target_groups(TargetGroupArns=[http])["TargetGroups"]
    assert (shown["HealthCheckPath"], shown["Matcher"], shown["HealthCheckTimeoutSeconds"]) == (
        "/", {"HttpCode": "200-399"}, 6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"TargetType": "lambda"}, "InvalidConfigurationRequest"),
        ({"TargetType": "alb"}, "InvalidConfigurationRequest"),
        ({"Protocol": "TLS"}, "InvalidConfigurationRequest"),
        ({"Protocol": "HTTP"}, "InvalidConfigurationRequest"),
        ({"Port": 0}, "ValidationError"),
        ({"VpcId": "vpc-00000000000000000"}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 4}, "ValidationError"),
        ({"HealthCheckTimeoutSeconds": 31}, "ValidationError"),
        ({"HealthyThresholdCount": 11}, "ValidationError"),
        ({"HealthCheckProtocol": "UDP"}, "ValidationError"),
        ({"HealthCheckPort": "x"}, "ValidationError"),
        ({"HealthCheckPath": "/x"}, "InvalidConfigurationRequest"),
        ({"HealthCheckProtocol": "HTTP", "HealthCheckPath": "x"}, "ValidationError"),
        ({"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "x"}}, "ValidationError"),
        ({"HealthCheckEnabled": False}, "InvalidConfigurationRequest"),
        ({"ProtocolVersion": "HTTP2"}, "ValidationError"),
    ],
)
def test_what_may_not_be_is_refused(ground, more, refused):
    assert code(ground.targets, **more) == refused
    assert ground.elb.describe_target_groups()["TargetGroups"] == []


def test_the_same_again_is_the_same_and_other_settings_are_refused(ground):
    assert ground.targets() == ground.targets()
    assert code(ground.targets, Port=80) == "DuplicateTargetGroupName"


def test_a_health_check_is_changed(ground):
    arn = ground.targets()
    change = {"TargetGroupArn": arn, "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    (shown,) = ground.elb.modify_target_group(**change, HealthyThresholdCount=2)["TargetGroups"]
    assert (shown["HealthCheckIntervalSeconds"], shown["HealthyThresholdCount"]) == (5, 2)
    assert code(ground.elb.modify_target_group, TargetGroupArn=arn, HealthCheckTimeoutSeconds=9) == "ValidationError"


def test_attributes(ground):
    arn = ground.targets()
    change = ground.elb.modify_target_group_attributes
    given = [
        {"Key": "deregistration_delay.timeout_seconds", "Value": "7"},
        {"Key": "stickiness.enabled", "Value": "true"},
    ]
    change(TargetGroupArn=arn, Attributes=given)
    shown = ground.elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    assert [a for a in shown if a in given] == given
    for key in ("preserve_client_ip.enabled", "proxy_protocol_v2.enabled"):
        said = refusal(change, TargetGroupArn=arn, Attributes=[{"Key": key, "Value": "true"}])
        assert said[0] == "InvalidConfigurationRequest"
        assert key in said[1]
        change(TargetGroupArn=arn, Attributes=[{"Key": key, "Value": "false"}])
    assert code(change, TargetGroupArn=arn, Attributes=[{"Key": "x", "Value": "1"}]) == "InvalidConfigurationRequest"


def test_a_target_is_unused_then_initial_then_what_the_checks_say(ground, paper):
    arn = ground.targets()
    ground.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.0.20"}])
    assert ground.health(arn) == [("10.0.0.20", "unused", "Target.NotInUse")]
    ground.listener(ground.balancer(), arn)
    assert ground.health(arn) == [("10.0.0.20", "initial", "Elb.RegistrationInProgress")]
    key = ("10.0.0.20", 6379)
    paper.write(lambda tx: transitions.begun(tx, arn, key))
    assert ground.health(arn) == [("10.0.0.20", "initial", "Elb.InitialHealthChecking")]
    paper.write(lambda tx: transitions.checked(tx, arn, key, passed=True))
    assert ground.health(arn) == [("10.0.0.20", "healthy", None)]
    ground.elb.get_waiter("target_in_service").wait(TargetGroupArn=arn)
    paper.write(lambda tx: transitions.checked(tx, arn, key, passed=False))
    assert ground.health(arn) == [("10.0.0.20", "unhealthy", "Target.FailedHealthChecks")]
    assert ground.health(arn, {"Id": "10.0.0.9"}) == [("10.0.0.9", "unused", "Target.NotRegistered")]


def test_a_deregistered_target_drains(ground, paper):
    arn = ground.targets()
    ground.listener(ground.balancer(), arn)
    both = [{"Id": "10.0.0.20"}, {"Id": "10.0.0.20", "Port": 7000}]
    ground.elb.register_targets(TargetGroupArn=arn, Targets=both)
    ground.elb.deregister_targets(TargetGroupArn=arn, Targets=[both[1]])
    assert ground.health(arn)[1] == ("10.0.0.20", "draining", "Target.DeregistrationInProgress")
    ground.elb.register_targets(TargetGroupArn=arn, Targets=[both[1]])
    assert ground.health(arn)[1][1] == "initial", "it comes back"
    ground.elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.0.20"}])
    assert {state for _, state, _ in ground.health(arn)} == {"draining"}
    paper.clock += timedelta(seconds=301)
    for port in (6379, 7000):
        paper.write(lambda tx, port=port: transitions.drained(tx, arn, ("10.0.0.20", port)))
    assert ground.health(arn) == []
    assert code(ground.elb.deregister_targets, TargetGroupArn=arn, Targets=[both[0]]) == "InvalidTarget"
    ground.elb.get_waiter("target_deregistered").wait(TargetGroupArn=arn, Targets=[both[0]])


def test_targets_must_be_ours(ground):
    arn = ground.targets()
    for id in ("8.8.8.8", "10.0.200.1", "192.168.1.1", "x", "i-00000000000000000"):
        assert code(ground.elb.register_targets, TargetGroupArn=arn, Targets=[{"Id": id}]) == "InvalidTarget", id
    beyond = {"Id": "192.168.1.1", "AvailabilityZone": "all"}
    ground.elb.register_targets(TargetGroupArn=arn, Targets=[beyond])
    wrong = [beyond | {"AvailabilityZone": "us-east-1a"}]
    assert code(ground.elb.register_targets, TargetGroupArn=arn, Targets=wrong) == "InvalidTarget"
    third = ground.subnet("10.0.7.0/24", "us-east-1c")
    assert third
    ground.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.7.9"}])
    ground.listener(ground.balancer(), arn)
    assert ground.health(arn, {"Id": "10.0.7.9"}) == [("10.0.7.9", "unused", "Target.NotInUse")]


def test_an_instance_is_a_target_while_it_runs(ground, paper):
    arn = ground.targets(TargetType="instance")
    instance = launch(ground.ec2, SubnetId=ground.subnets[0])["InstanceId"]
    assert code(ground.elb.register_targets, TargetGroupArn=arn, Targets=[{"Id": instance}]) == "InvalidTarget"
    paper.settle()
    ground.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])
    ground.listener(ground.balancer(), arn)
    assert ground.health(arn) == [(instance, "initial", "Elb.RegistrationInProgress")]
    ground.ec2.stop_instances(InstanceIds=[instance])
    paper.settle()
    assert ground.health(arn) == [(instance, "unused", "Target.InvalidState")]


def test_a_group_in_use_is_not_deleted(ground):
    arn, balancer = ground.targets(), ground.balancer()
    listener = ground.listener(balancer, arn)
    assert code(ground.elb.delete_target_group, TargetGroupArn=arn) == "ResourceInUse"
    (shown,) = ground.elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    assert shown["LoadBalancerArns"] == [balancer]
    ground.elb.delete_listener(ListenerArn=listener)
    ground.elb.delete_target_group(TargetGroupArn=arn)
    ground.elb.delete_target_group(TargetGroupArn=arn)
    assert code(ground.elb.describe_target_groups, TargetGroupArns=[arn]) == "TargetGroupNotFound"
    assert code(ground.elb.describe_target_groups, Names=["tg"]) == "TargetGroupNotFound"


def test_listeners(ground):
    balancer, group = ground.balancer(), ground.targets()
    arn = ground.listener(balancer, group, Tags=[{"Key": "a", "Value": "1"}])
    (shown,) = ground.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    assert (shown["ListenerArn"], shown["Port"], shown["Protocol"]) == (arn, 6379, "TCP")
    assert shown["DefaultActions"][0]["TargetGroupArn"] == group
    assert ground.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] == [{"Key": "a", "Value": "1"}]
    assert code(ground.listener, balancer, group) == "DuplicateListener"
    ground.elb.modify_listener(ListenerArn=arn, Port=80)
    (shown,) = ground.elb.describe_listeners(ListenerArns=[arn])["Listeners"]
    assert shown["Port"] == 80
    attributes = ground.elb.describe_listener_attributes(ListenerArn=arn)["Attributes"]
    assert attributes == [{"Key": "tcp.idle_timeout.seconds", "Value": "350"}]
    more = [{"Key": "tcp.idle_timeout.seconds", "Value": "400"}]
    refused = code(ground.elb.modify_listener_attributes, ListenerArn=arn, Attributes=more)
    assert refused == "InvalidConfigurationRequest"
    assert code(ground.elb.describe_listeners, ListenerArns=[arn + "0"]) == "ListenerNotFound"
    assert code(ground.elb.describe_listeners) == "ValidationError"
    ground.elb.delete_load_balancer(LoadBalancerArn=balancer)
    assert code(ground.elb.describe_listeners, ListenerArns=[arn]) == "ListenerNotFound"


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"Protocol": "TLS"}, "UnsupportedProtocol"),
        ({"Protocol": "HTTP"}, "UnsupportedProtocol"),
        ({"Protocol": "UDP"}, "IncompatibleProtocols"),
        ({"Port": 70000}, "ValidationError"),
        ({"Certificates": [{"CertificateArn": "x"}]}, "ValidationError"),
        ({"DefaultActions": []}, "InvalidLoadBalancerAction"),
        ({"DefaultActions": [{"Type": "fixed-response"}]}, "InvalidLoadBalancerAction"),
        ({"DefaultActions": [{"Type": "forward"}]}, "InvalidConfigurationRequest"),
        ({"DefaultActions": forward("arn:x")}, "TargetGroupNotFound"),
        ({"LoadBalancerArn": "arn:x"}, "LoadBalancerNotFound"),
    ],
)
def test_a_listener_that_may_not_be_is_refused(ground, more, refused):
    assert code(ground.listener, ground.balancer(), ground.targets(), **more) == refused


def test_a_target_group_belongs_to_one_balancer(ground):
    group = ground.targets()
    ground.listener(ground.balancer(), group)
    assert code(ground.listener, ground.balancer("other"), group) == "TargetGroupAssociationLimit"
    elsewhere = Ground(ground.paper)
    assert code(ground.listener, ground.balancer(), elsewhere.targets("far"), 80) == "InvalidConfigurationRequest"
