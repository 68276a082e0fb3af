"""From nothing to a daemon: the state directory is ours, the socket is open, the keeper comes up, the daemon runs.

What takes longest is begun first.  The daemon's own modules are imported while the keeper, another process, starts:
this is why they are not imported at the top of this file.
"""

import contextlib
import fcntl
import gc
import os
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.later import dataclasses_wait
from atoll.options import CannotStart, Options

if TYPE_CHECKING:
    from atoll.control.hooks import Hooks
    from atoll.host.linux import ignition


def run(options: Options, ready: Callable[[str, str, str], None]) -> None:
    """Run until told to stop.  `ready(url, mode, because)` is called when the first request can be answered.

    Raises CannotStart, Lost.
    """
    _check(options)
    gc.disable()  # what is imported stays: nothing to collect before the daemon is ready
    with only_one(options.state_dir), _listen(options) as sock:
        hooks = _hooks(options, sock) if options.init_dir else None  # no other start waits for their module
        begun = _begin_keeper(options)
        with dataclasses_wait():
            from atoll import bringup

            bringup.run(options, sock, begun, ready, hooks)


def _begin_keeper(options: Options) -> "ignition.Ignition | None":
    if options.host in ("paper", "flat") or (options.host == "auto" and sys.platform != "linux"):
        return None
    from atoll.host.linux import ignition  # a system without namespaces has nothing of it

    rootless = os.geteuid() != 0 if options.host == "auto" else options.host == "rootless"
    try:
        return ignition.begin(
            ignition.run_dir(options.state_dir), options.state_dir, rootless=rootless, leash=options.leash
        )
    except OSError as error:
        raise CannotStart(f"the keeper cannot be started: {error}; atoll doctor says what is missing") from error


def _hooks(options: Options, sock: socket.socket) -> "Hooks":
    """Start what runs the user's scripts, if there are any: here, for the daemon leaves the machine's network."""
    from atoll.control.hooks import Hooks

    url = f"http://{options.bind}:{sock.getsockname()[1]}"
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
    variables = {"AWS_ENDPOINT_URL": url, "ATOLL_ENDPOINT": url, "AWS_EC2_METADATA_DISABLED": "true"}
    try:
        hooks = Hooks(options.init_dir, variables | keys | region)
    except OSError as error:
        raise CannotStart(f"the scripts of {options.init_dir} cannot be run: {error}") from error
    hooks.boot()
    return hooks


def _check(options: Options) -> None:
    if options.is_abroad and options.keys != "required":
        raise CannotStart(
            f"{options.bind} can be reached from other machines, and anyone could call: "
            "add --keys required, or bind to 127.0.0.1"
        )


@contextlib.contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; two daemons never share one.  Raises CannotStart."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(state_dir)
        lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"cannot use {state_dir}: {error.strerror}; choose another with --state DIR") from error
    try:
        _take(lock)
    except BlockingIOError:
        os.close(lock)
        raise CannotStart(f"another Atoll runs on {state_dir}; end it with: atoll down") from None
    try:
        with contextlib.suppress(OSError):  # for people only: a full disk is no reason not to start
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(lock)


def _take(lock: int) -> None:
    """Take the lock of a state.  Raises BlockingIOError."""
    for seconds in (0.01, 0.01, None):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if seconds is None:
                raise
            time.sleep(seconds)  # a command that asks who holds it has it for an instant
        else:
            return


def _close_to_others(directory: Path) -> None:
    """Close a directory that somebody else made to all but its owner; one that is everybody's (/tmp) stays so."""
    found = directory.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        directory.chmod(0o700)


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
