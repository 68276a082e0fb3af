"""Send what a judge of a lesson wants sent: real packets, from inside the networks of the lesson's world.

It connects as a client does and says one thing.  It runs nothing in anybody's machine.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from ipaddress import ip_address

from atoll.host.contract import HostError
from atoll.learn.probe import Mirror, Probe, Tcp
from atoll.model.interface import Interface
from atoll.model.lookup import companions
from atoll.model.world import World
from atoll.network.compile.internet import outside_namespace

ARRIVES_SECONDS = 2.5  # what should be answered: also the second SYN, which comes after one second
REFUSED_SECONDS = 0.5  # what should not: a round trip takes well under a millisecond
SAID_BYTES_MAX = 4096
RESET_AT_END = struct.pack("ii", 1, 0)  # SO_LINGER: the port is free again at once

Dial = Callable[[str], socket.socket | None]


async def send(probe: Probe, world: World, dial: Dial) -> str:
    """Send a probe; returns what it came back with, as `learn.probe` says."""
    if isinstance(probe, Tcp):
        return await _tcp(probe, world, dial)
    return await _mirror(probe, world, dial)


def _namespace(at: str, world: World) -> str:
    interface = world.seen_by(None).get(Interface, at)
    return companions(world.seen_by(None), interface)[0].id if interface else outside_namespace(ip_address(at))


def _dialled(at: str, world: World, dial: Dial) -> socket.socket:
    sock = dial(_namespace(at, world))
    if sock is None:
        raise HostError("nothing is sent on paper")
    sock.setblocking(False)
    return sock


async def _tcp(probe: Tcp, world: World, dial: Dial) -> str:
    said = bytearray()
    connected = False
    try:
        with _dialled(probe.at, world, dial) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_END)
            async with asyncio.timeout(ARRIVES_SECONDS if probe.is_wanted else REFUSED_SECONDS):
                await asyncio.get_running_loop().sock_connect(sock, (probe.address, probe.port))
                connected = not probe.tls
                if probe.say:
                    await _talk(sock.dup(), probe, said)
                connected = True
    except ConnectionRefusedError:
        return "refused"
    except (OSError, TimeoutError, HostError, EOFError):
        pass  # what was said until then stands
    return f"connected {said.decode(errors='replace')}" if connected or said else "dropped"


async def _talk(sock: socket.socket, probe: Tcp, said: bytearray) -> None:
    context = None
    if probe.tls:  # whether it is spoken, not whose it is
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname="" if context else None)
    try:
        writer.write(probe.say.encode())
        while len(said) < SAID_BYTES_MAX:
            part = await reader.read(SAID_BYTES_MAX - len(said))
            said += part
            if not part or (probe.expect and probe.expect.encode() in said):
                return
    finally:
        writer.transport.abort()


async def _mirror(probe: Mirror, world: World, dial: Dial) -> str:
    seen: dict[int, str] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(ARRIVES_SECONDS):
                number = int((await reader.readline()).strip() or b"-1")
                host, port = writer.get_extra_info("peername")[:2]
                seen[number] = f"{host}:{port}"
                writer.write(b"seen\n")
                await reader.read()  # until the client leaves: both are there at the same time
        writer.transport.abort()

    try:
        listener = _dialled(probe.server, world, dial)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", probe.port))
        server = await asyncio.start_server(serve, sock=listener)
    except (OSError, HostError):
        return "\n".join("dropped" for _ in probe.at)
    clients: list[socket.socket] = []
    try:
        with contextlib.suppress(OSError, TimeoutError, HostError):
            async with asyncio.timeout(ARRIVES_SECONDS):
                for number, at in enumerate(probe.at):
                    clients.append(sock := _dialled(at, world, dial))
                    await _introduce(sock, number, probe)
    finally:
        for sock in clients:
            sock.close()
        server.close()
    return "\n".join(seen.get(number, "dropped") for number in range(len(probe.at)))


async def _introduce(sock: socket.socket, number: int, probe: Mirror) -> None:
    loop = asyncio.get_running_loop()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_END)
    sock.bind(("0.0.0.0", probe.source_port))
    await loop.sock_connect(sock, (probe.server, probe.port))
    await loop.sock_sendall(sock, f"{number}\n".encode())
    await loop.sock_recv(sock, 16)
