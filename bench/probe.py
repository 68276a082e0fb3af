"""A prober in a network: asks until it is answered, and tells when that was."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.ground import Room, end

QUESTIONS = {"valkey": "PING +PONG", "redis": "PING +PONG", "memcached": "version VERSION"}


class Probe:
    """One prober."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._read()

    def ask(self, address: str, port: int, engine: str) -> None:
        """Begin to ask."""
        assert self._process.stdin, "it is piped"
        self._process.stdin.write(f"{address} {port} {QUESTIONS[engine]}\n")
        self._process.stdin.flush()

    def answered(self) -> float:
        """Return when the answer came, on the monotonic clock."""
        return float(self._read())

    def _read(self) -> str:
        assert self._process.stdout, "it is piped"
        return self._process.stdout.readline()


@contextlib.contextmanager
def probing(room: Room | None) -> Iterator[Probe]:
    """Run a prober in a network (None: this machine's own)."""
    command = [sys.executable, "-S", "-E", str(Path(__file__).with_name("prober.py"))]
    process = subprocess.Popen(
        room.command(*command) if room else command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Probe(process)
    finally:
        end([process])
