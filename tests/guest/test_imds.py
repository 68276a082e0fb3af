"""The metadata service: sessions, options and refusals (rows 128 and 129), and HTTP on real sockets."""

import asyncio
import contextlib
import random
import socket
from datetime import timedelta

import pytest

from atoll.guest import imds, token
from atoll.guest.imds import TTL_HEADER, Imds
from tests.guest.metadata import Guest, guest

ITEM = "/latest/meta-data/instance-id"
KEY = b"k" * 32


# Sessions


def test_a_token_opens_what_a_plain_get_may_not_read(web):
    web.options(HttpTokens="required")
    assert web.ask(ITEM).status == 401
    assert web.ask(ITEM, web.token()).body.decode() == web.id
    assert web.ask(ITEM, web.token(), method="HEAD").status == 200


def test_a_plain_get_reads_while_tokens_are_optional(web):
    assert web.ask(ITEM).body.decode() == web.id
    assert web.ask(ITEM, "").status == 401
    assert web.ask(ITEM, "garbage").status == 401


def test_what_is_not_there_is_refused_first_for_the_lack_of_a_token(web):
    web.options(HttpTokens="required")
    assert web.ask("/latest/meta-data/nothing").status == 401
    assert web.ask("/latest/meta-data/nothing", web.token()).status == 404


@pytest.mark.parametrize("seconds", ["1", "60", "21600"])
def test_a_put_gives_a_token_and_repeats_its_lifetime(web, seconds):
    answer = web.reply("PUT", "/latest/api/token", **{TTL_HEADER: seconds}).answer
    assert (answer.status, answer.headers[TTL_HEADER], len(answer.body)) == (200, seconds, 56)


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-1", "1.5", "1e3", "60,60", "many", "٣", "9" * 5000])
def test_a_put_needs_a_lifetime_of_up_to_six_hours(web, seconds):
    assert web.reply("PUT", "/latest/api/token", **{TTL_HEADER: seconds}).answer.status == 400


def test_a_put_without_a_lifetime_is_bad(web):
    assert web.reply("PUT", "/latest/api/token").answer.status == 400


def test_a_put_that_a_proxy_sends_is_forbidden(web):
    headers = {TTL_HEADER: "60", "x-forwarded-for": "10.0.0.9"}
    assert web.reply("PUT", "/latest/api/token", **headers).answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/2021-03-23/api/token", 403, None),
        ("PUT", "/1.0/api/token", 403, None),
        ("PUT", "/latest/meta-data/", 405, "GET, HEAD"),
        ("GET", "/latest/api/token", 405, "OPTIONS, PUT"),
        ("GET", "/latest/api/", 404, None),
        ("POST", ITEM, 405, "GET, HEAD, PUT"),
        ("DELETE", ITEM, 405, "GET, HEAD, PUT"),
    ],
)
def test_other_methods_and_places_are_refused(web, method, path, status, allow):
    answer = web.reply(method, path, **{TTL_HEADER: "60"}).answer
    assert (answer.status, answer.headers.get("allow")) == (status, allow)


def test_a_token_ends_when_its_time_is_over(web):
    given = web.token(60)
    web.paper.clock += timedelta(seconds=59)
    assert web.ask(ITEM, given).headers[TTL_HEADER] == "1"
    web.paper.clock += timedelta(seconds=1)
    assert web.ask(ITEM, given).status == 401


def test_any_number_of_tokens_is_good_at_once(web):
    given = {web.token() for _ in range(50)}
    assert len(given) == 50
    assert {web.ask(ITEM, one).status for one in given} == {200}


def test_a_token_is_worth_nothing_on_another_instance(web):
    other = guest(web.paper, web.ec2, vpc=web.vpc, subnet=web.instance["SubnetId"])
    assert other.ask(ITEM, other.token()).body.decode() == other.id
    assert other.ask(ITEM, web.token()).status == 401


def test_a_token_outlives_the_service(web):
    given = web.token()
    again = Guest(web.paper, web.ec2, web.vpc, web.instance, web.ip)  # asks another service each time
    assert again.ask(ITEM, given).status == 200


def test_a_token_that_somebody_changed_is_no_token(web):
    given = web.token()
    for at in range(0, len(given) - 2):
        other = given[:at] + ("A" if given[at] != "A" else "B") + given[at + 1 :]
        assert web.ask(ITEM, other).status == 401, at


def test_a_token_has_one_spelling(web):
    given = next(one for one in iter(web.token, "") if one.endswith("A=="))
    for other in (f"{given[:-3]}B==", given.rstrip("="), f"{given}=", f" {given}", given.replace("==", "==\n")):
        assert token.seconds_left(KEY, web.id, other, web.paper.clock) is None
        assert web.ask(ITEM, other).status == 401


def test_no_noise_is_a_token(web):
    rnd = random.Random(1)
    for _ in range(500):
        noise = "".join(chr(rnd.randrange(1, 256)) for _ in range(rnd.randrange(80)))
        assert token.seconds_left(KEY, web.id, noise, web.paper.clock) is None


# Options


def test_a_disabled_endpoint_forbids_everything(web):
    given = web.token()
    web.options(HttpEndpoint="disabled")
    assert {
        web.ask(ITEM).status,
        web.ask(ITEM, given).status,
        web.ask("/").status,
        web.reply("PUT", "/latest/api/token", **{TTL_HEADER: "60"}).answer.status,
    } == {403}
    web.options(HttpEndpoint="enabled")
    assert web.ask(ITEM, given).status == 200


@pytest.mark.parametrize("hops", [1, 2, 64])
def test_the_hop_limit_is_that_of_answers_to_puts_alone(web, hops):
    web.options(HttpPutResponseHopLimit=hops)
    assert web.reply("PUT", "/latest/api/token", **{TTL_HEADER: "60"}).hop_limit == hops
    assert web.reply("PUT", "/latest/api/token").hop_limit == hops
    assert web.reply("GET", ITEM).hop_limit is None


# HTTP


class Local:
    """The service on a loopback address: everybody who asks has the instance's address."""

    def __init__(self, web: Guest, ip: str = "127.0.0.1"):
        self.web, self.ip = web, ip

    def __call__(self, *exchanges):
        """Run coroutines `exchange(address, service)` one after another, and return what they return."""
        return asyncio.run(self._run(exchanges))

    async def _run(self, exchanges):
        listening = socket.create_server((self.ip, 0))
        service = Imds(_AsTheInstance(self.web), lambda: self.web.paper.clock)
        await service.serve([listening])
        try:
            async with asyncio.timeout(20):
                return [await exchange(listening.getsockname(), service) for exchange in exchanges]
        finally:
            service.close()


class _AsTheInstance:
    def __init__(self, web: Guest):
        self.web = web

    async def reply(self, request):
        if request.path == "/slow":
            await asyncio.sleep(60)
        issuer = imds.Issuer(self.web.paper.store, lambda: self.web.paper.clock)
        answers = imds.Answers(self.web.vpc, lambda: self.web.paper.world, issuer, lambda: self.web.paper.clock)
        named = imds.Request(request.method, request.path, request.query, request.headers, b"", self.web.ip)
        return await answers.reply(named)


def sending(*parts: bytes, pause: float = 0.0):
    """Return an exchange: send the parts, and read until the other side closes."""

    async def exchange(address, _service):
        reader, writer = await asyncio.open_connection(*address)
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        said = b""
        with contextlib.suppress(ConnectionError):
            while more := await reader.read(65536):
                said += more
        writer.close()
        return said

    return exchange


async def until(true) -> None:
    for _ in range(5_000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come within 5 s")


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said else 0


def get(path: str = ITEM, *headers: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: 169.254.169.254", *headers, "", "")).encode()


def test_an_answer_looks_as_on_aws_and_ends_the_connection(web):
    (said,) = Local(web)(sending(get()))
    head, _, body = said.decode().partition("\r\n\r\n")
    assert body == web.id
    lines = head.split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "Content-Type", "Accept-Ranges", "Content-Length", "Date", "Server", "Connection",
    ]  # fmt: skip
    assert lines[-2:] == ["Server: EC2ws", "Connection: close"]


def test_head_is_a_get_without_its_body(web):
    (said,) = Local(web)(sending(get().replace(b"GET", b"HEAD")))
    assert said.endswith(b"\r\n\r\n")
    assert f"Content-Length: {len(web.id)}".encode() in said


def test_a_request_in_pieces_and_one_that_is_followed_by_another_are_one_request(web):
    pieces = [bytes([byte]) for byte in get()]
    said = Local(web)(sending(*pieces), sending(get() + get("/latest/meta-data/mac")))
    assert [status(one) for one in said] == [200, 200]
    assert said[1].count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /latest/ HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"GET /latest/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /latest/ HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000 + b"\r\n", 413),
        (b"PUT /latest/api/token HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + bytes(100000), 413),
        (b"GET /latest/meta-data/../../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET /latest/ HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
    ids=[
        "no HTTP", "for a proxy", "a tunnel", "about nothing", "no header", "two lengths", "smuggling", "TLS",
        "a long path", "many headers", "a body", "upwards", "another protocol", "an old client",
    ],
)  # fmt: skip
def test_hostile_requests_are_refused_and_the_next_is_answered(web, sent, expected):
    said = Local(web)(sending(sent), sending(get()))
    assert [status(one) for one in said] == [expected, 200]


def test_noise_breaks_nothing(web):
    rnd = random.Random(7)
    noise = []
    for _ in range(60):
        junk = bytearray(get())
        for _ in range(rnd.randrange(1, 8)):
            junk[rnd.randrange(len(junk))] = rnd.randrange(256)
        noise.append(sending(bytes(junk) + b"\r\n\r\n"))
    said = Local(web)(*noise, sending(get()))
    assert {status(one) for one in said} <= {200, 400, 404, 405}
    assert status(said[-1]) == 200


def test_who_says_nothing_is_let_go(web, monkeypatch):
    monkeypatch.setattr(imds, "EXCHANGE_SECONDS", 0.2)
    said = Local(web)(sending(b"GET /"), sending(), sending(get("/slow")))
    assert said == [b"", b"", b""]


def test_who_opens_too_many_connections_is_refused_until_they_close(web):
    async def crowd(address, service):
        open_ones = [await asyncio.open_connection(*address) for _ in range(imds.CONNECTIONS_OF_ONE_MAX)]
        await until(lambda: len(service.open) == len(open_ones))
        refused = await sending(get())(address, service)
        for _, writer in open_ones:
            writer.close()
        await until(lambda: not service.open)
        return status(refused), status(await sending(get())(address, service)), dict(service.connections)

    ((refused, answered, left),) = Local(web)(crowd)
    assert (refused, answered) == (503, 200)
    assert left in ({}, {"127.0.0.1": 1})
