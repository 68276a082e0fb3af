"""(a) From exec to the first answer, and the memory then.

Baselines: a Python that does nothing, and the smallest HTTP server on the same libraries.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from bench.ground import Api, cpu_seconds, resident_mb, until
from bench.rows import Asked, Row, rows

_HELLO = """
import asyncio, socket, sys, httptools, uvloop
class Hello(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.parser = transport, httptools.HttpRequestParser(self)
    def data_received(self, data): self.parser.feed_data(data)
    def on_message_complete(self): self.transport.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nhi")
async def main():
    server = await asyncio.get_running_loop().create_server(Hello, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""


def measure(rounds: int) -> list[Row]:
    """Start each of them `rounds` times, in turn."""
    series: dict[str, list[float]] = {}
    environment = _environment()
    state = tempfile.mkdtemp(prefix="ab-", dir="/tmp")
    try:
        for number in range(rounds + 1):
            for name, figure in (*_atoll(environment, state), *_hello(environment), *_nothing(environment)):
                if number:  # the first one writes byte code and asks the engines for their versions
                    series.setdefault(name, []).append(figure)
    finally:
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(environment["PYTHONPYCACHEPREFIX"], ignore_errors=True)
    return rows(
        "start",
        series,
        [
            Asked(series="exec to first EC2 answer", unit="s", baseline="`python -c pass`", target="<= 0.25 s"),
            Asked(series="exec to first EC2 answer", unit="s", baseline="hello world on httptools"),
            Asked(series="exec to a first VPC made, in force", unit="s", baseline="hello world on httptools"),
            Asked(series="CPU until the first answer", unit="s", baseline="CPU of the hello world"),
            Asked(series="resident memory", unit="MB", baseline="memory of the hello world", target="<= 60 MB"),
            Asked(series="the keeper's memory", unit="MB", baseline="memory of the hello world"),
        ],
    )


def _environment() -> dict[str, str]:
    """Return an environment in which byte code is kept, whatever ours says."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE" and not k.startswith("ATOLL_")}
    return kept | {"PYTHONPYCACHEPREFIX": tempfile.mkdtemp(prefix="ab-", dir="/tmp")}


def _atoll(environment: dict[str, str], state: str) -> Sequence[tuple[str, float]]:
    port = _free_port()
    begun = time.perf_counter()
    command = [sys.executable, "-m", "atoll.cli", "up", "--port", str(port), "--state", state]
    daemon = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    api = Api(port)
    try:
        _connect(port, daemon)
        api.ec2("DescribeVpcs")
        seconds, cpu = time.perf_counter() - begun, cpu_seconds(daemon.pid)
        api.ec2("CreateVpc", CidrBlock="10.0.0.0/16")  # waits until the daemon is whole, and for its network
        in_force = time.perf_counter() - begun
        api.cache("DescribeCacheClusters")
        memory = resident_mb(daemon.pid)
        keeper = resident_mb(api.private("GET", "/_atoll/status")["keeper"])
        api.private("POST", "/_atoll/stop", {"purge": True})
        daemon.wait(30)
    finally:
        if daemon.poll() is None:
            daemon.terminate()  # its keeper lives on only if the daemon could not be told to purge
            daemon.wait(30)
    return (
        ("exec to first EC2 answer", seconds),
        ("exec to a first VPC made, in force", in_force),
        ("CPU until the first answer", cpu),
        ("resident memory", memory),
        ("the keeper's memory", keeper),
    )


def _hello(environment: dict[str, str]) -> Sequence[tuple[str, float]]:
    port = _free_port()
    begun = time.perf_counter()
    server = subprocess.Popen([sys.executable, "-c", _HELLO, str(port)], env=environment)
    try:
        with _connect(port, server) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert re.match(b"HTTP/1.1 200", client.recv(1000)), "it answers"
        seconds, cpu, memory = time.perf_counter() - begun, cpu_seconds(server.pid), resident_mb(server.pid)
    finally:
        server.kill()
        server.wait()
    return (
        ("hello world on httptools", seconds),
        ("CPU of the hello world", cpu),
        ("memory of the hello world", memory),
    )


def _nothing(environment: dict[str, str]) -> Sequence[tuple[str, float]]:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], env=environment, check=True)
    return (("`python -c pass`", time.perf_counter() - begun),)


def _connect(port: int, server: "subprocess.Popen[bytes]") -> socket.socket:
    def connected() -> socket.socket | None:
        if server.poll() is not None:
            raise RuntimeError("the server ended")
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            return None

    found: socket.socket = until(connected)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
