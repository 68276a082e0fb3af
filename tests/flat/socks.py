"""A client of the relay, as a program behind libproxychains is one: it waits in silence for what is dropped."""

import json
import socket
from typing import Any

DONE, UNREACHABLE, REFUSED = 0, 4, 5


class Refused(Exception):
    """The relay said no: `args[0]` is its code."""


def begin(relay: dict[str, Any], user: str, host: str, port: int, *, password: str | None = None) -> socket.socket:
    """Ask for a connection, and return without waiting for the answer."""
    sock = socket.create_connection((relay["host"], relay["port"]), timeout=20)
    secret = (relay["password"] if password is None else password).encode()
    sock.sendall(b"\x05\x01\x02")
    assert take(sock, 2) == b"\x05\x02"
    sock.sendall(b"\x01" + bytes((len(user),)) + user.encode() + bytes((len(secret),)) + secret)
    if take(sock, 2) != b"\x01\x00":
        raise PermissionError(user)
    name = host.encode()
    sock.sendall(b"\x05\x01\x00\x03" + bytes((len(name),)) + name + port.to_bytes(2, "big"))
    return sock


def finish(sock: socket.socket, seconds: float) -> socket.socket:
    """Wait for the answer; TimeoutError: the network drops what was sent."""
    sock.settimeout(seconds)
    try:
        code = take(sock, 10)[1]
    except BaseException:
        sock.close()
        raise
    if code != DONE:
        sock.close()
        raise Refused(code)
    sock.settimeout(20)
    return sock


def connect(relay: dict[str, Any], user: str, host: str, port: int, seconds: float = 20.0) -> socket.socket:
    return finish(begin(relay, user, host, port), seconds)


def take(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = sock.recv(count - len(got))
        if not part:
            raise EOFError
        got += part
    return got


def say(sock: socket.socket, *words: str) -> Any:
    """Give a Redis engine a command, and return its answer."""
    sock.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
    return reply(sock)


def reply(sock: socket.socket) -> Any:
    text = line(sock)
    kind, rest = text[:1], text[1:]
    if kind in "+-":
        return text if kind == "-" else rest
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else take(sock, int(rest) + 2)[:-2].decode()
    assert kind in "*%", json.dumps(text)
    return [reply(sock) for _ in range(int(rest) * (2 if kind == "%" else 1))]


def line(sock: socket.socket) -> str:
    got = b""
    while not got.endswith(b"\r\n"):
        got += take(sock, 1)
    return got[:-2].decode()
