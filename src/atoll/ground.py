"""What the daemon stands on: its host, its limits, its log."""

import logging
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.control.bounded_log import BoundedLog
from atoll.control.events import Lines
from atoll.control.recent import RECENT
from atoll.host.errors import HostError
from atoll.model.world import World
from atoll.options import CannotStart, Options

if TYPE_CHECKING:
    from atoll.host.contract import Host
    from atoll.host.linux.ignition import Ignition

FLAT = "Caches run behind a relay on loopback, without a network of their own; its limits are in docs/flat.md."
FILES_MAX = 65_536  # descriptors: one for each machine and each connection


def host_of(options: Options, begun: "Ignition | None", world: Callable[[], World]) -> "Host":
    """Return the host that the options ask for, else the best that this machine allows.

    It enters namespaces, so no thread may exist yet.  `world` is the newest.  Raises CannotStart.
    """
    if options.host == "paper":
        from atoll.host.paper import PaperHost

        return PaperHost()
    if begun is None:
        asked = options.host == "flat"
        return _flat(options, world, "It was asked for." if asked else f"{sys.platform} has no network namespaces.")
    from atoll.host.linux.machine import LinuxHost  # loads libnftables

    rootless = os.geteuid() != 0 if options.host == "auto" else options.host == "rootless"
    try:
        return LinuxHost.enter(options.state_dir, rootless=rootless, begun=begun)
    except HostError as error:
        if options.host == "auto" and (because := _why_no_namespaces(rootless=rootless)):
            return _flat(options, world, because)
        raise CannotStart(
            f"this machine does not let Atoll build networks: {error}; atoll doctor says what is missing, and "
            "atoll up --mode flat runs caches without them"
        ) from error


def raise_limit() -> None:
    """Allow as many descriptors as we may; libnftables gets low numbers all the same (host/linux/low_numbers.py)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def log_to(path: Path | None, own: Path) -> None:
    """Write the log to a file, or to standard error; `own` is bounded, if that is where standard error leads."""
    handler = logging.FileHandler(path) if path else BoundedLog(own)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler, RECENT], force=True)


def _flat(options: Options, world: Callable[[], World], because: str) -> "Host":
    from atoll.guest.resolve import addresses
    from atoll.host.flat.machine import FlatHost
    from atoll.host.flat.network import seen_from

    try:
        return FlatHost(options.state_dir, world, seen_from(addresses, world), because=f"{because} {FLAT}")
    except HostError as error:
        raise CannotStart(f"the flat host cannot be used: {error}") from error


def _why_no_namespaces(*, rootless: bool) -> str:
    """Return why no namespace can be made here; empty if they can, and something else was in the way."""
    from atoll.host.linux.detect import namespaces_refused

    refused = namespaces_refused(rootless=rootless)
    return f"This machine lets nobody make namespaces ({refused})." if refused else ""
