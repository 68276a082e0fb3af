"""Atoll without a kernel, in this process: boto3 asks, and the real answer path answers from a store in memory.

Ids are counted and the clock is ours, so what a test sees is the same each time.  Nothing boots and no cache starts
by itself: `Paper.settle` says what a host would have seen.
"""

import importlib
import io
import itertools
import pkgutil
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

import atoll.cloudwatch
import atoll.ec2
import atoll.elasticache
import atoll.elbv2
import atoll.logs
import atoll.servicequotas
import atoll.ssm
import atoll.sts
from atoll.aws.answer import answer
from atoll.aws.http import Request
from atoll.ec2.defaults import open_territory
from atoll.model import balancer_transitions, endpoint_transitions, insight, nat_transitions, transitions
from atoll.model.account import AccessKey
from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import VpcEndpoint
from atoll.model.instance import Instance
from atoll.model.kinds import KINDS
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.store.sqlite import Store

ACCOUNT, OTHER_ACCOUNT = "000000000000", "222222222222"
REGION, OTHER_REGION = "us-east-1", "eu-west-1"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)

for service in (
    atoll.cloudwatch,
    atoll.ec2,
    atoll.elasticache,
    atoll.elbv2,
    atoll.logs,
    atoll.servicequotas,
    atoll.ssm,
    atoll.sts,
):
    for module in pkgutil.iter_modules(service.__path__, f"{service.__name__}."):
        importlib.import_module(module.name)  # importing a verb registers it

session = boto3.Session()


class Paper:
    """A World, and clients for it."""

    def __init__(self, at=":memory:"):
        self.clock = START
        self.store = Store(at, KINDS, clock=self._tick, new_hex=_counter())
        self.backend = Backend(self.store)

    def client(self, service="ec2", *, account=ACCOUNT, region=REGION):
        """Return a boto3 client of an account in a region."""
        made = session.client(
            service,
            region_name=region,
            endpoint_url="http://localhost:4566",
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )
        made.meta.events.register("before-send", self._send)
        return made

    @property
    def world(self):
        """The World as nobody in particular sees it."""
        return self.store.world

    def write(self, fn):
        """Run a transaction without a caller, as the control loops do."""
        return self.store.write(fn)

    def settle(self):
        """Let every instance, NAT gateway, load balancer, endpoint and analysis become what it was asked to be."""
        self.write(insight.finish)
        for gateway in list(self.world.bucket(NatGateway, "awaits", True).values()):
            self.write(lambda tx, gateway=gateway: nat_transitions.in_force(tx, gateway))
        for balancer in list(self.world.bucket(LoadBalancer, "awaits", True).values()):
            self.write(lambda tx, balancer=balancer: balancer_transitions.in_force(tx, balancer))
        for endpoint in list(self.world.bucket(VpcEndpoint, "awaits", True).values()):
            self.write(lambda tx, endpoint=endpoint: endpoint_transitions.in_force(tx, endpoint))
        for instance in list(self.world.all(Instance)):
            for event in (transitions.booted, transitions.stopped, transitions.terminated):
                self.write(lambda tx, event=event, id=instance.id: event(tx, id))
        for peering in list(self.world.all(Peering)):
            self.write(lambda tx, p=peering: transitions.network_obeyed(tx, p.id, p.status))

    def _tick(self):
        self.clock += timedelta(seconds=1)
        return self.clock

    def _send(self, request, **_):
        out = now(answer(as_received(request), self.backend))
        return AWSResponse(request.url, out.status, dict(out.headers), Raw(out.body))


class Backend:
    """What answering needs: the store, and no kernel to wait for."""

    mode = "local"

    def __init__(self, store):
        self.store = store
        self.calls = []
        self.waits = 0  # how often an answer waited for the network
        self._open = set()

    def now(self):
        return datetime.now(UTC)  # the wall's, as boto3 signs with it

    def secret_of(self, key_id):
        return self.store.world.get(AccessKey, key_id)

    def opening(self, caller):
        place = caller.account, caller.region
        if place not in self._open:
            self._open.add(place)
            self.store.write(open_territory, caller=caller)

    def write(self, op, caller):
        return self.store.write(op, caller=caller)

    def world(self, caller):
        return self.store.world.seen_by(caller)

    def is_sure(self, _looks):
        return True  # nothing comes up later

    async def whole(self):
        pass

    async def in_force(self):
        self.waits += 1

    def called(self, call):
        self.calls.append(call)


def _counter():
    numbers = itertools.count(1)
    return lambda digits: f"{next(numbers):0{digits}x}"


class Raw(io.BytesIO):
    """What urllib3 gives to botocore."""

    def stream(self, **_):
        yield self.read()


def as_received(request):
    """Return a request of botocore as a server would see it."""
    _, _, rest = request.url.partition("://")
    host, _, target = rest.partition("/")
    path, _, query = f"/{target}".partition("?")
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    return Request(request.method, path, query, {"host": host, **headers}, body)


def now(coroutine):
    """Return what a coroutine returns that never waits: no loop is needed."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("an answer on paper waits for nothing")


def refusal(call, *args, **kwargs):
    """Return the code and the message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def code(call, *args, **kwargs):
    """Return the code with which a call is refused."""
    return refusal(call, *args, **kwargs)[0]


def ids(items, member):
    """Return one member of each item, sorted."""
    return sorted(item[member] for item in items)


def by(**filters):
    """Return Filters: `by(vpc_id="vpc-1")` is the filter `vpc-id`; a list means any of its values."""
    return [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [v] if isinstance(v, str) else v}
        for name, v in filters.items()
    ]


def tagging(type, **tags):
    """Return TagSpecifications for a resource type."""
    return [{"ResourceType": type, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]
