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
        self.process = process
        self._read()

    @classmethod
    def start(cls, room: Room | None) -> "Probe":
        """Start a prober in a network (None: this machine's own); the caller ends its process."""
        command = [sys.executable, "-S", "-E", str(Path(__file__).with_name("prober.py"))]
        piped = subprocess.PIPE
        return cls(
            subprocess.Popen(room.command(*command) if room else command, stdin=piped, stdout=piped, text=True)
        )

    def ask(self, address: str, port: int, engine: str) -> None:
        """Begin to ask."""
        assert self.process.stdin, "it is piped"
        self.process.stdin.write(f"{address} {port} {QUESTIONS[engine]}\n")
        self.process.stdin.flush()

    def answered(self) -> float:
        """Return when the answer came, on the monotonic clock."""
        return float(self._read())

    def _read(self) -> str:
        assert self.process.stdout, "it is piped"
        return self.process.stdout.readline()


@contextlib.contextmanager
def probing(room: Room | None) -> Iterator[Probe]:
    """Run a prober in a network (None: this machine's own)."""
    probe = Probe.start(room)
    try:
        yield probe
    finally:
        end([probe.process])
