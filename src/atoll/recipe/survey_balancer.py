"""Survey Network Load Balancers, their target groups and listeners."""

from collections.abc import Iterator

from atoll.model.balancer import HealthCheck, Listener, LoadBalancer, TargetGroup
from atoll.model.world import World
from atoll.recipe.step import Made, Parameters, Step, Wait

# What a new target group has.  Source: Network Load Balancers guide, "Target group attributes".
USUAL = {"deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false", "stickiness.type": "source_ip",
    "preserve_client_ip.enabled": "true", "proxy_protocol_v2.enabled": "false"}  # fmt: skip


def steps(world: World) -> Iterator[Step]:
    """Yield groups with their targets, balancers, listeners."""
    for group in world.all(TargetGroup):
        yield from _target_group(group)
    for balancer in world.all(LoadBalancer):
        yield _balancer(balancer)
    for listener in world.all(Listener):
        balancer = world[LoadBalancer, listener.balancer_id]
        yield Step(service="elbv2", operation="CreateListener",
            parameters={"LoadBalancerArn": listener.balancer_id, "Protocol": listener.protocol, "Port": listener.port,
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": listener.group_id}], **_tags(listener.tags)},
            made=(Made(id=listener.id, path="Listeners[0].ListenerArn", name=f"{balancer.name}-{listener.port}",
                kind="listener", terraform="arn"),))  # fmt: skip


def _tags(tags: object) -> Parameters:
    assert hasattr(tags, "items"), "tags are a mapping"
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"Tags": listed} if listed else {}


def _target_group(group: TargetGroup) -> Iterator[Step]:
    yield Step(service="elbv2", operation="CreateTargetGroup",
        parameters={"Name": group.name, "Protocol": group.protocol, "Port": group.port, "VpcId": group.vpc_id,
            "TargetType": group.target_type, **_health(group.health), **_tags(group.tags)},
        made=(Made(id=group.id, path="TargetGroups[0].TargetGroupArn", name=group.name, kind="tg",
            terraform="arn"),))  # fmt: skip
    standing = [t for t in group.targets if t.state != "draining"]
    if standing:
        yield Step(service="elbv2", operation="RegisterTargets",
            parameters={"TargetGroupArn": group.id, "Targets": [{"Id": t.id, "Port": t.port} for t in standing]}
        )  # fmt: skip
    changed = [{"Key": key, "Value": value} for key, value in group.attributes.items()
        if USUAL.get(key) != value]
    if changed:
        yield Step(service="elbv2", operation="ModifyTargetGroupAttributes", changes=group.id,
            parameters={"TargetGroupArn": group.id, "Attributes": changed})  # fmt: skip


def _health(health: HealthCheck) -> Parameters:
    found: Parameters = {"HealthCheckProtocol": health.protocol, "HealthCheckPort": health.port,
        "HealthCheckIntervalSeconds": health.interval_seconds, "HealthCheckTimeoutSeconds": health.timeout_seconds,
        "HealthyThresholdCount": health.healthy_threshold, "UnhealthyThresholdCount": health.unhealthy_threshold}
    if health.protocol != "TCP":
        found |= {"HealthCheckPath": health.path, "Matcher": {"HttpCode": health.matcher}}
    return found


def _balancer(balancer: LoadBalancer) -> Step:
    asked: Parameters = {"Name": balancer.name, "Type": "network", "Scheme": balancer.scheme}
    if any(node.allocation_id for node in balancer.nodes):
        asked["SubnetMappings"] = [
            {"SubnetId": node.subnet_id, **({"AllocationId": node.allocation_id} if node.allocation_id else {})}
            for node in balancer.nodes
        ]
    else:
        asked["Subnets"] = [node.subnet_id for node in balancer.nodes]
    if balancer.group_ids:
        asked["SecurityGroups"] = list(balancer.group_ids)
    return Step(service="elbv2", operation="CreateLoadBalancer", parameters={**asked, **_tags(balancer.tags)},
        made=(Made(id=balancer.id, path="LoadBalancers[0].LoadBalancerArn", name=balancer.name, kind="nlb",
            terraform="arn"),),
        waits=(Wait(service="elbv2", waiter="load_balancer_available",
            parameters={"LoadBalancerArns": [balancer.id]}),))  # fmt: skip
