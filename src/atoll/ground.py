"""What the daemon stands on: its host, its limits, its log."""

import logging
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.control.events import Lines
from atoll.host.contract import Host, HostError
from atoll.host.paper import PaperHost
from atoll.options import CannotStart, Options

if TYPE_CHECKING:
    from atoll.host.linux.ignition import Ignition

FILES_MAX = 65_536  # descriptors: one for each machine and each connection


def host_of(options: Options, begun: "Ignition | None") -> Host:
    """Return the host that the options ask for; enters its namespaces, so no thread may exist yet.

    Raises CannotStart.
    """
    if begun is None:
        return PaperHost()
    from atoll.host.linux.machine import LinuxHost  # loads libnftables: not on paper

    rootless = os.geteuid() != 0 if options.host == "auto" else options.host == "rootless"
    try:
        return LinuxHost.enter(options.state_dir, rootless=rootless, begun=begun)
    except HostError as error:
        raise CannotStart(
            f"this machine does not let Atoll build networks: {error}; atoll doctor says what is missing, and "
            "atoll up --host paper answers every call without running anything"
        ) from error


def raise_limit() -> None:
    """Allow as many descriptors as we may; libnftables gets low numbers all the same (host/linux/nft.py)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def log_to(path: Path | None) -> None:
    """Write the log to a file, or to standard error."""
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
