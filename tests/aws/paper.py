# ruff: noqa: ARG001 - these operations take what they would and do little with it
"""A backend in memory, and a few operations to answer with: enough of AWS to test the wire and nothing else."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from atoll.aws.answer import answer
from atoll.aws.errors import Err
from atoll.aws.http import Request
from atoll.aws.operation import Shape, operation
from atoll.model.resource import Resource
from atoll.model.world import Tx, World

NO_SUCH_VPC = Err("InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc(Resource):
    cidr: str


class Paper:
    """Keeps a World and notes what it was asked."""

    def __init__(self, *, mode="local", keys=(), now=None):
        self.mode, self.keys = mode, {key.id: key for key in keys}
        self.present, self.time = World(), now
        self.calls, self.opened, self.waits, self.ids = [], [], 0, 0

    def now(self):
        return self.time or datetime.now(UTC)

    def secret_of(self, key_id):
        return self.keys.get(key_id)

    def opening(self, caller):
        self.opened.append((caller.account, caller.region))

    def write(self, op, caller):
        tx = Tx(self.present, caller=caller, now=self.now(), new_hex=self.hex)
        result = op(tx)
        self.present = self.present.after(tx.changes)
        return result

    def hex(self, digits):
        self.ids += 1
        return f"{self.ids:0{digits}x}"

    def world(self, caller):
        return self.present.seen_by(caller)

    def is_sure(self, _looks):
        return True  # nothing comes up later

    async def whole(self):
        pass

    async def in_force(self):
        self.waits += 1

    def called(self, call):
        self.calls.append(call)

    def later(self, **delta):
        self.time = self.now() + timedelta(**delta)


def ask(backend, request: Request):
    return asyncio.run(answer(request, backend))


def declare():
    """Register the operations of the tests."""

    @operation("ec2", "CreateVpc")
    def create_vpc(tx: Tx, *, cidr_block: str, tag_specifications: list[Shape] = ()) -> Shape:
        tags = {tag["Key"]: tag["Value"] for spec in tag_specifications for tag in spec["Tags"]}
        vpc = tx.make(Vpc, tx.new_id("vpc"), cidr=cidr_block, tags=tags)
        return {"Vpc": render(vpc)}

    @operation("ec2", "DescribeVpcs")
    def describe_vpcs(world: World, *, vpc_ids: list[str] = (), filters: list[Shape] = ()) -> Shape:
        return {"Vpcs": [render(vpc) for vpc in world.all(Vpc) if not vpc_ids or vpc.id in vpc_ids]}

    @operation("ec2", "DeleteVpc")
    def delete_vpc(tx: Tx, *, vpc_id: str) -> None:
        vpc = tx.get(Vpc, vpc_id)
        if vpc is None:
            raise NO_SUCH_VPC(id=vpc_id)
        tx.delete(vpc)

    @operation("ec2", "AuthorizeSecurityGroupIngress", network=True)
    def authorize(tx: Tx, *, group_id: str, ip_permissions: list[Shape] = ()) -> Shape:
        return {"Return": True}

    @operation("ec2", "CreateNatGateway")
    def create_nat_gateway(tx: Tx, *, subnet_id: str) -> Shape:
        return {"NatGateway": {"NatGatewayId": tx.new_id("nat"), "SubnetId": subnet_id, "CreateTime": tx.now}}

    @operation("ec2", "DescribeRegions")
    def broken(world: World) -> Shape:
        return {"Regions": [{"Nonsense": "this member is not in the model"}]}

    @operation("elasticache", "CreateCacheSubnetGroup")
    def create_subnet_group(
        tx: Tx, *, cache_subnet_group_name: str, cache_subnet_group_description: str, subnet_ids: list[str]
    ) -> Shape:
        return {"CacheSubnetGroup": {"CacheSubnetGroupName": cache_subnet_group_name}}

    @operation("elasticache", "DeleteCacheSubnetGroup")
    def delete_subnet_group(tx: Tx, *, cache_subnet_group_name: str) -> None:
        return None

    @operation("elbv2", "DescribeLoadBalancers")
    def describe_load_balancers(world: World, *, names: list[str] = ()) -> Shape:
        return {"LoadBalancers": []}

    @operation("sts", "GetCallerIdentity")
    def get_caller_identity(world: World) -> Shape:
        return {"Account": world.caller.account, "Arn": world.caller.arn, "UserId": world.caller.access_key_id}


def render(vpc):
    tags = [{"Key": key, "Value": value} for key, value in vpc.tags.items()]
    return {"VpcId": vpc.id, "CidrBlock": vpc.cidr, "OwnerId": vpc.account, "Tags": tags, "State": "available"}
