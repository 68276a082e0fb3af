"""What a host says to the engines of its cache nodes, whatever it runs them in.

Each engine has a directory of its own, which it sees as "." only, with an administration socket in it.  It reads its
configuration from standard input, so that Atoll's directories stay closed to the user that it runs as.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import resource
import secrets
import shutil
import socket
import ssl
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.config import memcached_arguments, server_text
from atoll.cache.families import numbers
from atoll.cache.logs import SlowCommand, SlowPlace
from atoll.cache.node import NodePlan
from atoll.cache.shards import nodes_conf
from atoll.cache.terminator import doors
from atoll.host.authority import Authority
from atoll.host.contract import HostError, Saved
from atoll.host.engine import admission, carry, dumping, engine_logs, in_step, statistics, trim
from atoll.host.engine.cluster import Asker
from atoll.host.engine.doors import Doors
from atoll.host.engine.replication import BUSY, Administrator
from atoll.host.engine.resp import Connection, EngineError
from atoll.host.engine.seeds import Seeds, make_pipe
from atoll.host.engine.slot_mover import SlotMover

FILES_MAX = 65_536
SERVING_HZ = "10"  # the engines' own default; while a group comes up it is higher (cache/config.py)
SOCKET = "admin.sock"
_HANDSHAKE_SECONDS = 2.0
_STAMP = re.compile(rb"^\d+:[A-Z] .{20,26} [-.*#] ", re.M)  # of Redis and Valkey: "7:M 20 Nov 2026 13:00:00.000 # "


class Talker(ABC):
    """Talks to the engines of one installation.  How they are started, limited and announced is the host's."""

    def __init__(
        self, directory: Path, state_dir: Path, open_socket: Callable[[str], socket.socket], uid: int | None
    ) -> None:
        """Use `open_socket(interface id)` for TCP sockets that reach a node; `uid` is whom engines run as."""
        self._directory, self._open_socket, self._uid = directory, open_socket, uid
        self._password = _password(state_dir / "engines.password")
        self._authority = Authority(state_dir)
        self._trusted: ssl.SSLContext | None = None
        self._cluster = Asker(self._socket_of, self._password)
        self._files_max = min(FILES_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        self.administrator = Administrator(self._password, self._socket)
        self.seeds = Seeds(state_dir)
        self.slot_mover = SlotMover(self._password, self._socket)
        self.doors = Doors(uid, self._socket, self._password)

    @abstractmethod
    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members; returns why it cannot.  Raises HostError."""

    @abstractmethod
    def confine(self, node: NodePlan, *, twice: bool = False, memory_bytes: int | None = None) -> tuple[Path, ...]:
        """Limit what a node may use, where the host can; `twice`: it has its data in memory a second time."""

    async def name_in_cluster(self, node: NodePlan) -> None:
        """Have a node in cluster mode tell clients a name, which certificates have, or no name.  Raises HostError."""
        if node.cluster is None or numbers(node.version) < (7,):
            return
        name = node.cluster.seat.hostname
        await self.tune(node, "cluster-announce-hostname", name)
        await self.tune(node, "cluster-preferred-endpoint-type", "hostname" if name else "ip")

    async def cut_plain(self, node: NodePlan) -> None:
        """Cut the clients that talk to an engine itself, as they did before there was TLS.  Raises HostError."""
        here = f"{node.address}:{node.port}"
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                for kind in ("normal", "pubsub"):
                    await engine.ask("CLIENT", "KILL", "TYPE", kind, "LADDR", here)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"cut clients of {node.name}") from error

    async def save(self, node: NodePlan, *, is_copy: bool = False) -> None:
        """Have a node take no more writes, and leave its data to its next process.  Raises HostError."""
        self.confine(node, twice=True)  # the file is in memory too, and counts
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                await carry.save(engine, is_copy=is_copy)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"save {node.name}") from error

    async def resume(self, node: NodePlan) -> None:
        """Have a node take writes again, after a `save` that led to nothing.  Raises HostError."""
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                await carry.resume(engine, dict(node.settings))
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"resume {node.name}") from error
        self._settle(node)

    def _settle(self, node: NodePlan) -> None:
        """Throw away the data that the former process left."""
        (self._directory / short(node.name) / carry.FILE).unlink(missing_ok=True)
        self.confine(node)

    def log(self, name: str) -> bytes:
        """Return the newest that an engine has said, without its times and process numbers."""
        try:
            said = (self._directory / short(name) / engine_logs.LOG).read_bytes()
        except OSError:
            return b""
        return _STAMP.sub(b"", said)

    async def ask(self, node: NodePlan) -> str | None:
        """Ask a node whether it serves: `None` if it does, else what it waits for."""
        try:
            if node.is_memcached:
                await self.announce(node)  # it serves, and knows its cluster
                waiting = None
            else:
                if node.seeds:
                    self.seeds.feed(node, self._directory_of(node))
                waiting = await self._ask_server(node)
            if waiting is None and node.encryption:
                await self._shake_hands(node, node.encryption.names[0])
            return waiting
        except (HostError, OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            return f"{type(error).__name__}: {error}"

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        """Return all that an engine says of itself, as fields and values.  Raises HostError."""
        try:
            if node.is_memcached:
                sock = await asyncio.to_thread(self._open_socket, node.interface_id)
                return await statistics.of_memcached(sock, node)
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                return await statistics.of_server(engine)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"ask {node.name}") from error

    async def slow_log(self, node: NodePlan, after: SlowPlace | None) -> tuple[str, Sequence[SlowCommand]]:
        """Return an engine's slow commands after one of them (engine_logs.py).  Raises HostError."""
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                return await engine_logs.slow_log(engine, SOCKET, after)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"SLOWLOG {node.name}") from error

    def engine_log(self, node: NodePlan) -> str:
        """Return the newest that an engine has said, and the process before it."""
        return engine_logs.engine_log(self._directory / short(node.name))

    async def dump(self, node: NodePlan, file: Path) -> Saved:
        """Write all data of an engine to a new file.  Raises HostError, OSError."""
        said = await self.statistics(node)
        data_bytes = int(said.get("used_memory_dataset", "0"))
        return await dumping.dump(node, self._socket(node), self._password, file, data_bytes=data_bytes)

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        """Give a running engine a setting; returns its own words if it refuses.  Raises HostError: no answer.

        By a connection of its own: the failover must not wait for the answer.
        """
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                try:
                    await engine.ask("CONFIG", "SET", directive, value)
                except EngineError as error:
                    if str(error).startswith(BUSY):
                        raise
                    return str(error)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"CONFIG SET {directive} {node.name}") from error
        return None

    async def admit(self, node: NodePlan, cut: Collection[str]) -> None:
        """Give a running engine the users of its plan, and no others.  Raises HostError.

        By a connection of its own: the failover must not wait for the answers.
        """
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                await admission.admit(engine, node, cut)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"tell users to {node.name}") from error

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        """Have an engine hold back writes for so long; 0: no longer.  Raises HostError."""
        words = ("PAUSE", str(milliseconds), "WRITE") if milliseconds else ("UNPAUSE",)
        try:
            async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
                await engine.ask("CLIENT", *words)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"CLIENT {words[0]} {node.name}") from error

    async def _ask_server(self, node: NodePlan) -> str | None:
        async with Connection(self._socket(node), ADMINISTRATOR, self._password) as engine:
            if node.seeds or node.loads:
                await engine.ask("PING")  # an error while it loads; ROLE is answered all the time
            if node.cluster:
                waiting = await self._cluster.waits_for(engine, node)
            else:
                waiting = await in_step.waits_for(engine, node, self._at)
            if waiting is None and node.seeds and node.cluster:
                await self._trim(engine, node)
            if waiting is None:
                await engine.ask("CONFIG", "SET", "hz", SERVING_HZ)
                if node.loads:
                    self._settle(node)
            return waiting

    def _at(self, name: str) -> Connection:
        """Return a connection to a node by the name of its plan."""
        return Connection(self._socket_of(name), ADMINISTRATOR, self._password)

    async def _trim(self, engine: Connection, node: NodePlan) -> None:
        """Have a node keep what is of its slots; one with data that it cannot serve ends, and that is told."""
        try:
            await trim.trim(self._socket(node), self._password, node)
        except trim.OtherDatabases as error:
            self.seeds.failures[node.process] = str(error)
            await engine.ask("SHUTDOWN", "NOSAVE")

    async def _shake_hands(self, node: NodePlan, name: str) -> None:
        """Speak TLS with a node, as a client that looks at the certificate does.  Raises OSError, TimeoutError."""
        if self._trusted is None:
            trusted = await asyncio.to_thread(self._authority.certificate)  # somebody may be making it
            self._trusted = ssl.create_default_context(cafile=str(trusted))
        sock = await asyncio.to_thread(self._open_socket, node.interface_id)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await asyncio.get_running_loop().sock_connect(sock, (str(node.address), doors(node.port)[0]))
                _, writer = await asyncio.open_connection(sock=sock, ssl=self._trusted, server_hostname=name)
                writer.transport.abort()
        except BaseException:
            sock.close()
            raise

    def _prepare(self, node: NodePlan) -> Path:
        """Make the node's directory anew: nothing of an earlier life stays, as on AWS, but what is to be loaded."""
        directory = self._directory / short(node.name)
        with contextlib.suppress(OSError):  # for log delivery
            (directory / engine_logs.LOG).replace(directory / engine_logs.EARLIER)
        for old in directory.glob("*"):
            if old.name != engine_logs.EARLIER and (old.name != carry.FILE or not node.loads):
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if node.cluster:
                (directory / "nodes.conf").write_text(nodes_conf(node))
            if node.seeds:
                make_pipe(directory)
            if self._uid is not None:
                for path in (directory, *directory.iterdir()):
                    os.chown(path, self._uid, self._uid)
        except OSError as error:
            raise HostError(str(error), f"prepare {node.name}") from error
        return directory

    def _configuration(self, node: NodePlan, directory: Path) -> IO[bytes]:
        """Return what the engine reads from standard input: a file that has no name, and so no readers."""
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  (the caller closes it)
        if not node.is_memcached:
            text = server_text(node, directory=".", socket=SOCKET, password=self._password)
            file.write(text.encode())
            file.flush()
            file.seek(0)
        return file

    def _arguments(self, node: NodePlan) -> tuple[str, ...]:
        if node.is_memcached:
            return memcached_arguments(node, user="root", files_max=self._files_max)
        return ("-",)

    def _directory_of(self, node: NodePlan) -> Path:
        return self._directory / short(node.name)

    def _socket(self, node: NodePlan) -> Path:
        return self._socket_of(node.name)

    def _socket_of(self, name: str) -> Path:
        return self._directory / short(name) / SOCKET


def short(name: str) -> str:
    """Return a directory's name for a node: a socket's path has at most 107 bytes."""
    return hashlib.blake2s(name.encode(), digest_size=8).hexdigest()


def _password(path: Path) -> str:
    """Return the administrator's password of this installation's engines; made once, readable by the owner only.

    Raises HostError.
    """
    try:
        if path.exists() and (password := path.read_text()):
            return password
        password, unfinished = secrets.token_hex(24), path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
        unfinished.replace(path)  # whole or not at all: engines that run know the former one
    except OSError as error:
        raise HostError(str(error), f"keep the password of engines in {path}") from error
    return password
