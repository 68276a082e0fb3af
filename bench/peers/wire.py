"""Requests as bytes, and connections that cost little: what is measured should be the server and not its client.

A body is signed once, really and with the current time, and sent again and again over connections that are kept.
"""

import re
import selectors
import socket
import time
from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.ground import SERVICES

KEY = "test"
REGION = "us-east-1"
ANSWER_SECONDS_MAX = 30.0  # slower than that is no answer
_CHUNK_BYTES = 1 << 18


class NoAnswer(Exception):
    """The server did not answer in time, or not with HTTP."""


class Refused(Exception):
    """The server answered, with an error."""


@dataclass(frozen=True)
class Drive:
    """What repeated calls took."""

    seconds: tuple[float, ...]  # each call
    whole_seconds: float
    body: bytes  # the last one

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.whole_seconds


def signed(port: int, service: str, action: str, **parameters: str) -> bytes:
    """Return a whole request, signed now; servers that look at the time take it for fifteen minutes."""
    body = "&".join(f"{k}={v}" for k, v in {"Action": action, "Version": SERVICES[service], **parameters}.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": f"127.0.0.1:{port}"}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", data=body, headers=headers)
    SigV4Auth(Credentials(KEY, KEY), service, REGION).add_auth(request)
    lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", body)).encode()


def drive(port: int, request: bytes, *, connections: int, calls_max: int, seconds_max: float) -> Drive:
    """Send a request again and again over each connection; what is on its way at the end is counted."""
    selector = selectors.DefaultSelector()
    begun = time.perf_counter()
    end, left = begun + seconds_max, calls_max - connections
    took: list[float] = []
    body = b""
    try:
        for _ in range(connections):
            _Line(port, request).send(selector)
        while selector.get_map():
            ready = selector.select(ANSWER_SECONDS_MAX)
            if not ready:
                raise NoAnswer(f"no answer within {ANSWER_SECONDS_MAX:.0f} s, with {connections} connections")
            for key, _ in ready:
                line: _Line = key.data
                if not line.receive():
                    continue
                took.append(time.perf_counter() - line.sent)
                body = line.body()
                selector.unregister(line.socket)
                if left > 0 and time.perf_counter() < end:
                    left -= 1
                    line.send(selector)
                else:
                    line.socket.close()
    except OSError as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
    finally:
        for key in tuple(selector.get_map().values()):
            key.data.socket.close()
        selector.close()
    return Drive(tuple(took), time.perf_counter() - begun, body)


class _Line:
    """One connection, with a call on its way."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._received = bytearray()
        self._body_at = 0
        self._length: int | None = None  # None: the end is marked, by a chunk or by the end of the connection
        self._kept = False  # whether the server keeps the connection
        self.sent = 0.0

    def send(self, selector: selectors.BaseSelector) -> None:
        """Send the next call, and have the selector wait for its answer."""
        self.sent = time.perf_counter()
        if not self._kept:
            self.socket = socket.create_connection(("127.0.0.1", self._port), ANSWER_SECONDS_MAX)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received.clear()
        self._body_at = 0
        self.socket.sendall(self._request)
        selector.register(self.socket, selectors.EVENT_READ, self)

    def receive(self) -> bool:
        """Take what has come; return whether the answer is whole.  Raises Refused unless it is a 200."""
        came = self.socket.recv(_CHUNK_BYTES)
        self._received += came
        if not self._body_at:
            self._begin()
        if not self._is_whole(ended=not came):
            return False
        if self._received[9:12] != b"200":
            raise Refused(self._received[self._body_at :][:300].decode(errors="replace"))
        if not self._kept:
            self.socket.shutdown(socket.SHUT_WR)
        return True

    def body(self) -> bytes:
        return bytes(self._received[self._body_at :])

    def _begin(self) -> None:
        at = self._received.find(b"\r\n\r\n")
        if at < 0:
            return
        head = self._received[:at].decode("latin-1").lower()
        self._body_at = at + 4
        length = re.search(r"\r\ncontent-length: *(\d+)", head)
        self._length = int(length[1]) if length else None
        self._is_chunked = "\r\ntransfer-encoding: chunked" in head
        self._kept = head.startswith("http/1.1") and "\r\nconnection: close" not in head

    def _is_whole(self, *, ended: bool) -> bool:
        if self._body_at and self._length is not None:
            whole = len(self._received) >= self._body_at + self._length
        elif self._body_at and self._is_chunked:
            whole = self._received.endswith(b"\r\n0\r\n\r\n")
        else:
            whole = ended and self._body_at > 0
        if ended and not whole:
            raise NoAnswer("the server closed the connection in the middle")
        return whole
