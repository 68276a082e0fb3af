"""Instances as light machines: a process tree with its own disk, users, hostname and network, in some milliseconds.

    image = build(state_dir, single_id=single_id(keeper))        # image.py, once
    process = start(keeper, Guest(name="i-1#1", ...))            # returns when its init runs
    stop(process)                                                # TERM, then KILL
    forget(keeper, process.name)                                 # its disk stays, and may boot again
    remove(directory)                                            # the disk too

The disk is `upper` in the instance's directory over the image, its console is `console.log` there.  The network
namespace must have its eth0, with address and routes; it belongs to the instance, whose init flushes its firewall at
every boot but the first.  `Keeper.find(name).status` afterwards: 0 powered off, 3 asked for a reboot from inside.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from atoll.host import trees
from atoll.host.contract import HostError
from atoll.host.linux import cgroups
from atoll.host.linux.chamber import CAPABILITIES, LIMITS
from atoll.host.linux.client import Keeper, Process, Spawn
from atoll.model.ip import Ip

REBOOT_STATUS = 3  # the init's exit status when `reboot` was called inside
_INIT = "/opt/atoll/init"
_PROCESSES_MAX = 2048  # in one instance, where cgroups can limit it: a fork bomb must not stop the host
_MEMORY_BYTES = 1 << 30  # what an instance without a limit is sized for
_KILL_SECONDS = 10.0  # between KILL and the end of all its processes
_DIRECTORIES = ("upper", "work", "root", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An instance to start."""

    name: str  # of the process; another boot is another name
    network: str  # the network namespace
    directory: Path  # of its disk; made if it is not there
    image: Path
    hostname: str
    resolvers: tuple[Ip, ...] = ()
    search: str = ""  # empty: no search domain
    authority: Path | None = None  # the certificate of an authority that it trusts
    user: str = "ec2-user"  # who logs in; he gets his name at the first boot
    authorized_keys: tuple[str, ...] = ()  # of his, at the first boot
    user_data: bytes | None = None  # run at the first boot if it starts with #!
    nat_cidr: str | None = None  # of the NAT image: forward, and masquerade what comes from here
    memory_bytes: int | None = None  # None: no limit


def single_id(keeper: Keeper) -> bool:
    """Tell whether instances shall have no other uid than 0: rootless, and where the host has no sudo."""
    return keeper.rootless or not os.path.exists("/usr/bin/sudo")


def start(keeper: Keeper, guest: Guest) -> Process:
    """Boot an instance; returns when its init runs, before the boot is finished (see its console)."""
    _prepare(guest)
    directory = guest.directory.resolve()
    limits = cgroups.create(
        keeper.run_dir,
        _group(guest.name),
        memory_bytes=guest.memory_bytes,
        processes=_PROCESSES_MAX,
        keeper=keeper.pid,
    )
    return keeper.spawn(
        Spawn(
            guest.name,
            (_INIT,),
            network=guest.network,
            capabilities=CAPABILITIES,
            no_new_privs=False,  # sudo is a set-uid program
            guard="guest",
            cgroups=limits,
            console=directory / "console.log",
            guest={
                "image": str(_image_of(guest)),
                "directory": str(directory),
                "hostname": guest.hostname,
                "rootless": keeper.rootless,
                "memory_bytes": guest.memory_bytes or _MEMORY_BYTES,
            },
            rlimits=LIMITS,
        )
    )


def stop(process: Process, *, grace_seconds: float = 30.0) -> None:
    """Ask the init to shut down, and kill the instance if it has not within the grace.  The disk stays.

    Source: EC2 User Guide, "How instance stop works": a graceful shutdown within a few minutes, then a hard one.
    """
    process.send(signal.SIGTERM)
    if process.exited(timeout_seconds=grace_seconds):
        return
    process.send(signal.SIGKILL)
    if not process.exited(timeout_seconds=_KILL_SECONDS):
        raise HostError(f"it did not end within {_KILL_SECONDS:.0f} s of a KILL", f"stop {process.name}")


def forget(keeper: Keeper, name: str) -> None:
    """Drop what is left of a boot that has ended: its exit status and its limits."""
    keeper.forget(name)
    cgroups.remove(keeper.run_dir, _group(name))


def remove(directory: Path) -> None:
    """Delete an instance's disk and console."""
    trees.remove(directory)
    if directory.exists():
        raise HostError("some files could not be deleted", f"remove {directory}")


def _prepare(guest: Guest) -> None:
    """Write what this boot is told.  Nothing is written into the disk: its owner may have put links there."""
    lines = [f"nameserver {address}" for address in guest.resolvers]
    if guest.search:
        lines.append(f"search {guest.search}")
    try:
        # Closed to the host's other users: an instance may have set-uid programs on its disk.
        guest.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in _DIRECTORIES:
            (guest.directory / name).mkdir(mode=0o755, exist_ok=True)
        seed = guest.directory / "seed"
        (seed / "hostname").write_text(guest.hostname + "\n")
        (seed / "resolv.conf").write_text("".join(f"{line}\n" for line in lines))
        (seed / "user").write_text(f"{guest.user}\n")
        (seed / "authorized_keys").write_text("".join(f"{key.strip()}\n" for key in guest.authorized_keys))
        (seed / "authority.pem").write_bytes(guest.authority.read_bytes() if guest.authority else b"")
        (seed / "user-data").write_bytes(guest.user_data or b"")
        (seed / "nat").write_text(f"{guest.nat_cidr}\n" if guest.nat_cidr else "")
    except OSError as error:
        raise HostError(str(error), f"prepare {guest.name}") from error


def _image_of(guest: Guest) -> Path:
    """Return the image that the disk was begun with: an overlay's lower layer must not be exchanged."""
    noted = guest.directory / "image"
    if noted.is_symlink() and noted.is_dir():
        return noted.resolve()
    noted.unlink(missing_ok=True)
    noted.symlink_to(guest.image.resolve())
    return guest.image.resolve()


def _group(name: str) -> str:
    return name.replace("/", "_")
