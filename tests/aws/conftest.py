"""Fixtures: the operations of the tests in place of the real ones, and boto3 without a network."""

import io

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from atoll.aws.http import Request
from atoll.aws.operation import OPERATIONS
from tests.aws import paper


@pytest.fixture
def backend():
    """A backend in memory, while only the operations of `paper` exist."""
    real = dict(OPERATIONS)
    OPERATIONS.clear()
    paper.declare()
    yield paper.Paper()
    OPERATIONS.clear()
    OPERATIONS.update(real)


class Raw(io.BytesIO):
    """What urllib3 gives to botocore."""

    def stream(self, **_):
        yield self.read()


def client(backend, service, *, key="test", secret="test", token=None, region="us-east-1"):
    """Return a boto3 client whose requests are answered in this process."""
    made = boto3.client(
        service,
        region_name=region,
        endpoint_url="http://localhost:4566",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"max_attempts": 0}),
    )

    def send(request, **_):
        out = paper.ask(backend, as_received(request))
        return AWSResponse(request.url, out.status, dict(out.headers), Raw(out.body))

    made.meta.events.register("before-send", send)
    return made


def as_received(request):
    """Return a request of botocore as a server would see it."""
    _, _, rest = request.url.partition("://")
    host, _, target = rest.partition("/")
    path, _, query = f"/{target}".partition("?")
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
    body = request.body or b""
    return Request(
        request.method, path, query, {"host": host, **headers}, body if isinstance(body, bytes) else body.encode()
    )
