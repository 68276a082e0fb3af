"""Somebody on another machine: what he may say, how fast, how much, and how often."""

import asyncio
import contextlib
import json
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import asynccontextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from atoll import secure, server
from atoll.aws.http import Answer
from atoll.console.access import Listener, key_of
from atoll.console.access import ticket as console_ticket
from atoll.host.authority import Authority
from atoll.host.errors import HostError
from atoll.secure import SecureServer
from atoll.server import CONNECTIONS_MAX, Server
from tests.daemon.atoll import running

GET = b"GET /asked HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def echo(request):
    return Answer(200, {}, request.path.encode() + request.peer.encode())


@asynccontextmanager
async def abroad(place, **more):
    """A server that other machines reach: here everybody is one, if `is_ours` says so."""
    sock = socket.create_server(("127.0.0.1", 0))
    made = SecureServer(echo, sock, Authority(place), "0.0.0.0", **more)
    await made.start()
    try:
        yield made, sock.getsockname()[1]
    finally:
        await made.stop()


async def said(port, *pieces, tls=None):
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        for piece in pieces:
            writer.write(piece)
        answer = await reader.read()
        writer.close()
    return answer


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.01)


def stranger(*_):
    return False


def test_another_machine_is_answered_over_tls_only(tmp_path):
    async def run():
        async with abroad(tmp_path, is_ours=stranger) as (_, port):
            plain = await said(port, GET)
            assert plain.startswith(b"HTTP/1.1 400")
            assert b"https://" in plain
            assert b"/asked" not in plain
            tls = ssl.create_default_context(cafile=Authority(tmp_path).certificate())
            assert (await said(port, GET, tls=tls)).endswith(b"/asked127.0.0.1")
            with pytest.raises(ssl.SSLCertVerificationError):
                await said(port, GET, tls=ssl.create_default_context())

    asyncio.run(run())


def test_this_machine_may_speak_plainly_and_over_tls(tmp_path):
    async def run():
        async with abroad(tmp_path) as (_, port):
            assert (await said(port, GET)).endswith(b"/asked127.0.0.1")
            tls = ssl.create_default_context(cafile=Authority(tmp_path).certificate())
            assert (await said(port, GET, tls=tls)).endswith(b"/asked127.0.0.1")

    asyncio.run(run())


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x00\xff" + bytes(300), b"\x16", b"\0" * 64, b"\xff\xfe"])
def test_what_is_neither_ends_and_the_server_goes_on(tmp_path, first, monkeypatch):
    monkeypatch.setattr(secure, "BEGIN_SECONDS", 0.3)

    async def run():
        async with abroad(tmp_path, is_ours=stranger) as (_, port):
            await said(port, first)
            await said(port)  # who says nothing at all
            tls = ssl.create_default_context(cafile=Authority(tmp_path).certificate())
            assert (await said(port, GET, tls=tls)).endswith(b"/asked127.0.0.1")

    asyncio.run(run())


def test_one_other_machine_leaves_connections_to_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(secure, "PEER_CONNECTIONS_MAX", 3)

    async def run():
        async with abroad(tmp_path, is_ours=stranger) as (made, port):
            tls = ssl.create_default_context(cafile=Authority(tmp_path).certificate())
            kept = [await asyncio.open_connection("127.0.0.1", port, ssl=tls) for _ in range(3)]
            await until(lambda: len(made.connections) == 3)
            with pytest.raises(OSError, match=r".*"):
                await said(port, GET, tls=tls)
            kept[0][1].close()
            await until(lambda: len(made.connections) == 2)
            assert (await said(port, GET, tls=tls)).endswith(b"/asked127.0.0.1")
            for _, writer in kept:
                writer.close()

    asyncio.run(run())


def test_one_other_machine_that_says_nothing_leaves_them_too(tmp_path, monkeypatch):
    monkeypatch.setattr(secure, "PEER_CONNECTIONS_MAX", 3)

    async def run():
        async with abroad(tmp_path, is_ours=stranger) as (made, port):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            await until(lambda: len(made._welcoming) == 3)
            for reader, writer in silent[3:]:
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            for _, writer in silent[:3]:
                writer.close()

    asyncio.run(run())


def test_a_name_that_no_certificate_can_bear_is_refused_in_our_words(tmp_path):
    with pytest.raises(HostError, match="make a certificate"):
        Authority(tmp_path).server(["m\u00fcnchen"])


@pytest.mark.parametrize(
    "drops",
    [(b"GET / HTTP/1.1\r\nX-A: ", b"a"), (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n", b"a")],
    ids=["a head that drips", "a body that drips"],
)
def test_who_drips_is_told_and_closed(drops, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(server, "LOOK_EVERY_SECONDS", 0.05)

    async def run():
        made = Server(echo, sock := socket.create_server(("127.0.0.1", 0)))
        await made.start()
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(drops[0])
        async with asyncio.timeout(20):
            drip = asyncio.create_task(dripping(writer, drops[1]))
            answer = await reader.read()
            drip.cancel()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
        await made.stop()

    asyncio.run(run())


async def dripping(writer, drop):
    while True:
        writer.write(drop)
        await asyncio.sleep(0.05)


def test_more_connections_than_there_are_get_an_answer(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 2)
    assert CONNECTIONS_MAX == 1000

    async def run():
        made = Server(echo, sock := socket.create_server(("127.0.0.1", 0)))
        await made.start()
        port = sock.getsockname()[1]
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: len(made.connections) == 2)
        assert (await said(port, GET)).startswith(b"HTTP/1.1 503")
        for _, writer in kept:
            writer.close()
        await made.stop()

    asyncio.run(run())


@pytest.fixture(scope="module")
def strict():
    with running("paper", keys="required", bind="0.0.0.0") as made:
        yield made


@pytest.mark.parametrize(
    ("begin", "mebibytes", "expected"),
    [
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000000\r\n\r\n", 40, b"HTTP/1.1 413"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ", 2, b"HTTP/1.1 431"),
        (b"GET /", 2, b"HTTP/1.1 431"),
    ],
    ids=["a body", "one header without end", "an address without end"],
)
def test_too_much_is_refused_by_name(strict, begin, mebibytes, expected):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as sock:
        sock.sendall(begin)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(mebibytes << 4):
                sock.sendall(b"a" * (1 << 16))
        assert sock.recv(100).startswith(expected)
    assert strict.get("/_atoll/health")["status"] == "running"


def test_aws_clients_come_in_by_the_bundle_and_only_with_a_key(strict):
    assert "Others trust" in strict.log.read_text()
    call = boto3.client(
        "ec2",
        endpoint_url=f"https://127.0.0.1:{strict.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        verify=str(strict.state / "authority/ca.pem"),
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(ClientError, match=r"AuthFailure|InvalidClientTokenId"):
        call.describe_vpcs()


@pytest.mark.parametrize("ticket", [None, "", "9999999999.00.00", "9999999999.00.\ud800", "console"])
def test_only_who_can_read_the_state_makes_keys_and_deletes_them(strict, ticket):
    if ticket == "console":  # a link into the console is no proof for anything else
        listener = Listener(strict.port, strict.get("/_atoll/owner")["challenge"])
        ticket = console_ticket(key_of(strict.state), listener)
    before = strict.get("/_atoll/keys")["keys"]
    for path, asked in (("", {"account": "111122223333"}), ("/delete", {"id": "AKIA"})):
        url = f"http://127.0.0.1:{strict.port}/_atoll/keys{path}"
        body = json.dumps(asked | ({} if ticket is None else {"ticket": ticket})).encode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, body)
        assert refused.value.code == (403 if ticket else 400)
    assert strict.get("/_atoll/keys")["keys"] == before
