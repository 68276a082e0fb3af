"""Remove an installation whose daemon does not run, or cannot: what runs, its namespaces, its state."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from atoll.cli.failure import Failure


def purge(state: Path, also: Collection[Path] = ()) -> None:
    """End what outlived the daemon, and delete the state directory.  A broken store is no obstacle.

    `also`: run directories that the daemon told of; its own environment may have been another one than ours.  One
    that is not called so is left alone: whoever said it may have been no daemon.
    """
    from atoll.host import trees
    from atoll.host.directories import is_run_dir, make_private, run_dir
    from atoll.host.flat import leftovers
    from atoll.options import CannotStart
    from atoll.start import only_one

    try:
        with only_one(state):
            for directory in {run_dir(state), *(one for one in also if is_run_dir(one, state))}:
                if directory.exists():
                    make_private(directory)  # what it says is done, so it must be ours
                    leftovers.end(directory)
                if (directory / "keeper.sock").exists():  # nobody removes it but with all that it was for
                    _end_keeper(directory)
                trees.remove(directory)
            remove(state)
    except CannotStart as refusal:
        raise Failure(str(refusal), "name its endpoint, with --endpoint or ATOLL_ENDPOINT") from None
    except PermissionError as refusal:
        raise Failure(str(refusal), "then again: atoll down --purge") from None


def _end_keeper(directory: Path) -> None:
    from atoll.host.errors import HostError
    from atoll.host.linux import cgroups
    from atoll.host.linux.client import end_keeper
    from atoll.host.linux.syscalls import unmount

    try:
        end_keeper(directory)
    except HostError as error:
        raise Failure(f"something is left: {error}", "wait a moment, then: atoll down --purge") from error
    if left := cgroups.remove_all(directory):
        raise Failure(f"processes are left in {', '.join(map(str, left))}", "end those, then: atoll down --purge")
    with suppress(OSError):  # only a daemon that lost its keeper still sees this mount
        unmount(str(directory / "net"))


def remove(state: Path) -> None:
    """Remove a state directory; an overlay that was in use leaves directories that not even their owner may read."""
    from atoll.host import trees

    trees.remove(state)
    if state.exists():
        raise PermissionError(f"some files in {state} could not be deleted")
