"""(g) What each way through the network costs a request: processor time of both ends, over a Docker-like path.

The same engine, the same load and one processor for all of them.  A NAT gateway is passed on the way out: there the
engine stands on the internet, and a private instance asks it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.carrying import Engine, Load
from bench.docker_path import docker_like
from bench.ground import Api, Atoll, Room, end, one, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, Vpc, allow, build, group, instance

OUTSIDE = "198.51.100.27"
PEER_RANGE = "10.1.0.0/16"


@dataclass(frozen=True)
class Path:
    """Who asks, who answers, and the address that is asked."""

    name: str
    client: Room
    server: Room
    address: str


def measure(rounds: int, requests: int) -> list[Row]:
    """Send `requests` requests along each path, `rounds` times, in turn."""
    with running() as atoll, docker_like(1) as docker:
        paths = [*_paths(atoll), Path(docker.name, docker.client, docker.server, docker.server.address)]
        program = atoll.engine("valkey")
        servers = {p.server.namespace: p.server for p in paths}
        engines = {name: Engine(program, room) for name, room in servers.items()}
        try:
            loads = {p.name: Load(p.client, engines[p.server.namespace], p.address) for p in paths}
            measures: dict[str, Callable[[], float]] = {n: (lambda it=it: it(requests)) for n, it in loads.items()}
            interleave(measures, 1)
            for load in loads.values():
                load.microseconds.clear()
            interleave(measures, rounds)
        finally:
            end([engine.process for engine in engines.values()])
    spent = {name: load.microseconds for name, load in loads.items()}
    asked = [
        Asked(series=p.name, unit="us", baseline=docker.name, target="<= 1.1" if p.name == "across subnets" else "")
        for p in paths[:-1]
    ]
    return rows("CPU a request", spent, asked)


def _paths(atoll: Atoll) -> list[Path]:
    api, vpc = atoll.api, build(atoll.api)
    open_group = group(api, vpc, "open")
    for cidr in ("10.0.0.0/16", PEER_RANGE):
        allow(api, open_group, cidr)
    near, server, far = (instance(api, subnet, open_group) for subnet in (vpc.private, vpc.private, vpc.public))
    peer = _peer(api, vpc)
    balancer = _balancer(atoll, vpc, server)
    _nat_gateway(api, vpc)
    rooms = {name: atoll.room(id) for name, id in (("near", near), ("server", server), ("far", far), ("peer", peer))}
    outside = atoll.outside(OUTSIDE)
    target = rooms["server"]
    return [
        Path("same subnet", rooms["near"], target, target.address),
        Path("across subnets", rooms["far"], target, target.address),
        Path("peering", rooms["peer"], target, target.address),
        Path("Network Load Balancer", rooms["far"], target, balancer),
        Path("NAT gateway", rooms["near"], outside, OUTSIDE),
    ]


def _peer(api: Api, vpc: Vpc) -> str:
    """Launch an instance in a VPC that is peered with this one."""
    other = one(api.ec2("CreateVpc", CidrBlock=PEER_RANGE), "vpcId")
    subnet = one(api.ec2("CreateSubnet", VpcId=other, CidrBlock="10.1.0.0/24"), "subnetId")
    peering = one(api.ec2("CreateVpcPeeringConnection", VpcId=vpc.id, PeerVpcId=other), "vpcPeeringConnectionId")
    api.ec2("AcceptVpcPeeringConnection", VpcPeeringConnectionId=peering)
    for id, cidr in ((vpc.id, PEER_RANGE), (other, "10.0.0.0/16")):
        table = one(api.ec2("DescribeRouteTables", **_of_vpc(id), **_main()), "routeTableId")
        api.ec2("CreateRoute", RouteTableId=table, DestinationCidrBlock=cidr, VpcPeeringConnectionId=peering)
    return instance(api, subnet, group(api, Vpc(other, subnet, subnet), "peer"))


def _nat_gateway(api: Api, vpc: Vpc) -> None:
    """Lead what leaves the private subnet through a NAT gateway in the public one."""
    address = one(api.ec2("AllocateAddress", Domain="vpc"), "allocationId")
    gateway = one(api.ec2("CreateNatGateway", SubnetId=vpc.public, AllocationId=address), "natGatewayId")

    def available() -> bool:
        return one(api.ec2("DescribeNatGateways", **{"NatGatewayId.1": gateway}), "state") == "available"

    until(available, every_seconds=0.01)
    table = one(api.ec2("DescribeRouteTables", **_of_vpc(vpc.id), **_main()), "routeTableId")
    api.ec2("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)


def _balancer(atoll: Atoll, vpc: Vpc, target: str) -> str:
    """Put a balancer before an instance's address, and return its own."""
    api = atoll.api
    what = {"Name": "bench", "Type": "network", "Scheme": "internal", "Subnets.member.1": vpc.private}
    balancer = one(api.elbv2("CreateLoadBalancer", **what), "LoadBalancerArn")
    targets = one(
        api.elbv2("CreateTargetGroup", Name="bench", Protocol="TCP", Port=PORT, VpcId=vpc.id, TargetType="ip"),
        "TargetGroupArn",
    )
    address = atoll.room(target).address
    api.elbv2("RegisterTargets", TargetGroupArn=targets, **{"Targets.member.1.Id": address})
    action = {"DefaultActions.member.1.Type": "forward", "DefaultActions.member.1.TargetGroupArn": targets}
    api.elbv2("CreateListener", LoadBalancerArn=balancer, Protocol="TCP", Port=PORT, **action)
    description = {"Filter.1.Name": "description", "Filter.1.Value.1": "ELB net/bench/*"}
    return one(api.ec2("DescribeNetworkInterfaces", **description), "privateIpAddress")


def _of_vpc(id: str) -> dict[str, str]:
    return {"Filter.1.Name": "vpc-id", "Filter.1.Value.1": id}


def _main() -> dict[str, str]:
    return {"Filter.2.Name": "association.main", "Filter.2.Value.1": "true"}
