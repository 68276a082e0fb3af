"""Run a command inside a running instance, as `ssh` would, but from the host and without the network.

It is for the CLI: a process that is not the daemon, with a terminal to lend.  The command gets no more rights than
the instance's own root has, and counts against the instance's limits.
"""

import os
import pwd
from collections.abc import Mapping, Sequence
from typing import NoReturn

from atoll.host.errors import HostError
from atoll.host.linux import cgroups
from atoll.host.linux.chamber import CAPABILITIES, LIMITS
from atoll.host.linux.guard import guard
from atoll.host.linux.launch import limit
from atoll.host.linux.seccomp import pretend_ownership
from atoll.host.linux.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    PR_SET_DUMPABLE,
    bound_capabilities,
    hold_capabilities,
    install_seccomp,
    prctl,
    setns,
)

_PATH = "/opt/atoll/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The user namespace first, for it gives the right to the others; the mounts last, for they take /proc away.
_NAMESPACES = (
    ("user", CLONE_NEWUSER),
    ("cgroup", CLONE_NEWCGROUP),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("net", CLONE_NEWNET),
    ("pid", CLONE_NEWPID),
    ("mnt", CLONE_NEWNS),
)


def run_inside(
    pid: int,
    argv: Sequence[str],
    *,
    rootless: bool,
    user: str = "root",
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command in the instance whose init has this pid here, with our terminal, and return its exit status.

    An empty `argv` means the user's login shell.  The caller must be single-threaded.  128 + signal if killed.
    """
    child = os.fork()  # the caller stays outside
    if child == 0:
        _become_guest(pid, argv, rootless, user, environment or {})
    return _status_of(child)


def _become_guest(
    pid: int, argv: Sequence[str], rootless: bool, user: str, environment: Mapping[str, str]
) -> NoReturn:
    try:
        cgroups.join(pid)
        for name, (soft, hard) in LIMITS.items():
            limit(name, soft, hard)
        _enter(pid)
        _give_up_rights(rootless)
        inner = os.fork()  # a PID namespace is entered by children only
        if inner:
            os._exit(_status_of(inner))
        account = pwd.getpwnam(user)  # of the instance: its /etc is ours by now
        if not rootless:
            os.initgroups(user, account.pw_gid)
            os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
            os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        os.chdir(account.pw_dir)
        _execute(list(argv) or [account.pw_shell, "-l"], {**_login(account), **environment})
    except KeyError:
        os.write(2, f"there is no user {user} in the instance\n".encode())
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(127)


def _execute(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become a command, or say as a shell would why not, with its exit status."""
    try:
        os.execvpe(command[0], list(command), environment)
    except FileNotFoundError:
        os.write(2, f"error: {command[0]}: command not found in the instance\n".encode())
        os._exit(127)
    except OSError as error:
        os.write(2, f"error: {command[0]}: {error.strerror}\n".encode())
        os._exit(126)


def _give_up_rights(rootless: bool) -> None:
    """Become as weak as the instance's root, before his processes can see this one.

    He must not find one that may do more than he, nor read what it brings from outside: its memory, environment,
    descriptors and program.  A process that is not dumpable shows none of these to who lacks CAP_SYS_PTRACE.
    """
    if rootless:
        install_seccomp(pretend_ownership())
    install_seccomp(guard("guest"))
    bound_capabilities(CAPABILITIES)
    hold_capabilities(CAPABILITIES)
    prctl(PR_SET_DUMPABLE, 0)


def _enter(pid: int) -> None:
    opened = []
    for name, flag in _NAMESPACES:
        path = f"/proc/{pid}/ns/{name}"
        if os.stat(path).st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:  # one's own cannot be entered
            opened.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), flag))
    for fd, flag in opened:
        setns(fd, flag)
        os.close(fd)


def _login(account: pwd.struct_passwd) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell,
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
        "BASH_ENV": "/etc/profile.d/atoll.sh",
        "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
    }


def _status_of(child: int) -> int:
    while True:
        try:
            _, status = os.waitpid(child, 0)
        except InterruptedError:
            continue
        except KeyboardInterrupt:  # the terminal tells the command too; it decides
            continue
        except ChildProcessError as error:
            raise HostError(str(error), "wait for the command") from error
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code
