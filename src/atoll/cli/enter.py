"""Enter a place: the network of an instance or of an internet client, or a running instance itself.

A `Place` is what `/_atoll/machines` answers.  Its network namespace is a bind mount inside the mount namespace of the
keeper, so it is opened through `/proc/<keeper>/root`.  In rootless mode all of it belongs to the keeper's user
namespace, which must be entered first: whoever started Atoll has every capability there, and nobody else has any.

`in_network` and `in_instance` return what becomes a command there.  The command line calls it; the demo has a child
call it, with `run`.
"""

import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from atoll.cli import flat
from atoll.cli.failure import Failure

Become = Callable[[Sequence[str]], NoReturn]
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as shells say it


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command may run."""

    kind: str  # "instance", "cache-node", "interface" or "outside"
    id: str
    namespace: str  # a path inside the keeper's mount namespace
    keeper: int
    rootless: bool
    address: str
    pid: int | None  # of an instance's init; None: nothing runs there
    resolvers: tuple[str, ...]
    search: str
    user: str = "ec2-user"  # who logs in to an instance
    authority: str = ""  # a certificate that programs in its network should trust
    link: str = "eth0"  # of the interface that was asked for
    relay: flat.Relay | None = None  # on the flat host: the way into the network, instead of the namespace


@dataclass(frozen=True)
class Ended:
    """What a command said, and how it ended."""

    output: str
    code: int | None  # None: it was killed because it took too long


def place_of(answer: Mapping[str, Any]) -> Place:
    """Build a Place from the daemon's answer."""
    return Place(
        kind=answer["kind"],
        id=answer["id"],
        namespace=f"{answer['namespaces']}/{answer['namespace']}",
        keeper=answer["keeper"],
        rootless=answer["rootless"],
        address=answer["address"],
        pid=answer["pid"],
        resolvers=tuple(answer["resolvers"]),
        search=answer["search"],
        user=answer.get("user") or "ec2-user",
        authority=answer.get("authority", ""),
        link=answer.get("link", "eth0"),  # an older daemon knows of no other
        relay=flat.relay_of(answer),
    )


def in_network(place: Place) -> Become:
    """Return what becomes a command of this machine in the place's network.

    The user's files stay; the resolver is the place's, in a mount namespace of the command's own.
    """
    if place.relay:
        return flat.through(place.relay, place.authority, _execute)

    def become(command: Sequence[str]) -> NoReturn:
        sys.stdout.flush()
        move_into(place)
        _execute(command)

    return become


def move_into(place: Place) -> None:
    """Move this process, for good, into the place's network, with its names and the certificate that it trusts.

    The process must be single-threaded in rootless mode.  Raises Failure.
    """
    flat.refuse(place.relay, "there is no network to move into")
    from atoll.host.linux.syscalls import (
        CLONE_NEWNET,
        CLONE_NEWNS,
        CLONE_NEWUSER,
        MS_PRIVATE,
        MS_REC,
        mount,
        setns,
        unshare,
    )

    try:
        if place.rootless:
            _enter(f"/proc/{place.keeper}/ns/user", CLONE_NEWUSER)
        fd = os.open(f"/proc/{place.keeper}/root{place.namespace}", os.O_RDONLY | os.O_CLOEXEC)
        unshare(CLONE_NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        _resolve_with(place)
        setns(fd, CLONE_NEWNET)
        os.close(fd)
    except OSError as error:
        raise _cannot_enter(error) from None
    if os.path.exists(place.authority):  # there is no other HTTPS than that of the cloud's own endpoints
        for name in flat.TRUST:
            os.environ[name] = place.authority


def join_network(place: Place) -> None:
    """Move this process, for good, into the place's network; files and names stay those of this machine."""
    flat.refuse(place.relay, "there is no network to move into")
    from atoll.host.linux.syscalls import CLONE_NEWNET, CLONE_NEWUSER

    try:
        if place.rootless:
            _enter(f"/proc/{place.keeper}/ns/user", CLONE_NEWUSER)
        _enter(f"/proc/{place.keeper}/root{place.namespace}", CLONE_NEWNET)
    except OSError as error:
        raise _cannot_enter(error) from None


def in_instance(place: Place, user: str = "root") -> Become:
    """Return what becomes a command inside a running instance, as one of its users."""
    flat.refuse(place.relay, "an instance has no machine of its own")
    from atoll.host.errors import HostError
    from atoll.host.linux.inside import run_inside

    pid = place.pid
    if pid is None:
        raise Failure(f"{place.id} has no process to enter", "`atoll status` shows what runs")

    def become(command: Sequence[str]) -> NoReturn:
        sys.stdout.flush()
        try:
            code = run_inside(pid, command, rootless=place.rootless, user=user)
        except HostError as error:
            raise Failure(str(error), "is it still running? `atoll status`") from None
        os._exit(code)

    return become


def run(become: Become, command: Sequence[str], *, seconds_max: float) -> Ended:
    """Have a child become the command; returns all that it said on both outputs.

    After `seconds_max` the child and what it started are killed.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()  # else the child would print it again
    child = os.fork()
    if child == 0:
        _child(become, command, writing)
    os.close(writing)
    said, in_time = _read(reading, time.monotonic() + seconds_max)
    os.close(reading)
    if not in_time:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return Ended(said.decode(errors="replace"), os.waitstatus_to_exitcode(status) if in_time else None)


def _child(become: Become, command: Sequence[str], writing: int) -> NoReturn:
    try:
        os.setsid()  # one group to kill, and no terminal to read passwords from
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        become(command)
    except Failure as failure:
        os.write(2, f"{failure.told()}\n".encode())
    except OSError as error:
        os.write(2, f"error: {error}\n".encode())
    finally:
        os._exit(1)


def _read(reading: int, deadline: float) -> tuple[bytes, bool]:
    """Read to the end, which comes when the last process that could write has ended."""
    said, readable = bytearray(), select.poll()  # not `select`: the caller may have a thousand files open
    readable.register(reading, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if readable.poll(left * 1e3):
            part = os.read(reading, 65536)
            if not part:
                return bytes(said), True
            said += part
    return bytes(said), False


def _enter(path: str, flag: int) -> None:
    from atoll.host.linux.syscalls import setns

    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    setns(fd, flag)
    os.close(fd)


def _execute(command: Sequence[str]) -> NoReturn:
    try:
        os.execvp(command[0], list(command))
    except FileNotFoundError:
        os.write(2, f"error: {command[0]}: command not found\n".encode())
        os._exit(NOT_FOUND)
    except OSError as error:
        os.write(2, f"error: {command[0]}: {error.strerror}\n".encode())
        os._exit(NOT_EXECUTABLE)


def _resolve_with(place: Place) -> None:
    """Show the place's resolver at /etc/resolv.conf, and names from files and DNS only."""
    from atoll.host.linux.syscalls import bind

    servers = [f"nameserver {address}" for address in place.resolvers]
    search = [f"search {place.search}"] if place.search else []
    _show("/etc/resolv.conf", "\n".join([*search, *servers, "options timeout:2 attempts:2", ""]))
    with suppress(FileNotFoundError):
        rest = [line for line in Path("/etc/nsswitch.conf").read_text().splitlines() if not line.startswith("hosts:")]
        _show("/etc/nsswitch.conf", "\n".join(["hosts: files dns", *rest, ""]))
    if os.path.exists("/run/nscd/socket"):  # a cache of names that knows nothing of this place
        bind("/dev/null", "/run/nscd/socket")


def _show(path: str, text: str) -> None:
    """Show a file with this text at a path, in this mount namespace only; the file itself has no name any more."""
    from atoll.host.linux.syscalls import bind

    with tempfile.NamedTemporaryFile("w", prefix="atoll-") as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)
        bind(file.name, os.path.realpath(path))


def _cannot_enter(error: OSError) -> Failure:
    if isinstance(error, PermissionError):
        return Failure(
            f"the kernel does not let this user in: {error}",
            "run the command as the user who started Atoll (with sudo, if that was root)",
        )
    return Failure(f"the place could not be entered: {error}", "is it still running? `atoll status`")
