"""PrivateLink: a cache of one VPC used from another, whose range is the same (rows 112 to 117)."""

from atoll.learn.commands import named
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step
from atoll.learn.view import PING, PONG, Not, View
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.interface import Interface

CIDR = "10.0.0.0/16"
PORT = 6379


async def build(ground: Ground) -> None:
    """Make a provider with a cache behind a Network Load Balancer, and a consumer with the same range."""
    await provider(ground)
    vpc = await ground.vpc("consumer", CIDR)
    apps = await ground.subnet("apps", vpc, "10.0.0.0/24")
    door = await ground.group("door", vpc)
    app = await ground.group("app", vpc)
    await ground.allow(door, PORT, app)
    await ground.instance("app", apps, app)


async def provider(ground: Ground) -> str:
    """Make the provider; returns the balancer's ARN."""
    vpc = await ground.vpc("provider", CIDR)
    deep = await ground.subnet("data", vpc, "10.0.1.0/24")
    cache = await ground.group("cache", vpc)
    await ground.allow(cache, PORT, "10.0.1.0/24")
    await ground.subnet_group("provider", deep)
    await ground.valkey("sessions", "provider", cache)
    made = await ground.elbv2(
        "CreateLoadBalancer", Name="caches", Type="network", Scheme="internal", Subnets=[deep]
    )  # fmt: skip
    balancer: str = made["LoadBalancers"][0]["LoadBalancerArn"]
    targets = (
        await ground.elbv2(
            "CreateTargetGroup", Name="caches", Protocol="TCP", Port=PORT, VpcId=vpc, TargetType="ip",
            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
        )
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    address = await ground.address_of("sessions-001")
    await ground.elbv2("RegisterTargets", TargetGroupArn=targets, Targets=[{"Id": address}])
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    await ground.elbv2(
        "CreateListener", LoadBalancerArn=balancer, Protocol="TCP", Port=PORT, DefaultActions=forward
    )  # fmt: skip
    return balancer


def service(view: View) -> Facts:
    """Check that the provider offers an endpoint service, and wants to be asked."""
    found = view.world.all(EndpointService)
    one = next(iter(found), None)
    if one is None:
        raise Not("no-endpoint-service")
    return {"name": one.service_name}


def endpoint(view: View) -> Facts:
    """Check that the consumer has an interface endpoint to the service."""
    found = _endpoint(view)
    return {"id": found.id, "state": found.state}


def reach(view: View) -> Facts:
    """Check that the consumer's instance is answered by the provider's cache, through the endpoint."""
    found = _endpoint(view)
    if found.state not in ("available", "pending"):
        raise Not("not-accepted", id=found.id, state=found.state)
    address = view.world[Interface, found.feet[0].interface_id].address
    said = view.must_answer("app", address, PORT, PING, PONG, name=found.id)
    return {"said": said, "address": str(address)}


def _endpoint(view: View) -> VpcEndpoint:
    vpc = view.vpc("consumer").id
    mine = [e for e in view.world.all(VpcEndpoint) if e.vpc_id == vpc and e.service_id and not e.ended]
    if not mine:
        raise Not("no-endpoint", vpc="consumer")
    return mine[-1]


ACCEPT = "aws ec2 accept-vpc-endpoint-connections --service-id {vpce-svc:caches} --vpc-endpoint-ids {vpce:door}"

LESSON = Lesson(
    name="privatelink",
    number=8,
    build=build,
    steps=(
        Step(
            id="service",
            judge=service,
            before="no-endpoint-service",
            commands=(
                "aws ec2 create-vpc-endpoint-service-configuration --network-load-balancer-arns {lb:caches}"
                f" --acceptance-required {named('vpc-endpoint-service', 'caches')}",
            ),
        ),
        Step(
            id="endpoint",
            judge=endpoint,
            before="no-endpoint",
            commands=(
                "aws ec2 create-vpc-endpoint --vpc-id {vpc:consumer} --vpc-endpoint-type Interface"
                " --service-name {service:caches} --subnet-ids {subnet:apps} --security-group-ids {sg:door}"
                f" --no-private-dns-enabled {named('vpc-endpoint', 'door')}",
            ),
        ),
        Step(id="accept", judge=reach, before="not-accepted", commands=(ACCEPT,)),
    ),
)
