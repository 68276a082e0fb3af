"""What the clients of drills have in common: a connection to an engine, and when to begin and to end.

Python's own library is all that it needs: it runs in the VPC, without this installation's packages.  DRILL_LIBRARY is
the path of redis-py or valkey-py, whose client is used then.
"""

import contextlib
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

TLS = bool(os.environ.get("DRILL_TLS"))  # the cache's clients speak it
LIBRARY = os.environ.get("DRILL_LIBRARY", "")
FINAL_SECONDS = 15.0
KEPT_SECONDS = 3600  # then the records go
HOW_MANY = "?"


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


class LibraryLink:
    """The same, by the client library that applications use: redis-py or valkey-py."""

    def __init__(self, address: str, port: int, name: str, timeout_seconds: float) -> None:  # noqa: ARG002
        """Connect; names are not checked (a library that is given an address has no name)."""
        place = Path(LIBRARY)
        if str(place.parent) not in sys.path:
            sys.path.append(str(place.parent))
        module, parts = import_module(place.name), (f"{place.name}.retry", f"{place.name}.backoff")
        retry, backoff = map(import_module, parts)
        client, self._errors = getattr(module, place.name.capitalize()), module.exceptions
        more: dict[str, Any] = {"ssl": True, "ssl_cert_reqs": "none"} if TLS else {}
        more["retry"] = retry.Retry(backoff.NoBackoff(), 0)  # the drill asks for the name again, each time
        self._client = client(
            host=address, port=port, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds,
            decode_responses=True, **more,
        )  # fmt: skip
        with self._translated():
            self._client.ping()

    def ask(self, *words: object) -> "str | int | list[object] | None":
        """Give a command, and return its answer."""
        with self._translated():
            answer: str | int | list[object] | None = self._client.execute_command(*words)
            return answer

    def close(self) -> None:
        """Close."""
        self._client.close()

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except self._errors.ResponseError as error:
            kind = type(error).__name__  # MOVED and READONLY are classes of their own, without the word
            word = {"MovedError": "MOVED ", "ReadOnlyError": "READONLY "}.get(kind, "")
            raise Refused(f"{word}{error}") from error
        except (self._errors.ConnectionError, self._errors.TimeoutError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error


def play(
    bodies: Sequence[Callable[[], None]], acks: Sequence[object], errors: Sequence[object], stop: Callable[[], None]
) -> None:
    """Run clients at once until a line comes on standard input; says `ready` when something was acknowledged.

    The line HOW_MANY ends nothing: it is answered with how much was acknowledged so far.
    """
    threads = [threading.Thread(target=body, daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    until = time.time() + FINAL_SECONDS
    while not acks and time.time() < until:
        time.sleep(0.01)
    print("ready" if acks else f"failed: {errors[-1:]}", flush=True)
    while sys.stdin.readline().strip() == HOW_MANY:
        print(len(acks), flush=True)
    stop()
    for thread in threads:
        thread.join()
