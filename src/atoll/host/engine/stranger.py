"""Ask an engine that is not ours what it is: over the network, from a node's namespace, as anybody would."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

from atoll.host.contract import HostError

CONNECT_SECONDS = 3.0  # across the simulated network: less than a millisecond, unless something drops packets
ANSWER_SECONDS = 3.0
ANSWER_BYTES_MAX = 1 << 20


async def ask(open_socket: Callable[[], socket.socket], address: str, port: int, words: Sequence[str]) -> str:
    """Return the answer to a command.  Raises HostError: nobody answers, or it refuses, in its own words."""
    loop, doing = asyncio.get_running_loop(), f"ask {address}:{port}"
    sock = await asyncio.to_thread(open_socket)
    sock.setblocking(False)
    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.sock_connect(sock, (address, port))
        except TimeoutError:
            raise HostError("no connection: nothing answers, or a security group forbids it", doing) from None
        except ConnectionRefusedError:
            raise HostError("connection refused: nobody listens there", doing) from None
        async with asyncio.timeout(ANSWER_SECONDS):
            await loop.sock_sendall(sock, f"{' '.join(words)}\r\n".encode())
            return _text(await _answer(sock), doing)
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        raise HostError(f"{type(error).__name__}: {error}".rstrip(": "), doing) from error
    finally:
        with contextlib.suppress(OSError):
            sock.close()


async def _answer(sock: socket.socket) -> bytes:
    """Read one bulk string, or one line."""
    loop, got = asyncio.get_running_loop(), b""
    while True:
        line, end, rest = got.partition(b"\r\n")
        if end and not line.startswith(b"$"):
            return line
        if end and len(rest) >= int(line[1:]) + 2:
            return rest[: int(line[1:])]
        if len(got) > ANSWER_BYTES_MAX:
            raise ValueError("its answer has no end")
        more = await loop.sock_recv(sock, 1 << 16)
        if not more:
            raise EOFError("it hung up")
        got += more


def _text(answer: bytes, doing: str) -> str:
    text = answer.decode(errors="replace")
    if text.startswith("-"):
        raise HostError(text[1:], doing)
    return text
