"""What comes to a door and is no request: bytes, as somebody sends them who does not speak the protocol, or badly."""

import http.client
import json
import re
import socket
import ssl
import time
from urllib.parse import quote

from tests.fuzz.dice import HOSTILE_TEXT, Dice

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
NO_MISTAKES = {501, 503, 505}  # what we cannot do, or not now, and say so
ANSWER_SECONDS = 0.25  # some of it waits for more, as it should
WHOLE_SECONDS = 5.0  # what is whole does not; a loaded machine takes its time
WHOLE = b"GET /_atoll/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
CALL = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 39\r\n\r\nAction=DescribeVpcs&Version=2016-11-15&"
)
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(32)
NOT_REQUESTS = (
    b"", b"\r\n" * 50, b"\0" * 200, b"GET", b"GET /\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50), HELLO,
    HELLO + bytes(1_000), b"\x16", b"\x16\x03", b"\x80\x2e\x01\x00\x02", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"*-1\r\n", b"*1000000000\r\n", b"$999999999999\r\n", b"stats\r\n", b"set a 0 0 999999999\r\nb\r\n",
    b"\x80\x01\x00\x03\x00\x00\x00\x00", b"SSH-2.0-x\r\n", b"EHLO x\r\n", b"{" * 500, b"<" * 500, b"\xff" * 500,
    b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A" * 70_000, b"G" * 70_000, b"GET /" + b"a" * 70_000,
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n: empty\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", b"GET / HTTP/1.1\nHost: localhost\n\n", b"GET  /  HTTP/1.1\r\n\r\n",
    b"get / http/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(100),
    b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://a:999999/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET ?a HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%zz%00%ff/../.. HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /console/%0d%0aX:y HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + bytes(100),
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: \xff\r\nContent-Length: 3\r\n\r\nabc",
    CHUNKED + b"-1\r\nabc\r\n", CHUNKED + b"ffffffffffffffffff\r\nabc", CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n",
    CHUNKED + b"3;" + b"x" * 70_000, CHUNKED + b"zz\r\n", CHUNKED + b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n",
    CHUNKED + b"0\r\nTrailer: x\r\n" * 100 + b"\r\n", CHUNKED + b"0\r\n" + b"T: x\r\n" * 20_000 + b"\r\n",
    WHOLE * 100, (WHOLE + CALL) * 20, CALL * 3 + b"garbage" * 20, CALL[:-20], WHOLE + HELLO,
)  # fmt: skip


def worn(dice: Dice) -> bytes:
    """Return what somebody sends: one of these, or a whole one that something happened to."""
    raw = bytearray(dice.choice(NOT_REQUESTS) if dice.random() < 0.6 else dice.choice((WHOLE, CALL, CHUNKED)) * 2)
    for _ in range(dice.randint(0, 4)):
        at = dice.randint(0, len(raw))
        match dice.randint(0, 4):
            case 0:
                del raw[at : at + dice.randint(1, 40)]
            case 1:
                raw[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 30)))
            case 2:
                raw[at:at] = dice.choice(HOSTILE_TEXT)[:2_000].encode("utf-8", "surrogatepass")
            case 3:
                raw[at:at] = raw[at : at + 200]
            case 4:
                del raw[at:]
    return bytes(raw)


def visit(port: int, raw: bytes, dice: Dice, tls: ssl.SSLContext | None = None) -> list[int]:
    """Send bytes in pieces, whatever becomes of them; returns the statuses of the answers, the last bytes read."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        try:
            sock = tls.wrap_socket(plain) if tls else plain
            for at, end in _pieces(len(raw), dice):
                sock.sendall(raw[at:end])
            if dice.random() < 0.3 and not tls:
                sock.shutdown(socket.SHUT_WR)
            sock.settimeout(WHOLE_SECONDS if raw.startswith(WHOLE) else ANSWER_SECONDS)
            while part := sock.recv(65_536):
                heard += part
                sock.settimeout(ANSWER_SECONDS)
        except OSError:  # cut short, or it waits for more
            pass
    return [int(status) for status in STATUS.findall(heard)]


def _pieces(length: int, dice: Dice) -> list[tuple[int, int]]:
    count = dice.choice((1, 1, 2, 5, min(length, 40) or 1))
    ends = sorted({*(dice.randint(0, length) for _ in range(count - 1)), length})
    if count > 2:
        time.sleep(0.001)
    return list(zip([0, *ends], ends, strict=False))


def nasty(dice: Dice, deep: int = 0) -> object:
    """Return a value of JSON that nobody expects."""
    match dice.randint(0, 9):
        case 0 | 1 | 2:
            return dice.choice(HOSTILE_TEXT)[:3_000].encode("utf-8", "replace").decode()
        case 3:
            return dice.choice((0, -1, 1 << 70, -(1 << 63), 1e308, 0.5, 65_536, float("nan"), float("inf")))
        case 4:
            return dice.choice((None, True, False, "", [], {}))
        case 5 if deep < 3:
            return [nasty(dice, deep + 1) for _ in range(dice.randint(0, 4))]
        case 6 if deep < 3:
            return {str(nasty(dice, 3))[:50]: nasty(dice, deep + 1) for _ in range(dice.randint(0, 4))}
    return dice.choice(("i-1", "10.0.0.1", "internet", "000000000000", "us-east-1", "vpc-1", "tcp", "default", "x"))


def body(dice: Dice, names: list[str]) -> bytes:
    """Return a body of JSON, or nearly."""
    if dice.random() < 0.2:
        return dice.choice((b"", b"{", b"[]", b"null", b"[" * 5_000, b"\xff", b'{"a":1,"a":2}', b"1", b'"x"', b"{}x"))
    return json.dumps(
        {name: nasty(dice) for name in dice.sample(names, min(len(names), dice.randint(1, 6)))}
    ).encode()


def query(dice: Dice, names: list[str]) -> str:
    """Return a query of hostile values."""
    pairs = ((name, str(nasty(dice))[:500]) for name in dice.sample(names, dice.randint(0, 3)))
    return "&".join(f"{quote(name)}={quote(value, errors='replace')}" for name, value in pairs)


def ask(port: int, method: str, path: str, raw: bytes) -> int:
    """Return the status of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, raw, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()
