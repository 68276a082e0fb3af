"""The HTTP server: what it reads, what it refuses, how connections live and end.  On loopback, with raw sockets."""

import asyncio
import contextlib
import gc
import socket
from contextlib import asynccontextmanager

import pytest

from atoll import server as http
from atoll.aws.http import BODY_BYTES_MAX, Answer, Request, Stream
from atoll.server import HEAD_BYTES_MAX, PIPELINED_MAX, Server


class Echo:
    """Answers with what was asked; `hold` keeps answers back."""

    def __init__(self):
        self.requests: list[Request] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.asked = asyncio.Event()

    async def __call__(self, request):
        self.requests.append(request)
        self.asked.set()
        await self.hold.wait()
        return Answer(200, {"X-Path": request.path}, request.path.encode())


@asynccontextmanager
async def serving(echo):
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    server = Server(echo, sock)
    await server.start()
    try:
        yield server, sock.getsockname()[1]
    finally:
        await server.stop()


def talk(*packets, until_closed=False, answers=1):
    """Send packets on one connection; return what came back, and the requests as they were understood."""

    async def run():
        echo = Echo()
        async with serving(echo) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for packet in packets:
                writer.write(packet)
                await writer.drain()
            said = b""
            async with asyncio.timeout(5):
                while until_closed or said.count(b"HTTP/1.1 2") < answers or not complete(said):
                    more = await reader.read(1 << 16)
                    if not more:
                        break
                    said += more
            writer.close()
        return said, echo.requests

    return asyncio.run(run())


def complete(said):
    head, _, body = said.rpartition(b"\r\n\r\n")
    length = next((int(v[15:]) for v in head.lower().split(b"\r\n")[::-1] if v.startswith(b"content-length:")), 0)
    return len(body) >= length


def test_a_request_is_read_as_it_was_written():
    _, (request,) = talk(b"POST /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc")

    assert (request.method, request.path, request.query, request.body) == ("POST", "/a%20b", "x=1&y", b"abc")
    assert request.headers == {"host": "h", "x-a": "1,2", "content-length": "3"}


def test_an_answer_has_a_length_and_a_date():
    said, _ = talk(b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ndate: " in said
    assert said.endswith(b"x-path: /p\r\ncontent-length: 2\r\n\r\n/p")


def test_a_body_may_come_in_chunks_and_in_pieces():
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    _, (request,) = talk(head[:20], head[20:], b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")

    assert request.body == b"abcde"


def test_pipelined_requests_are_answered_in_their_order():
    count = PIPELINED_MAX * 3

    said, requests = talk(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(count)), answers=count)

    assert [r.path for r in requests] == [f"/{i}" for i in range(count)]
    answered = [line[9:] for line in said.split(b"\r\n") if line.startswith(b"x-path")]
    assert answered == [b"%d" % i for i in range(count)]


def test_a_head_request_gets_no_body():
    said, _ = talk(b"HEAD /p HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /q HTTP/1.1\r\nHost: h\r\n\r\n", answers=2)

    assert b"content-length: 2\r\n\r\nHTTP/1.1 200 OK" in said


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nConnection: close\r\nHost: h", b"GET / HTTP/1.0"])
def test_a_connection_ends_when_the_client_wants_it(head):
    said, _ = talk(head + b"\r\n\r\n", until_closed=True)

    assert b"connection: close\r\n" in said


def test_a_client_that_asks_first_is_told_to_go_on():
    said, _ = talk(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", b"x")

    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_what_is_not_http_is_refused():
    said, requests = talk(b"\x16\x03\x01 hello\r\n\r\n", until_closed=True)

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert requests == []


def test_a_head_without_end_is_refused():
    said, requests = talk(b"GET / HTTP/1.1\r\n", b"X: %s\r\n\r\n" % (b"a" * (HEAD_BYTES_MAX + 1)), until_closed=True)

    assert said.startswith(b"HTTP/1.1 431 ")
    assert requests == []


def test_a_head_is_measured_once_whatever_pieces_it_comes_in():
    address = b"/" + b"a" * (HEAD_BYTES_MAX - 1000)
    whole = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % address

    _, (request,) = talk(*(whole[n : n + 16384] for n in range(0, len(whole), 16384)))

    assert request.path.encode() == address


def test_who_asks_for_another_protocol_is_answered_and_told_that_the_connection_ends():
    upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    said, requests = talk(upgrade, until_closed=True)

    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in said
    assert len(requests) == 1


def test_what_is_wrong_behind_a_request_is_refused_after_its_answer():
    said, requests = talk(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03\x01 hello\r\n\r\n", until_closed=True)

    assert [line for line in said.split(b"\r\n") if b"HTTP/1.1 " in line] == [
        b"HTTP/1.1 200 OK", b"/aHTTP/1.1 400 Bad Request"
    ]  # fmt: skip
    assert len(requests) == 1


def test_of_a_body_that_is_too_large_one_byte_too_many_is_passed_on():
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 200_000)

    said, (request,) = talk(head, b"a" * (BODY_BYTES_MAX + 1), until_closed=True)

    assert len(request.body) == BODY_BYTES_MAX + 1
    assert b"connection: close\r\n" in said


def test_who_asks_what_cannot_be_answered_is_told_so_and_the_server_goes_on():
    async def answering(request):
        if request.path == "/bad":
            raise ImportError("the package was replaced meanwhile")
        return Answer(200, {}, b"good")

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: raised.append(context["exception"]))
        said = []
        async with serving(answering) as (_, port), asyncio.timeout(5):
            for path in (b"/bad", b"/good"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path)
                said.append(await reader.read())
                writer.close()
        return said

    raised: list[Exception] = []
    bad, good = asyncio.run(run())
    gc.collect()

    assert bad.startswith(b"HTTP/1.1 500 ")
    assert b'{"error": "Atoll failed to answer"' in bad
    assert good.endswith(b"good")
    assert [type(error) for error in raised] == [ImportError]


def test_at_its_end_it_lets_answers_out_and_closes_idle_connections():
    async def run():
        echo = Echo()
        async with serving(echo) as (server, port):
            idle, _ = await asyncio.open_connection("127.0.0.1", port)
            busy, writer = await asyncio.open_connection("127.0.0.1", port)
            echo.hold.clear()
            writer.write(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n")
            await echo.asked.wait()
            stopping = asyncio.create_task(server.stop())
            async with asyncio.timeout(5):
                assert await idle.read() == b""
                echo.hold.set()
                said = await busy.read()
                await stopping
        return said

    assert asyncio.run(run()).endswith(b"\r\n\r\n/late")


def test_a_stream_goes_out_piece_by_piece_and_ends_with_its_reader():
    said, ended = asyncio.Event(), asyncio.Event()

    async def pieces():
        try:
            yield b"one"
            await said.wait()
            yield b"two"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def answering(_):
        return Stream(200, {"content-type": "text/event-stream"}, pieces())

    async def read():
        async with serving(answering) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"connection: close" in head
            assert b"content-length" not in head
            assert await reader.readexactly(3) == b"one"
            said.set()
            assert await reader.readexactly(3) == b"two"
            writer.close()
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(read())


def test_a_stream_whose_reader_left_before_it_began_ends_too():
    asked, leave, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pieces():
        try:
            while True:
                yield b"x" * 100_000
        finally:
            ended.set()

    async def answering(_):
        asked.set()
        await leave.wait()
        return Stream(200, {}, pieces())

    async def go():
        async with serving(answering) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asked.wait()
            writer.transport.abort()
            await asyncio.sleep(0)
            leave.set()
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(go())


def test_the_server_ends_though_a_stream_has_no_end():
    async def pieces():
        yield b"one"
        await asyncio.Event().wait()

    async def answering(_):
        return Stream(200, {}, pieces())

    async def go():
        async with serving(answering) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"one")
        assert await reader.read() == b""
        writer.close()

    asyncio.run(go())


def test_who_takes_nothing_of_a_stream_is_cut(monkeypatch):
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.3)
    ended = asyncio.Event()

    async def pieces():
        try:
            while True:
                yield b"x" * 100_000
        finally:
            ended.set()

    async def answering(_):
        return Stream(200, {}, pieces())

    async def go():
        async with serving(answering) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(ended.wait(), 10)
            with contextlib.suppress(ConnectionResetError):
                async with asyncio.timeout(10):
                    await reader.read()
            assert not server.connections
            writer.close()

    asyncio.run(go())
