"""Remove an installation whose daemon does not run, or cannot: what runs, its namespaces, its state."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from atoll.cli.failure import Failure


def purge(state: Path) -> None:
    """End what outlived the daemon, and delete the state directory.  A broken store is no obstacle."""
    from atoll.host.directories import run_dir
    from atoll.host.flat import leftovers
    from atoll.options import CannotStart
    from atoll.start import only_one

    try:
        with only_one(state):
            leftovers.end(run_dir(state))
            if sys.platform == "linux":
                _end_keeper(run_dir(state))
            shutil.rmtree(run_dir(state), ignore_errors=True)
            remove(state)
    except CannotStart as refusal:
        raise Failure(str(refusal), "name its endpoint, with --endpoint or ATOLL_ENDPOINT") from None


def _end_keeper(directory: Path) -> None:
    from atoll.host.contract import HostError
    from atoll.host.linux import cgroups
    from atoll.host.linux.client import Keeper
    from atoll.host.linux.syscalls import unmount

    try:
        keeper = Keeper.connect(directory, to_end=True)
    except HostError:
        pass  # none runs
    else:
        try:
            keeper.destroy()
        except HostError as error:
            raise Failure(f"something is left: {error}", "wait a moment, then: atoll down --purge") from error
    cgroups.remove_all(directory)
    with suppress(OSError):  # only a daemon that lost its keeper still sees this mount
        unmount(str(directory / "net"))


def remove(state: Path) -> None:
    """Remove a state directory; an overlay that was in use leaves directories that not even their owner may read."""
    for parent, names, _ in os.walk(state):
        for name in names:
            if not os.path.islink(f"{parent}/{name}"):
                os.chmod(f"{parent}/{name}", 0o700)
    shutil.rmtree(state)
