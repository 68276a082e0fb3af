"""Turn a fork of the keeper into the program that a client asked for.  Runs in the child, before exec.

The request is a JSON object; `client.Spawn` says what its fields mean.  Whatever fails here is reported through the
pipe `report`, which exec closes: an empty pipe means that the program runs.
"""

import contextlib
import os
import resource
import signal
from typing import Any, NoReturn

from atoll.host.linux import chamber
from atoll.host.linux.guard import guard
from atoll.host.linux.syscalls import (
    CLONE_NEWNET,
    PR_SET_NO_NEW_PRIVS,
    bound_capabilities,
    hold_capabilities,
    install_seccomp,
    prctl,
    setns,
)

Request = dict[str, Any]
_USUAL_LIMITS = {"nofile": (1024, 1 << 20)}  # the keeper has raised its own


def become(request: Request, given: list[int], report: int, network_dir: str) -> NoReturn:
    """Set everything up in this child and execute; never returns."""
    try:
        _leave_the_keepers_ways()
        os.setsid()
        for directory in request.get("cgroups", ()):
            with open(f"{directory}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write("0")
        for name, (soft, hard) in {**_USUAL_LIMITS, **request.get("rlimits", {})}.items():
            limit(name, soft, hard)
        if request.get("network"):
            _enter_network(f"{network_dir}/{request['network']}")
        _connect_streams(request, given)
        if request.get("guest") is not None:
            chamber.build(request["guest"])
        os.chdir(request.get("cwd") or "/")
        program = _open_program(request)
        _drop_privileges(request)
        os.execve(program, request["argv"], request.get("env", {}))
    except BaseException as error:  # a child must never return into the keeper's loop, whatever happened
        os.write(report, f"{type(error).__name__}: {error}".encode(errors="replace")[:4000])
    finally:
        os._exit(127)


def _leave_the_keepers_ways() -> None:
    os.umask(0o022)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
        file.write("0")
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def limit(name: str, soft: int, hard: int) -> None:
    """Limit a resource of this process, by its name without RLIMIT_."""
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    highest = resource.getrlimit(number)[1]
    if highest != resource.RLIM_INFINITY:  # raising the hard limit needs a privilege that we may lack
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(number, (soft, hard))


def _enter_network(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    setns(fd, CLONE_NEWNET)
    os.close(fd)


def _connect_streams(request: Request, given: list[int]) -> None:
    """Connect 0, 1, 2: what the client gave, else the log, else nothing."""
    wanted = [given[index] if (index := request.get(stream)) is not None else -1 for stream in ("in", "out", "err")]
    empty = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    log = empty
    if request.get("log"):
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for stream, fd in enumerate(wanted):
        if fd < 0:
            fd = empty if stream == 0 else log
        os.dup2(fd, stream, inheritable=True)


def _open_program(request: Request) -> str | int:
    """Return what to execute: the path, or for another user the open file.

    The path may lead through directories closed to that user (a virtual environment in somebody's home), the file
    must still be executable for him.  A script is opened by its interpreter, so it needs the path.
    """
    path: str = request["argv"][0]
    if request.get("uid") is None:
        return path
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if os.read(fd, 4) != b"\x7fELF":
        os.close(fd)
        return path
    return fd


def _drop_privileges(request: Request) -> None:
    uid, gid, capabilities = request.get("uid"), request.get("gid"), request.get("capabilities")
    if kind := request.get("guard"):  # first: later it would take no_new_privs, and sudo would be gone
        install_seccomp(guard(kind))
    if capabilities is not None:
        bound_capabilities(capabilities)
    if gid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
    if uid is not None:
        os.setresuid(uid, uid, uid)
    if capabilities is not None:
        hold_capabilities(capabilities)
    if request.get("no_new_privs"):
        prctl(PR_SET_NO_NEW_PRIVS, 1)
