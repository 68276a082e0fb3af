"""(f) What auto discovery costs Memcached's ordinary traffic: its rules, or a relay, over the bare engine.

One client keeps CONNECTIONS requests under way, each a `get` of 100 bytes; client and server share one processor.
"""

import subprocess
import sys

from atoll.host.linux.discovery_rules import rules as discovery_rules
from bench.carrying import PROCESSOR
from bench.ground import Room, end, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import allow, build, group, instance

PORT, RELAY_PORT = 11211, 11212
CONNECTIONS = 32
BARE, RULES, RELAY = "Memcached, bare", "Memcached, with discovery's rules", "Memcached, behind a relay in Python"

LOAD = f"""
import select, socket, sys, time
address, port, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
links = [socket.create_connection((address, port), 10) for _ in range({CONNECTIONS})]
links[0].sendall(b"set k 0 0 100\\r\\n" + b"x" * 100 + b"\\r\\n")
assert links[0].recv(100) == b"STORED\\r\\n"
by = {{link.fileno(): link for link in links}}
poll = select.epoll()
for number, link in by.items():
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poll.register(number, select.EPOLLIN)
begun, left = time.monotonic(), requests
for link in links:
    link.send(b"get k\\r\\n")
while left > 0:
    for number, _ in poll.poll(10):
        by[number].recv(4096)
        by[number].send(b"get k\\r\\n")
        left -= 1
print(requests / (time.monotonic() - begun))
"""
FORWARD = f"""
import asyncio
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
async def serve(reader, writer):
    other, onward = await asyncio.open_connection("127.0.0.1", {PORT})
    await asyncio.gather(pump(reader, onward), pump(other, writer))
async def main():
    await (await asyncio.start_server(serve, "0.0.0.0", {RELAY_PORT})).serve_forever()
asyncio.run(main())
"""


def measure(rounds: int, requests: int) -> list[Row]:
    """Send `requests` requests along each way, `rounds` times, in turn."""
    with running() as atoll:
        api, vpc = atoll.api, build(atoll.api)
        servers = group(api, vpc, "cache")
        for port in (PORT, RELAY_PORT):
            allow(api, servers, "10.0.0.0/16", port)
        client = atoll.room(instance(api, vpc.public, group(api, vpc, "client")))
        program = atoll.engine("memcached")
        rooms = {name: atoll.room(instance(api, vpc.private, servers)) for name in (BARE, RULES, RELAY)}
        processes = [_start(room, program, "-l", "0.0.0.0", "-u", "root", "-m", "64") for room in rooms.values()]
        processes.append(_start(rooms[RELAY], sys.executable, "-c", FORWARD))
        rooms[RULES].run("nft", "-f", "-", text=discovery_rules(PORT))
        try:
            measures = {
                name: lambda room=room, port=RELAY_PORT if name == RELAY else PORT: _load(
                    client, room, port, requests
                )
                for name, room in rooms.items()
            }
            for measure_once in measures.values():
                until(lambda it=measure_once: _answers(it))
            series = interleave(measures, rounds)
        finally:
            end(processes)
    asked = [
        Asked(series=RULES, unit="requests/s", baseline=BARE, target=">= 0.95"),
        Asked(series=RELAY, unit="requests/s", baseline=BARE),
    ]
    return rows("discovery", series, asked)


def _start(room: Room, *command: str) -> "subprocess.Popen[str]":
    return room.start(
        "taskset", "-c", PROCESSOR, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp"
    )


def _load(client: Room, server: Room, port: int, requests: int) -> float:
    command = ("timeout", "120", "taskset", "-c", PROCESSOR, sys.executable, "-I", "-S", "-c", LOAD)
    return float(client.run(*command, server.address, str(port), str(requests)))


def _answers(measure_once: object) -> bool:
    try:
        measure_once()  # type: ignore[operator]
    except RuntimeError:
        return False
    return True
