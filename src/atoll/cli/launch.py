"""A program of its own that moves into a place and becomes a command there, or serves sockets from there.

    python -I -S -c "..." ROOT PLACE network|instance USER COMMAND...      become the command
    python -I -S -c "..." ROOT PLACE sockets FD                            serve sockets: see `testing/sockets.py`

A program, because a process moves for good, and in rootless mode only while it has one thread.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import atoll
from atoll.cli import enter
from atoll.cli.failure import Failure
from atoll.host.linux import packets

_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from atoll.cli.launch import main; main(*sys.argv[2:])"


def command(place: Mapping[str, Any], *words: str) -> list[str]:
    """Return what starts this program with these words."""
    root = str(Path(atoll.__file__).resolve().parents[1])
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, root, json.dumps(place), *words]


def main(place: str, what: str, *words: str) -> None:
    """Do as the words say."""
    at = enter.place_of(json.loads(place))
    try:
        if what == "sockets":
            enter.move_into(at)
            _serve(socket.socket(fileno=int(words[0])))
        elif what == "instance":
            enter.in_instance(at, words[0])(words[1:])
        else:
            enter.in_network(at)(words[1:])
    except Failure as failure:
        failure.show()
        sys.exit(failure.code)


class Broker:
    """Sockets and names of a place, from a process that lives there."""

    def __init__(self, place: Mapping[str, Any]) -> None:
        """Start the process; it ends with this object, or with us.  Raises OSError when it is used in vain."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = command(place, "sockets", str(theirs.fileno()))
            self._process = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/"
            )
        self._ours = ours

    def ask(self, do: str, *about: Any) -> tuple[Any, int | None]:
        """Ask for something; returns the answer and a descriptor.  Raises OSError, socket.gaierror."""
        try:
            packets.send(self._ours, json.dumps([do, *about]).encode())
            packet, given = packets.receive(self._ours)
        except OSError as error:
            raise self._ended() from error
        if not packet:
            raise self._ended()
        kind, answer = json.loads(packet)
        if kind == "gai":
            raise socket.gaierror(*answer)
        if kind == "os":
            raise OSError(*answer)
        return answer, given[0] if given else None

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def _ended(self) -> OSError:
        self._process.kill()
        said = self._process.stderr.read() if self._process.stderr else b""
        return OSError(f"the place cannot be used: {said.decode(errors='replace').strip()}")


def _serve(client: socket.socket) -> None:
    """Answer until the other end closes."""
    while packet := packets.receive(client)[0]:
        do, *about = json.loads(packet)
        try:
            if do == "socket":
                with socket.socket(*about) as made:
                    packets.send(client, b'["ok", null]', [made.fileno()])
                continue
            told = ["ok", socket.getaddrinfo(*about)]
        except socket.gaierror as error:
            told = ["gai", error.args]
        except OSError as error:
            told = ["os", error.args]
        packets.send(client, json.dumps(told).encode())
    os._exit(0)
