"""Trees of files that somebody hostile may have made: deeper than a path has room for, or than a program recurses."""

import os
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

_STEP_CHARACTERS = 900  # from one open directory to the next: of PATH_MAX, 4,096 bytes, one may take four
_OPEN_MAX = 64  # such directories, each inside the one before
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooDeepError(Exception):
    """A tree is deeper than anybody's who means well."""


def entries(top: Path) -> Generator["os.DirEntry[str]", None, None]:
    """Yield everything below a directory, links not followed; what is deleted meanwhile is passed over.

    An entry is good until the next one.  Raises OSError of the directory itself, TooDeepError.
    """
    opened = [os.open(top, _FLAGS)]
    todo = [(0, ".")]  # which of those that are open, and the path from there; the newest first
    try:
        while todo:
            at, path = todo.pop()
            while len(opened) > at + 1:  # what is below it was newer, and has been seen
                os.close(opened.pop())
            with suppress(OSError):
                descriptor = os.open(path, _FLAGS, dir_fd=opened[at])
                opened.append(descriptor)
                if len(path) > _STEP_CHARACTERS:
                    at, path = at + 1, "."
                if len(opened) > _OPEN_MAX:
                    raise TooDeepError
                with os.scandir(descriptor) as found:
                    for entry in found:
                        yield entry
                        if entry.is_dir(follow_symlinks=False):
                            todo.append((at, f"{path}/{entry.name}"))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def remove(top: Path) -> None:
    """Delete a directory that nobody uses any more, as far as that can be done: the caller looks whether it is there.

    What is in an inner directory is moved up before that is deleted, so that no path is long, whatever the depth.
    """
    if top.is_symlink():
        return
    mark, numbers = secrets.token_hex(8), count()
    while _remove_some(top, (top / f".{mark}-{number}" for number in numbers)):
        pass
    with suppress(OSError):
        top.rmdir()


def _remove_some(top: Path, names: Iterator[Path]) -> bool:
    """Delete two levels of a tree, and have what is below take their place; tells whether that did anything."""
    done = False
    for entry in _opened(top):
        if not entry.is_dir(follow_symlinks=False):
            done |= _done(os.unlink, entry.path)
            continue
        for inner in _opened(entry.path):
            if inner.is_dir(follow_symlinks=False):
                _done(os.chmod, inner.path, 0o700)  # to move a directory is to write into it: its ".."
                done |= _done(os.rename, inner.path, next(names))
            else:
                done |= _done(os.unlink, inner.path)
        done |= _done(os.rmdir, entry.path)
    return done


def _opened(directory: Path | str) -> "list[os.DirEntry[str]]":
    """Return what is in a directory; overlayfs closes its own, and an ordinary user is kept out by that."""
    _done(os.chmod, directory, 0o700)
    try:
        with os.scandir(directory) as found:
            return list(found)
    except OSError:
        return []


def _done(act: Callable[..., None], *given: object) -> bool:
    try:
        act(*given)
    except OSError:
        return False
    return True
