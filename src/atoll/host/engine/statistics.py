"""What engines say of themselves, as fields and their values: INFO of Redis OSS and Valkey, `stats` of Memcached."""

import asyncio
import socket
from collections.abc import Mapping

from atoll.cache.node import NodePlan
from atoll.host.engine import memcached_binary as binary
from atoll.host.engine.resp import Connection

MEMCACHED_SECONDS = 1.0
STATS_BYTES_MAX = 64 << 10  # an answer has about 2 KB


async def of_server(engine: Connection) -> Mapping[str, str]:
    """Ask a Redis or Valkey engine.  Raises OSError, EngineError, ValueError."""
    said = await engine.ask("INFO", "everything")
    if not isinstance(said, str):
        raise ValueError(f"not an answer to INFO: {said!r}")
    return read_info(said)


async def of_memcached(sock: socket.socket, node: NodePlan) -> Mapping[str, str]:
    """Ask a Memcached engine by a socket of its network, and close that.  Raises OSError, EOFError, ValueError."""
    writer = None
    try:
        sock.setblocking(False)
        async with asyncio.timeout(MEMCACHED_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (str(node.address), node.port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=STATS_BYTES_MAX)
            if binary.is_spoken_by(node):
                return await binary.statistics(reader, writer)
            writer.write(b"stats\r\n")
            try:
                said = await reader.readuntil(b"END\r\n")
            except asyncio.LimitOverrunError as error:
                raise ValueError(f"not an answer to stats: {error}") from error
    finally:
        if writer:
            writer.close()
        sock.close()
    if not said.startswith(b"STAT"):
        raise ValueError(f"not an answer to stats: {said[:80]!r}")
    return read_stats(said.decode(errors="replace"))


def read_info(text: str) -> dict[str, str]:
    """Read what INFO answers."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def read_stats(text: str) -> dict[str, str]:
    """Read what `stats` answers."""
    words = (line.split(" ", 2) for line in text.splitlines())
    return {line[1]: line[2] for line in words if line[0] == "STAT" and len(line) == 3}
