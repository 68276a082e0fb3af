"""The daemon: the only file that knows every part.

    socket - aws.answer - store (World) - control.wires, control.machines - host

One process, one event loop.  The network and the machines each have a thread for what blocks.
"""

import asyncio
import contextlib
import fcntl
import importlib
import logging
import os
import pkgutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import uvicorn
import uvloop
from starlette.applications import Starlette

import atoll
import atoll.ec2
import atoll.elasticache
import atoll.sts
from atoll.admin.routes import routes
from atoll.control.events import Lines, log
from atoll.control.machines import Machines
from atoll.control.record import Recorder
from atoll.control.wanted import Wanted
from atoll.control.wires import Wires
from atoll.ec2 import console
from atoll.gate import Backend, Gate
from atoll.host.contract import Host, HostError, Seen
from atoll.host.paper import PaperHost
from atoll.model.engine import EngineBuild
from atoll.model.kinds import KINDS
from atoll.model.world import Tx, World
from atoll.store.sqlite import Store, StoreError
from atoll.store.upgrade import TooNew

FORGET_SECONDS = 60.0
SHUTDOWN_SECONDS = 10.0
SERVICES = (atoll.ec2, atoll.elasticache, atoll.sts)


class CannotStart(Exception):
    """What is in the way, and the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run."""

    state_dir: Path
    port: int = 4566  # 0: any free one
    bind: str = "127.0.0.1"
    host: Literal["auto", "root", "rootless", "paper"] = "auto"
    keys: Literal["local", "required"] = "local"
    log_to: Path | None = None  # None: standard error


def run(options: Options, ready: Callable[[str, str], None]) -> None:
    """Run until told to stop.  `ready(url, mode)` is called when the first request can be answered.

    Raises CannotStart.
    """
    _check(options)
    _log_to(options.log_to)
    with _only_one(options.state_dir), _listen(options) as sock:
        host = _host(options)  # enters namespaces: before any thread exists
        try:
            store = Store(options.state_dir / "atoll.db", KINDS)
        except (StoreError, TooNew) as error:
            raise CannotStart(f"{error}") from error
        uvloop.run(_serve(options, host, store, sock, ready))


async def _serve(
    options: Options, host: Host, store: Store, sock: socket.socket, ready: Callable[[str, str], None]
) -> None:
    await Daemon(options, host, store).serve(sock, ready)


class Daemon:
    """Every part, wired."""

    def __init__(self, options: Options, host: Host, store: Store) -> None:
        """Wire the parts; nothing runs yet."""
        for service in SERVICES:  # importing a verb registers it
            for module in pkgutil.iter_modules(service.__path__, f"{service.__name__}."):
                importlib.import_module(module.name)
        self._options, self._host, self._store = options, host, store
        self._stop = asyncio.Event()
        self._purge = False
        self.wires = Wires(lambda: store.world, host, self._network_in_force)
        wanted = Wanted(lambda: store.world)
        self.machines = Machines(wanted.machines, host, Recorder(store), self.in_force)
        self.backend = Backend(store, self.in_force, strict=options.keys == "required")
        console.read_with(host.console)
        self._note_engines()
        store.watch(lambda _: self.wires.wake())

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world

    def write(self, fn: Callable[[Tx], Any], what: str) -> None:
        """Change the World for the private API."""
        self._store.write(fn, what=what)

    async def in_force(self) -> bool:
        """Wait until the kernel obeys everything that is committed now."""
        return await self.wires.in_force(self._store.world.revision)

    def seen(self) -> Mapping[str, Seen]:
        """Return the processes of the host."""
        return self._host.seen()

    def health(self) -> dict[str, Any]:
        """Say that we serve, and how."""
        services = dict.fromkeys(("ec2", "elasticache", "sts"), "running")
        body = {"status": "running", "version": atoll.__version__, "mode": self._host.mode, "services": services}
        if self._host.mode == "paper":
            body["because"] = "nothing runs: every call works, verdicts come from the tracer"
        return body

    def where(self) -> dict[str, Any]:
        """Say where we run."""
        return {
            "mode": self._host.mode,
            "rootless": self._host.mode == "rootless",
            "pid": os.getpid(),
            "state_dir": str(self._options.state_dir),
            "keeper": getattr(self._host, "keeper_pid", None),
            "namespaces": getattr(self._host, "namespaces_dir", None),
        }

    def loops(self) -> dict[str, Any]:
        """Say what the loops did last, and what is wrong."""
        report = self.wires.report
        return {
            "rounds": report.rounds,
            "revision": report.revision,
            "milliseconds": round(report.milliseconds, 3),
            "failures": [f"{f.subject}: {f.because}" for f in report.failures],
            "repairs": report.repairs[-10:],
            "machine_rounds": self.machines.rounds,
            "history": self._store.history(50),
        }

    async def reset(self) -> None:
        """Forget every resource and end what ran; returns when the kernel is empty."""
        self._store.clear()
        self.backend.forget()
        self._note_engines()
        await self.in_force()
        await self.machines.idle()

    def stop(self, *, purge: bool) -> None:
        """End the daemon, soon; with `purge`, everything that it runs too."""
        self._purge = self._purge or purge
        self._stop.set()

    async def serve(self, sock: socket.socket, ready: Callable[[str, str], None]) -> None:
        """Serve until stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: self.stop(purge=False))
        private = Starlette(routes=routes(self))
        server = _Server(Gate(self.backend, private), sock)
        tasks = [asyncio.create_task(t) for t in (self.wires.run(), self.machines.run(), self._forget())]
        await server.start()
        ready(f"http://{self._options.bind}:{sock.getsockname()[1]}", self._host.mode)
        log("ready", mode=self._host.mode, resources=len(self._store.world))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        log("stopping", purge=self._purge)
        await server.stop()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await self.machines.close()
        self.wires.close()
        self._store.close()
        if self._purge:
            self._host.destroy()
        else:
            self._host.close()
        for result in results:
            if isinstance(result, Exception):  # a loop ended by itself: our mistake, or the keeper was killed
                raise result

    def _note_engines(self) -> None:
        """Put into the World which engines this machine can run, if that has changed."""
        builds = {build.id: build for build in self._host.builds()}
        known = {build.id: build for build in self.world.all(EngineBuild)}
        if builds == known:
            return

        def note(tx: Tx) -> None:
            for build in known.values():
                if build.id not in builds:
                    tx.delete(build)
            for build in builds.values():
                tx.put(build)

        self._store.write(note, what="engines")

    def _network_in_force(self) -> None:
        self.machines.wake()

    async def _forget(self) -> None:
        recorder = Recorder(self._store)
        while True:
            recorder.forget_old()
            await asyncio.sleep(FORGET_SECONDS)


class _Server:
    """uvicorn on a socket that we opened, inside our own loop and with our own signal handlers."""

    def __init__(self, app: Any, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2,
            timeout_keep_alive=75, limit_concurrency=1_000, backlog=1_024, ws="none",
        )  # fmt: skip
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._sock = sock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._server.startup(sockets=[self._sock])
        self._task = asyncio.create_task(self._server.main_loop())

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task:
            await self._task
        await self._server.shutdown(sockets=[self._sock])


def _check(options: Options) -> None:
    if options.bind not in ("127.0.0.1", "::1", "localhost") and options.keys != "required":
        raise CannotStart(
            f"{options.bind} can be reached from other machines, and anyone could call: "
            "add --keys required, or bind to 127.0.0.1"
        )


@contextlib.contextmanager
def _only_one(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; two daemons never share one.  Raises CannotStart."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"cannot use {state_dir}: {error.strerror}; choose another with --state DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        yield
    except BlockingIOError:
        raise CannotStart(f"another Atoll runs on {state_dir}; end it with: atoll down") from None
    finally:
        os.close(lock)


def _listen(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.bind else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((options.bind, options.port))
    except OSError as error:
        sock.close()
        raise CannotStart(
            f"cannot listen on {options.bind}:{options.port}: {error.strerror}; choose another with --port N"
        ) from error
    sock.listen(1_024)
    return sock


def _host(options: Options) -> Host:
    if options.host == "paper":
        return PaperHost()
    from atoll.host.linux.machine import LinuxHost  # loads libnftables: not on paper

    rootless = os.geteuid() != 0 if options.host == "auto" else options.host == "rootless"
    try:
        return LinuxHost.enter(options.state_dir, rootless=rootless)
    except HostError as error:
        raise CannotStart(
            f"this machine does not let Atoll build networks: {error}; atoll doctor says what is missing, and "
            "atoll up --host paper answers every call without running anything"
        ) from error


def _log_to(path: Path | None) -> None:
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
