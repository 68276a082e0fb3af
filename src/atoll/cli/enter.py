"""Enter a place: the network of an instance or of an internet client, or a running instance itself.

A `Place` is what `/_atoll/machines` answers.  Its network namespace is a bind mount inside the mount namespace of the
keeper, so it is opened through `/proc/<keeper>/root`.  In rootless mode all of it belongs to the keeper's user
namespace, which must be entered first: whoever started Atoll has every capability there, and nobody else has any.

`replace` becomes the command (what the command line does); `run` starts it as a child and returns (the demo).
"""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from atoll.cli.failure import Failure
from atoll.host.linux.seccomp import pretend_ownership
from atoll.host.linux.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_PRIVATE,
    MS_REC,
    PR_SET_PDEATHSIG,
    bind,
    bound_capabilities,
    hold_capabilities,
    install_seccomp,
    mount,
    prctl,
    setns,
    unshare,
)

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FDS_MAX = 4096  # descriptors that the process between us and a guest closes; we open some ten
# The user namespace comes first, for the capabilities; the mount namespace last, because it takes /proc away.
GUEST_NAMESPACES = ("uts", "ipc", "net", "cgroup", "pid", "mnt")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command may run."""

    kind: str  # "instance", "cache-node", "interface" or "outside"
    id: str
    namespace: str  # a path inside the keeper's mount namespace
    keeper: int
    rootless: bool
    address: str
    pid: int | None = None  # of an instance's init; None: nothing runs there
    resolvers: tuple[str, ...] = ()
    search: str = ""

    @property
    def network(self) -> str:
        """The path by which this process opens the network namespace."""
        return f"/proc/{self.keeper}/root{self.namespace}"


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
    )


def network(place: Place) -> Callable[[], None]:
    """Return what moves a process into the place's network: the user's files stay, the resolver is the place's."""

    def enter() -> None:
        _user_namespace(place)
        fd = os.open(place.network, os.O_RDONLY | os.O_CLOEXEC)
        unshare(CLONE_NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        _resolve_with(place)
        setns(fd, CLONE_NEWNET)
        os.close(fd)

    return enter


def guest(place: Place, user: str = "root") -> Callable[[], None]:
    """Return what moves a process into a running instance, as one of its users.

    Process namespaces are entered by children only, so it forks: the parent waits, passes signals on and exits with
    the child's code, and the child returns from the call.
    """
    assert place.pid, "the daemon gives the process of a running instance"
    pid = place.pid

    def enter() -> None:
        bounds = _capability_bounds(pid)
        _join_cgroups(pid)
        _user_namespace(place)
        for fd in [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in _others(pid)]:
            setns(fd)
            os.close(fd)
        _continue_in_child()
        _become(user, bounds, rootless=place.rootless)

    return enter


def replace(enter: Callable[[], None], command: Sequence[str]) -> NoReturn:
    """Enter, and become the command.  Its exit code is ours."""
    sys.stdout.flush()
    try:
        enter()
    except OSError as error:
        raise _cannot_enter(error) from None
    try:
        os.execvp(command[0], list(command))
    except FileNotFoundError:
        print(f"error: {command[0]}: command not found", file=sys.stderr)
        os._exit(127)  # as a shell does
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(126)


def run(
    enter: Callable[[], None], command: Sequence[str], *, given: str = "", seconds_max: float
) -> subprocess.CompletedProcess[str]:
    """Enter in a child, run the command with `given` as its input, and return its output and exit code.

    Raises subprocess.TimeoutExpired, with the output so far, after `seconds_max`.
    """

    def child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        enter()

    return subprocess.run(
        list(command),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds_max,
        preexec_fn=child,
        check=False,
    )


def _others(pid: int) -> list[str]:
    """Return the namespaces of a process that are not ours: entering our own again may be forbidden."""
    paths = [f"/proc/{pid}/ns/{name}" for name in GUEST_NAMESPACES]
    return [path for path in paths if os.readlink(path) != os.readlink(f"/proc/self/ns/{path.rpartition('/')[2]}")]


def _user_namespace(place: Place) -> None:
    if not place.rootless:
        return
    fd = os.open(f"/proc/{place.keeper}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    setns(fd, CLONE_NEWUSER)
    os.close(fd)


def _resolve_with(place: Place) -> None:
    """Show the place's resolver at /etc/resolv.conf, and names from files and DNS only."""
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
    with tempfile.NamedTemporaryFile("w", prefix="atoll-") as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)
        bind(file.name, os.path.realpath(path))


def _capability_bounds(pid: int) -> int:
    """Return the capabilities that processes of the instance may have at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))


def _join_cgroups(pid: int) -> None:
    """Count the command with the instance, so that its memory limit holds for it."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if path in ("/", "/.."):
            continue
        mounted = "unified" if not controllers and os.path.isdir("/sys/fs/cgroup/unified") else controllers
        procs = Path("/sys/fs/cgroup", mounted.removeprefix("name="), path.lstrip("/"), "cgroup.procs")
        with suppress(OSError):  # without a delegated cgroup there is no limit to hold
            procs.write_text(str(os.getpid()))


def _continue_in_child() -> None:
    """Fork into the process namespace that was entered; return in the child only."""
    child = os.fork()
    if child == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    for number in (signal.SIGINT, signal.SIGQUIT):  # the terminal sends these to the child as well
        signal.signal(number, signal.SIG_IGN)
    os.closerange(3, FDS_MAX)  # a parent waiting for the end of a pipe must wait for the child only
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(128 - code if code < 0 else code)


def _become(user: str, bounds: int, *, rootless: bool) -> None:
    """Take a user's identity and environment inside the instance, with no more capabilities than its init."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Failure(f"the instance has no user {user!r}", "use --user root or --user ec2-user") from None
    bound_capabilities(bounds)
    if rootless:
        install_seccomp(pretend_ownership())  # as for every process of such an instance: it has one uid only
    if entry.pw_uid:
        os.setgroups(os.getgrouplist(user, entry.pw_gid))
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user forgets it
    hold_capabilities(bounds)
    kept = {name: os.environ[name] for name in ("TERM", "COLORTERM", "NO_COLOR") if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=entry.pw_dir,
        USER=user,
        LOGNAME=user,
        SHELL=entry.pw_shell or "/bin/sh",
        PATH=GUEST_PATH,
        LANG="C.UTF-8",
    )
    os.chdir(entry.pw_dir if os.path.isdir(entry.pw_dir) else "/")


def _cannot_enter(error: OSError) -> Failure:
    if isinstance(error, PermissionError):
        return Failure(
            f"the kernel does not let this user in: {error}",
            "run the command as the user who started Atoll (with sudo, if that was root)",
        )
    return Failure(f"the place could not be entered: {error}", "is it still running? `atoll status`")
