"""The relay of `atoll port-forward`: it runs in an instance's network, with listening sockets of this machine's own.

    python -m atoll.cli.forward_relay NEWS FD:HOST:PORT ...

NEWS is a pipe for one JSON object a line.  A connection costs a task, not a process.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress

CONNECT_SECONDS = 10.0  # a dropped packet is silent: three SYNs
CONNECTIONS_MAX = 1024
CHUNK = 65536


async def relay(news: int, wanted: list[str]) -> None:
    """Serve until told to end, or until nobody reads the news."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, ended.set)
    room = asyncio.Semaphore(CONNECTIONS_MAX)
    servers = []
    for number, text in enumerate(wanted):
        descriptor, place = text.split(":", 1)
        host, port = place.rsplit(":", 1)

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str = host, port: int = int(port),
            number: int = number,
        ) -> None:  # fmt: skip
            async with room:
                await _connect(news, number, host, port, reader, writer)

        listening = socket.socket(fileno=int(descriptor))
        servers.append(await asyncio.start_server(serve, sock=listening))
    _tell(news, what="ready")
    if os.getppid() == 1:
        return  # whoever started it has gone before
    loop.add_reader(os.pidfd_open(os.getppid()), ended.set)  # it goes with whoever started it
    await ended.wait()
    for server in servers:
        server.close()


async def _connect(
    news: int, number: int, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            far_reader, far_writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        told = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        _tell(news, what="failed", number=number, error=told)
        writer.transport.abort()
        return
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, far_writer))
            group.create_task(_copy(far_reader, writer))
    except* OSError:
        pass
    finally:
        for one in (writer, far_writer):
            one.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and hand the end on."""
    while part := await reader.read(CHUNK):
        writer.write(part)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


def _tell(news: int, **happened: object) -> None:
    with suppress(OSError):
        os.write(news, json.dumps(happened).encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), sys.argv[2:]))
