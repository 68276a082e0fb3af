"""TLS terminators: what one needs in its engine's directory, and the orders that it is given while it runs.

What one of them is and does says `cache/terminator.py`; how it is started, and how clients are led to it, the host.
"""

import contextlib
import functools
import os
import resource
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from atoll.cache import terminator, token_door
from atoll.cache.node import Encryption, NodePlan
from atoll.host.authority import Authority
from atoll.host.contract import HostError

SUFFIX = "+tls"
FILES_MAX = terminator.DESCRIPTORS * (terminator.CONNECTIONS_MAX + 100)
INSTALL = "sudo apt-get install --no-install-recommends haproxy (or run bin/setup), then start Atoll again"
_READY_SECONDS, _POLL_SECONDS = 5.0, 0.002
_ORDER_SECONDS = 2.0
_ANSWER_BYTES_MAX = 1 << 16


class Orders(ABC):
    """Furnishes and commands the terminators of one installation.  Methods block; all raise HostError."""

    def __init__(
        self, authority: Authority, program: Path | None, directory_of: Callable[[NodePlan], Path], uid: int | None
    ) -> None:
        """Use `program`, HAProxy (None: there is none), which becomes the user that engines run as."""
        self._authority, self._program, self._directory_of, self._uid = authority, program, directory_of, uid
        self._files_max = min(FILES_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

    @abstractmethod
    def lead(self, node: NodePlan) -> None:
        """Lead a node's clients to its terminator, whether it listens yet or not; of a plain node, to the engine."""

    def furnish(self, node: NodePlan, *, socket_name: str, inner: str = terminator.INNER) -> tuple[str, ...]:
        """Write what a node's terminator reads; returns its command.  `socket_name` is the engine's own socket."""
        assert node.encryption, "a plain node needs none"
        if self._program is None:
            raise HostError(f"there is no HAProxy on this machine: {INSTALL}", f"encrypt {node.name}")
        directory = self._directory_of(node)
        self._certify(node.encryption, directory)
        text = terminator.configuration(
            node,
            socket=socket_name,
            files_max=self._files_max,
            uid=self._uid,
            has_lua=_has_lua(self._program),
            inner=inner,
        )
        self._write(directory / token_door.SCRIPT, token_door.LUA.encode())
        self._write(directory / terminator.CONFIGURATION, text.encode())
        (directory / terminator.ORDERS).unlink(missing_ok=True)
        return str(self._program), "-db", "-f", terminator.CONFIGURATION

    def apply(self, node: NodePlan) -> None:
        """Have a terminator that runs, or comes up, do what its node's plan says now."""
        encryption, directory = node.encryption, self._directory_of(node)
        if encryption is None:
            self.lead(node)
            return
        self._await(directory)
        if self._certify(encryption, directory):
            text = (directory / terminator.CERTIFICATE).read_text()
            self._order(directory, f"set ssl cert {terminator.CERTIFICATE} <<\n{text}\n")
            said = self._order(directory, f"commit ssl cert {terminator.CERTIFICATE}")
            if "Success" not in said:
                (directory / terminator.CERTIFICATE).unlink()  # so that the next attempt does not think it done
                raise HostError(said.strip(), f"give {node.name} its certificate")
        self.lead(node)
        for order in terminator.orders(node):
            if "No such server" in (said := self._order(directory, order)) and encryption.elsewhere:
                raise HostError(said.strip(), f"lead the clients of {node.name} elsewhere")
        if encryption.mode == "required":
            self._order(directory, f"shutdown sessions server {terminator.PLAIN}")

    def is_stopping(self, node: NodePlan) -> bool:
        """Tell whether a terminator only waits for its last connections to end, or cannot be asked."""
        try:
            return "Stopping: 1" in self._order(self._directory_of(node), "show info")
        except HostError:
            return True

    def _certify(self, encryption: Encryption, directory: Path) -> bool:
        """Write a certificate, unless there is a good one; tell whether it is another."""
        path = directory / terminator.CERTIFICATE
        with contextlib.suppress(FileNotFoundError):
            if self._authority.is_good(path.read_bytes(), encryption.names):
                return False
        self._write(path, self._authority.issue(encryption.names, encryption.region))
        return True

    def _write(self, path: Path, text: bytes) -> None:
        """Write a file whole or not at all, readable by us only."""
        unfinished = path.with_suffix(".new")
        try:
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
            unfinished.replace(path)
        except OSError as error:
            raise HostError(str(error), f"write {path.name}") from error

    def _await(self, directory: Path) -> None:
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self._order(directory, "show version")
            except HostError:
                if time.monotonic() > until:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _order(self, directory: Path, text: str) -> str:
        said = b""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(_ORDER_SECONDS)
                sock.connect(str(directory / terminator.ORDERS))
                sock.sendall(text.encode() + b"\n")
                while len(said) < _ANSWER_BYTES_MAX and (part := sock.recv(_ANSWER_BYTES_MAX)):
                    said += part
        except OSError as error:
            raise HostError(str(error), "give a TLS terminator an order") from error
        return said.decode(errors="replace")


@functools.cache
def _has_lua(program: Path) -> bool:
    """Tell whether an HAProxy can run a script; one that cannot serves all but IAM users."""
    try:
        said = subprocess.run([str(program), "-vv"], capture_output=True, timeout=_READY_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"+LUA" in said
