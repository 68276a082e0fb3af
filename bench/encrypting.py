"""(g) What TLS costs an engine's clients: before a terminator, which is how nodes have it, and in the engine itself.

redis-benchmark, GET, CONNECTIONS connections that stay open; client, engine and terminator share all processors.
"""

import re
import subprocess
import tempfile
from ipaddress import IPv4Address
from pathlib import Path

from atoll.cache.node import Encryption, NodePlan
from atoll.cache.terminator import CERTIFICATE, CONFIGURATION, configuration, rules
from atoll.host.authority import Authority
from atoll.host.engine.programs import terminator
from bench.ground import Room, end, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import allow, build, group, instance

PORT, OWN_PORT, SOCKET = 6379, 6380, "engine.sock"
CONNECTIONS, FILES_MAX = 50, 1000
PLAIN, OWN = "Redis OSS, plain", "Redis OSS, its own TLS"
REQUIRED, PREFERRED = "Redis OSS, TLS required", "Redis OSS, TLS preferred"
UNENCRYPTED = "Redis OSS, plain text where TLS is preferred"
NAME = "master.bench.example.com"


def measure(rounds: int, requests: int) -> list[Row]:
    """Send `requests` requests along each way, `rounds` times, in turn."""
    haproxy = terminator()
    assert haproxy, "bin/setup provides HAProxy"
    with running() as atoll, tempfile.TemporaryDirectory(dir="/tmp") as place:
        api, vpc = atoll.api, build(atoll.api)
        servers = group(api, vpc, "cache")
        for port in (PORT, OWN_PORT):
            allow(api, servers, "10.0.0.0/16", port)
        client = atoll.room(instance(api, vpc.public, group(api, vpc, "client")))
        text = Authority(Path(place)).issue([NAME], "us-east-1")
        processes, ways = [], {}
        for series in (PLAIN, OWN, REQUIRED, PREFERRED, UNENCRYPTED):
            room, directory = atoll.room(instance(api, vpc.private, servers)), Path(place) / str(len(ways))
            directory.mkdir()
            (directory / CERTIFICATE).write_bytes(text)
            own = ("--tls-port", str(OWN_PORT), "--tls-auth-clients", "no") if series == OWN else ()
            files = ("--tls-cert-file", CERTIFICATE, "--tls-key-file", CERTIFICATE) if series == OWN else ()
            listens = ("--port", str(PORT), "--unixsocket", SOCKET, "--protected-mode", "no", "--save", "")
            processes.append(_start(room, directory, atoll.engine("redis"), *listens, *own, *files))
            if series in (REQUIRED, PREFERRED, UNENCRYPTED):
                node = _node(room, "required" if series == REQUIRED else "preferred")
                (directory / CONFIGURATION).write_text(
                    configuration(node, socket=SOCKET, files_max=FILES_MAX, uid=None)
                )
                processes.append(_start(room, directory, str(haproxy), "-db", "-f", CONFIGURATION))
                room.run("nft", "-f", "-", text=rules(node, node.encryption))
            ways[series] = room, OWN_PORT if series == OWN else PORT, series not in (PLAIN, UNENCRYPTED)
        try:
            measures = {
                name: lambda room=room, port=port, tls=tls: _load(client, room, port, requests, tls=tls)
                for name, (room, port, tls) in ways.items()
            }
            for name in measures:
                until(lambda it=measures[name]: _answers(it))
            series_of = interleave(measures, rounds)
        finally:
            end(processes)
    asked = [
        Asked(series=OWN, unit="requests/s", baseline=PLAIN),
        Asked(series=REQUIRED, unit="requests/s", baseline=PLAIN),
        Asked(series=PREFERRED, unit="requests/s", baseline=PLAIN),
        Asked(series=UNENCRYPTED, unit="requests/s", baseline=PLAIN),
    ]
    return rows("tls", series_of, asked)


def _node(room: Room, mode: str) -> NodePlan:
    address = IPv4Address(room.address)
    return NodePlan(
        name="bench", cluster_id="bench", node_id="0001", interface_id="", vpc_id="", engine="redis",
        version="7.0.15", boot=1, address=address, port=PORT, memory_bytes=0,
        encryption=Encryption(mode=mode, region="us-east-1", names=(NAME,), members=(address,)),
    )  # fmt: skip


def _start(room: Room, directory: Path, *command: str) -> "subprocess.Popen[str]":
    return room.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=str(directory))


def _load(client: Room, server: Room, port: int, requests: int, *, tls: bool) -> float:
    secure = ("--tls", "--insecure") if tls else ()
    where = ("-h", server.address, "-p", str(port), "-c", str(CONNECTIONS), "-n", str(requests))
    said = client.run("timeout", "120", "redis-benchmark", *where, "-t", "get", "-q", *secure)
    found = re.findall(r"GET: ([0-9.]+) requests per second", said)
    if not found:
        raise RuntimeError(said)
    return float(found[-1])


def _answers(measure_once: object) -> bool:
    try:
        measure_once()  # type: ignore[operator]
    except RuntimeError:
        return False
    return True
