"""Worlds to compare: the daemon's own, saved ones, and copies on which a change is tried.

A change is whatever commands make it (`aws`, a script): they run against an API of our own process, which serves
the copy from memory.  Neither the daemon nor its store ever learns of it.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from atoll.admin import snapshot
from atoll.aws.http import Answer
from atoll.cli import private
from atoll.cli.environment import variables
from atoll.cli.failure import Failure
from atoll.model.kinds import KINDS
from atoll.model.world import Tx, World

LIVE = "live"
COMMAND_SECONDS = 120.0  # of one change: `terraform apply` of a small plan
ERROR = 2
NOT_FOUND = 127  # as a shell says it


def open_world(name: str) -> World:
    """Return the World that a person names: `live`, or a file.  Raises Failure."""
    if name == LIVE:
        return _read(private.raw("/_atoll/world"), "what the daemon says")
    path = Path(name)
    try:
        return _read(path.read_bytes(), name)
    except OSError as error:
        raise Failure(
            f"{name} cannot be read: {error.strerror}",
            "name `live`, or a file that `atoll reach --save` wrote",
            ERROR,
        ) from None


def _read(text: bytes, name: str) -> World:
    try:
        return snapshot.read(text)
    except snapshot.NotAWorld as why:
        raise Failure(
            f"{name} is not a saved world: {why}", "save one with `atoll reach --save FILE`", ERROR
        ) from None


def save(path: Path) -> int:
    """Write the daemon's World to a file that only its owner may read; returns how many resources it has."""
    text = private.raw("/_atoll/world")
    world = _read(text, "what the daemon says")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", "name another file", ERROR) from None
    return len(world)


def changed(world: World, commands: Sequence[str]) -> World:
    """Return the World as it would be after these commands.  Raises Failure when one of them fails."""
    from atoll.gate import Backend, Gate
    from atoll.offer import offer_services
    from atoll.server import Server
    from atoll.store.sqlite import Store

    offer_services()
    store = Store(":memory:", KINDS)

    def fill(tx: Tx) -> None:
        for resource in world:
            tx.put(resource)

    async def at_once() -> bool:
        return True  # there is no kernel to wait for

    store.write(fill, what="copy")
    backend = Backend(store, at_once, strict=False)
    sock = socket.create_server(("127.0.0.1", 0))

    async def serve() -> None:
        server = Server(Gate(backend, _nothing_private).answer, sock)
        await server.start()
        try:
            for command in commands:
                await _run(command, f"http://127.0.0.1:{sock.getsockname()[1]}")
        finally:
            await server.stop()

    asyncio.run(serve())
    return store.world


async def _nothing_private(_request: object) -> Answer:
    return Answer(404, {"content-type": "application/json"}, b'{"error": "this copy of a world has no private API"}')


async def _run(command: str, endpoint: str) -> None:
    own = os.path.dirname(sys.executable)
    environment = {**variables(), **os.environ, "AWS_ENDPOINT_URL": endpoint, "ATOLL_ENDPOINT": endpoint}
    environment["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # the shell, and what it started
        await process.wait()
        raise Failure(f"{command} took longer than {COMMAND_SECONDS:.0f} s", "try a smaller change", ERROR) from None
    if process.returncode == NOT_FOUND:
        raise Failure(f"{command!r} is not a command of this machine", 'give one, such as "aws ec2 ..."', ERROR)
    if process.returncode != 0:
        told = said.decode(errors="replace").strip()[-500:]
        raise Failure(f"{command} failed: {told}", "correct the change; nothing was changed", ERROR)
