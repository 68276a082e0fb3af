"""(d) What the VPC costs each packet: redis-benchmark through it, over a path as Docker builds it.

Client and server share one processor, so that throughput is what all the work of a request costs.  The engine is the
same program with the same options on both paths.
"""

import os
import subprocess
from collections.abc import Callable

from bench import crowd
from bench.docker_path import docker_like
from bench.ground import Atoll, Room, cpu_seconds, end, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, allow, build, group, instance

FEW, MANY = 10, 10_000
CLIENTS = 50
PROCESSOR = str(max(os.sched_getaffinity(0)))


class Engine:
    """A bare engine in a network, tied to one processor."""

    def __init__(self, program: str, room: Room, port: int = PORT) -> None:
        self.room, self.port = room, port
        command = ["taskset", "-c", PROCESSOR, program, "--port", str(port), "--bind", "0.0.0.0", "--save", ""]
        self.process = room.start(*command, "--protected-mode", "no", stdout=subprocess.DEVNULL, cwd="/tmp")


class Load:
    """redis-benchmark from one network to an engine in another; remembers the processor time of each request."""

    def __init__(self, client: Room, engine: Engine, address: str, port: int = PORT) -> None:
        self._client, self._engine, self._address, self._port = client, engine, address, port
        self.microseconds: list[float] = []
        until(self._answers)

    def __call__(self, requests: int) -> float:
        """Return requests per second."""
        before = cpu_seconds(self._engine.process.pid)
        process = self._begin("-c", str(CLIENTS), "-n", str(requests))
        assert process.stdout, "it is piped"
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"redis-benchmark: {said}")
        spent = cpu_seconds(self._engine.process.pid) - before + used.ru_utime + used.ru_stime
        self.microseconds.append(spent / requests * 1e6)
        return float(said.strip().splitlines()[-1].replace('"', "").split(",")[1])

    def _begin(self, *more: str) -> "subprocess.Popen[str]":
        where = ("-h", self._address, "-p", str(self._port))
        command = ("timeout", "120", "taskset", "-c", PROCESSOR, "redis-benchmark", *where, "-t", "get", "--csv")
        return self._client.start(*command, *more, stdout=subprocess.PIPE)

    def _answers(self) -> bool:
        command = ("timeout", "1", "redis-cli", "-h", self._address, "-p", str(self._port), "ping")
        asked = subprocess.run(self._client.command(*command), capture_output=True, text=True, check=False)
        return asked.stdout.strip() == "PONG"


def measure(rounds: int, requests: int) -> list[Row]:
    """Send `requests` requests along each path, `rounds` times, in turn."""
    with running() as atoll, docker_like(FEW) as docker:
        client, servers = _rooms(atoll)
        program = atoll.engine("valkey")
        engines = {name: Engine(program, room) for name, room in (*servers.items(), (docker.name, docker.server))}
        try:
            loads = {name: Load(client, engines[name], room.address) for name, room in servers.items()}
            loads[docker.name] = Load(docker.client, engines[docker.name], docker.server.address)
            measures: dict[str, Callable[[], float]] = {n: (lambda it=it: it(requests)) for n, it in loads.items()}
            interleave(measures, 1)
            for load in loads.values():
                load.microseconds.clear()
            series = interleave(measures, rounds)
        finally:
            end([engine.process for engine in engines.values()])
    few, many = servers
    spent = {f"CPU a request: {name}": load.microseconds for name, load in loads.items()}
    asked = [
        Asked(series=few, unit="requests/s", baseline=docker.name, target=">= 0.85"),
        Asked(series=many, unit="requests/s", baseline=docker.name, target=">= 0.85"),
        Asked(series=many, unit="requests/s", baseline=few, target="1"),
        *(
            Asked(series=f"CPU a request: {name}", unit="us", baseline=f"CPU a request: {docker.name}")
            for name in (few, many)
        ),
    ]
    return rows("packets", series | spent, asked)


def _rooms(atoll: Atoll) -> tuple[Room, dict[str, Room]]:
    api, vpc = atoll.api, build(atoll.api)
    client = instance(api, vpc.public, group(api, vpc, "client"))
    servers, groups = {}, {}
    for count in (FEW, MANY):
        groups[count] = group(api, vpc, f"with-{count}")
        allow(api, groups[count], "10.0.0.0/24")
        for i in range(FEW - 1):
            allow(api, groups[count], f"192.168.{i}.0/24")
        servers[f"VPC, {count:,} rules"] = instance(api, vpc.private, groups[count])
    atoll.down(purge=False)
    crowd.fill(atoll.state, groups[MANY], MANY - FEW)
    atoll.up()
    return atoll.room(client), {name: atoll.room(id) for name, id in servers.items()}
