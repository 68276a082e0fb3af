"""Atoll's own API at a VPC endpoint: TLS that its authority vouches for, one service, and no private API."""

import asyncio
import socket
import ssl
import stat
import threading
from datetime import timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from atoll import front, server
from atoll.aws.http import Answer, Request
from atoll.front import front_of
from atoll.guest.objects import Objects
from atoll.host.authority import RENEWED, Authority
from atoll.model.endpoint import VpcEndpoint
from tests.api.paper import START, Paper


def endpoint(service="ec2", kind="Interface"):
    return VpcEndpoint(
        id="vpce-1", account="000000000000", region="us-east-1", vpc_id="vpc-1", type=kind, created=START,
        service_name=f"com.amazonaws.us-east-1.{service}", state="available", digits="0a",
    )  # fmt: skip


async def asked(front, question):
    """Serve on a port of the loopback, and ask in a thread."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    await front.serve([sock])
    try:
        return await asyncio.to_thread(question, url)
    finally:
        front.close()


def client(url, service="ec2", region="us-east-1"):
    config = Config(retries={"max_attempts": 0})
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=url, config=config, **keys)


def test_it_answers_for_its_service(tmp_path):
    front = front_of(endpoint(), Paper().backend, Authority(tmp_path), tmp_path)
    found = asyncio.run(asked(front, lambda url: client(url).describe_vpcs()["Vpcs"]))
    assert [vpc["IsDefault"] for vpc in found] == [True]


@pytest.mark.parametrize(("service", "region"), [("sts", "us-east-1"), ("ec2", "eu-west-1")])
def test_it_answers_for_nothing_else(tmp_path, service, region):
    front = front_of(endpoint(), Paper().backend, Authority(tmp_path), tmp_path)

    def call(url):
        one = client(url, service, region)
        with pytest.raises(ClientError) as caught:
            (one.describe_vpcs if service == "ec2" else one.get_caller_identity)()
        return caught.value.response

    refused = asyncio.run(asked(front, call))
    assert refused["Error"]["Code"] == "SignatureDoesNotMatch"
    assert refused["Error"]["Message"] == (
        "Credential should be scoped to the service 'ec2' in the region 'us-east-1'."
    )


def test_the_private_api_is_not_there(tmp_path):
    front = front_of(endpoint(), Paper().backend, Authority(tmp_path), tmp_path)

    def ask(url):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"GET /_atoll/status HTTP/1.1\r\nHost: ec2.us-east-1.amazonaws.com\r\n\r\n")
            return sock.recv(64)

    assert asyncio.run(asked(front, ask)).startswith(b"HTTP/1.1 403 ")


def test_the_authority_vouches_for_the_names_of_the_endpoint(tmp_path):
    authority = Authority(tmp_path)
    server = authority.server(["ec2.us-east-1.amazonaws.com", "*.ec2.us-east-1.vpce.amazonaws.com"])
    trusting = ssl.create_default_context(cafile=str(authority.certificate()))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT

    def greet(context, name):
        return handshake(context, server, name)

    assert greet(trusting, "ec2.us-east-1.amazonaws.com") == "TLSv1.3"
    assert greet(trusting, "vpce-1-0a.ec2.us-east-1.vpce.amazonaws.com") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(trusting, "sts.us-east-1.amazonaws.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(ssl.create_default_context(), "ec2.us-east-1.amazonaws.com")


def test_its_key_is_its_owners_and_stays(tmp_path):
    made = Authority(tmp_path).certificate()
    assert Authority(tmp_path).certificate().read_bytes() == made.read_bytes()
    assert stat.S_IMODE((made.parent / "ca.key").stat().st_mode) == 0o600


def test_a_region_has_an_authority_below_it_that_vouches_for_caches(tmp_path):
    authority, names = (
        Authority(tmp_path),
        ["rg-001.rg.abc.use1.cache.amazonaws.com", "*.rg.abc.use1.cache.amazonaws.com"],
    )
    text = authority.issue(names, "us-east-1")
    (tmp_path / "server.pem").write_bytes(text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    trusting = ssl.create_default_context(cafile=str(authority.certificate()))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT

    assert handshake(trusting, server, "master.rg.abc.use1.cache.amazonaws.com") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(trusting, server, "master.other.abc.use1.cache.amazonaws.com")
    assert authority.is_good(text, names)
    assert not authority.is_good(text, names[:1]), "it is replaced when names change"
    key = tmp_path / "authority" / "us-east-1" / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"BEGIN CERTIFICATE" in (key.parent / "ca.pem").read_bytes()


def test_a_certificate_is_replaced_long_before_its_end(tmp_path, monkeypatch):
    authority = Authority(tmp_path)

    monkeypatch.setattr("atoll.host.authority.SERVER_LIFE", RENEWED + timedelta(days=1))
    assert authority.is_good(authority.issue(["a.example"], "us-east-1"), ["a.example"])
    monkeypatch.setattr("atoll.host.authority.SERVER_LIFE", RENEWED - timedelta(days=1))
    assert not authority.is_good(authority.issue(["a.example"], "us-east-1"), ["a.example"])


def handshake(client, server, name):
    """Let two ends greet each other; returns what they speak."""
    near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(near, far, server_hostname=name)
    theirs = server.wrap_bio(far, near, server_side=True)
    for _ in range(4):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.version()


async def said(place, raw, own="127.0.0.1"):
    reader, writer = await asyncio.open_connection(*place, local_addr=(own, 0))
    writer.write(raw)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


def test_one_guest_leaves_connections_to_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(front, "CONNECTIONS_OF_ONE_MAX", 2)
    made = front_of(endpoint("s3", "Gateway"), Paper().backend, Authority(tmp_path), tmp_path)
    hello = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    async def run():
        sock = socket.create_server(("127.0.0.1", 0))
        await made.serve([sock])
        place = sock.getsockname()
        kept = [await asyncio.open_connection(*place, local_addr=("127.0.0.2", 0)) for _ in range(2)]
        assert (await said(place, hello, "127.0.0.2")).startswith(b"HTTP/1.1 503")
        assert (await said(place, hello)).startswith(b"HTTP/1.1 403")
        for _, writer in kept:
            writer.close()
        async with asyncio.timeout(20):
            while (await said(place, hello, "127.0.0.2")).startswith(b"HTTP/1.1 503"):  # noqa: ASYNC110  # the server has no event for it
                await asyncio.sleep(0.05)
        made.close()

    asyncio.run(run())


def test_a_guest_that_asks_the_store_without_end_is_told_so_and_holds_up_no_other_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(front, "WAITING_MAX", 3)
    goes_on = threading.Event()
    monkeypatch.setattr(Objects, "answer", lambda *_: goes_on.wait(20) and Answer(200, {}, b""))
    made = front_of(endpoint("s3", "Gateway"), Paper().backend, Authority(tmp_path), tmp_path)
    asking = Request("GET", "/", "", {}, b"")

    async def run():
        waiting = [asyncio.create_task(made._answering(asking)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await made._answering(asking)
        assert await asyncio.to_thread(lambda: "free") == "free"
        goes_on.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
        made.close()
        return refused

    assert (refused := asyncio.run(run())).status == 503
    assert b"<Code>SlowDown</Code>" in refused.body


def test_who_does_not_shake_hands_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.2)

    async def run():
        made = server.Server(None, socket.create_server(("127.0.0.1", 0)), Authority(tmp_path).server(["localhost"]))
        await made.start()
        assert await said(made._sock.getsockname(), b"") == b""
        await made.stop()

    asyncio.run(run())
