"""The peers that are compared: from PyPI, each in an environment of its own.

Each listens on loopback only, and ends with this program.  One that cannot be installed or started raises Absent.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.ground import resident_mb
from bench.peers.client import Boto
from bench.peers.wire import NoAnswer, Refused, drive, signed

INSTALL_SECONDS_MAX = 600
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
PONG_SECONDS_MAX = 20.0
NODE = {"Engine": "redis", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1}


_numbers = itertools.count()


class Absent(Exception):
    """A peer that is not there, and why."""


class Unmet(Exception):
    """What a server does not do, as a cell says it."""


class Server(Protocol):
    """What is measured."""

    port: int

    def memory_mb(self) -> float: ...

    def cpu_seconds(self) -> float: ...

    def pong_seconds(self, boto: Boto) -> float:
        """Return the seconds from CreateCacheCluster to the first PONG.  Raises Unmet."""

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Peer:
    """What PyPI has: the version that is compared, and how it is started."""

    name: str
    requirement: str
    command: tuple[str, ...]  # {bin}, {port}
    environment: tuple[tuple[str, str], ...] = ()


# LocalEmu listens on all addresses of IPv4, whatever it is told; an address of IPv6 it does heed, and this one is
# 127.0.0.1 as IPv6 writes it.
PEERS = (
    Peer("ministack", "ministack==1.5.33", ("{bin}/ministack",),
         (("GATEWAY_PORT", "{port}"), ("BIND_HOST", "127.0.0.1"))),
    Peer("moto", "moto[server]==5.2.5", ("{bin}/moto_server", "-H", "127.0.0.1", "-p", "{port}")),
    Peer("LocalEmu", "localemu[runtime]==1.3.2", ("{bin}/localemu", "start", "--port", "{port}"),
         (("GATEWAY_LISTEN", "[::ffff:127.0.0.1]:{port}"),)),
)  # fmt: skip


def install(peer: Peer, scratch: Path) -> Path:
    """Make the environment of a peer, unless it is there, and return its directory of programs."""
    home = scratch / peer.name
    done = home / "installed"
    if done.exists() and done.read_text() == peer.requirement:
        return home / "bin"
    pip = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", peer.requirement)
    make = ((sys.executable, "-m", "venv", "--clear", str(home)), (str(home / "bin" / "python"), *pip))
    try:
        for command in make:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
    except (subprocess.SubprocessError, OSError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise Absent(f"not installed: {errors[-1] if errors else error}") from error
    done.write_text(peer.requirement)
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

    def cpu_seconds(self) -> float:
        return sum(processor_seconds(pid) for pid in _family(self._process.pid))

    def pong_seconds(self, boto: Boto) -> float:
        """Measure as a client on this machine, which is where the peers' nodes would be."""
        name = unused_name()
        begun = time.perf_counter()
        boto.elasticache.create_cache_cluster(CacheClusterId=name, **NODE)
        try:
            return _pong(*_endpoint(boto, name, begun)) - begun
        finally:
            boto.elasticache.delete_cache_cluster(CacheClusterId=name)

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
        latest = time.monotonic() + START_SECONDS_MAX
        request = signed(self.port, "ec2", "DescribeVpcs")
        while time.monotonic() < latest:
            if self._process.poll() is not None:
                raise Absent(f"not started: it ended with {self._process.returncode}")
            if _is_open_to_all(self.port):
                raise Absent("not started: it listens beyond loopback")
            try:
                drive(self.port, request, connections=1, calls_max=1, seconds_max=1)
                return
            except (NoAnswer, Refused):
                time.sleep(0.01)
        raise Absent(f"not started: no answer within {START_SECONDS_MAX:.0f} s")


def processor_seconds(pid: int) -> float:
    """Return what a process has had, with its threads that have ended, to the nanosecond: its own clock."""
    return time.clock_gettime((~pid << 3) | 2)  # as clock_getcpuclockid(3) makes it


def unused_name() -> str:
    """Return a name for a cluster."""
    return f"pong-{next(_numbers)}"


def state_of(boto: Boto, name: str) -> dict[str, Any]:
    """Return a cluster as boto3 describes it."""
    found = boto.elasticache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][0]
    return dict(found)


def _endpoint(boto: Boto, name: str, begun: float) -> tuple[str, int]:
    """Return where a node answers, as soon as it is told and can be resolved."""
    while True:
        state = state_of(boto, name)
        told = [it["Endpoint"] for it in state.get("CacheNodes", ()) if it.get("Endpoint", {}).get("Address")]
        if told:
            try:
                return socket.gethostbyname(told[0]["Address"]), told[0]["Port"]
            except OSError:
                raise Unmet(f"never: {told[0]['Address']} is no name of anything") from None
        if state["CacheClusterStatus"] == "available" or time.perf_counter() > begun + PONG_SECONDS_MAX:
            raise Unmet(f"never: {state['CacheClusterStatus']}, without an endpoint")
        time.sleep(0.005)


def _pong(address: str, port: int) -> float:
    """Return when PONG came."""
    latest = time.perf_counter() + PONG_SECONDS_MAX
    while time.perf_counter() < latest:
        with suppress(OSError), socket.create_connection((address, port), 1) as line:
            line.sendall(b"PING\r\n")
            if line.recv(100).startswith((b"+PONG", b"-NOAUTH")):
                return time.perf_counter()
        time.sleep(0.001)
    raise Unmet(f"never: nothing answers at {address}:{port}")


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended has no children
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
