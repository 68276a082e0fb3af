"""What the clients of drills have in common: a connection to an engine, and when to begin and to end.

Python's own library is all that it needs: it runs in the VPC, without this installation's packages.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

TLS = bool(os.environ.get("DRILL_TLS"))  # the cache's clients speak it
FINAL_SECONDS = 15.0
KEPT_SECONDS = 3600  # then the records go


class Refused(Exception):
    """The engine answered with an error."""


class Link:
    """A connection to a node."""

    def __init__(self, address: str, port: int, name: str, timeout_seconds: float) -> None:
        """Connect; `name` is what a certificate must say, where the cache's clients speak TLS."""
        self._socket = socket.create_connection((address, port), timeout=timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if TLS:
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=name)
        self._file = self._socket.makefile("rb")

    def ask(self, *words: object) -> "str | int | list[object] | None":
        """Give a command, and return its answer."""
        parts = [str(word).encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self._answer()

    def close(self) -> None:
        """Close."""
        self._file.close()
        self._socket.close()

    def _answer(self) -> "str | int | list[object] | None":
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("closed")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise Refused(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self._file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        return rest


def play(
    bodies: Sequence[Callable[[], None]], acks: Sequence[object], errors: Sequence[object], stop: Callable[[], None]
) -> None:
    """Run clients at once until a line comes on standard input; says `ready` when something was acknowledged."""
    threads = [threading.Thread(target=body, daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    until = time.time() + FINAL_SECONDS
    while not acks and time.time() < until:
        time.sleep(0.01)
    print("ready" if acks else f"failed: {errors[-1:]}", flush=True)
    os.read(0, 1)
    stop()
    for thread in threads:
        thread.join()
