"""What an instance has changed on its disk, as a tar, and back: the upper layer of its overlay.

Its owner is the guest, so nothing in it is believed.  Links are made after everything else, so that no file is ever
written through one, and of devices only overlayfs's mark of a deleted file (0:0) is taken.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from atoll.host.errors import HostError

_XATTR = "SCHILY.xattr."  # as GNU tar, star and bsdtar name extended attributes in pax headers
_KEPT = ("opaque", "redirect")  # of overlayfs's notes: what a directory hides, and where it was
_STEP = "load a disk"
DAMAGES = (
    tarfile.TarError, EOFError, UnicodeError, OverflowError, ValueError, FileExistsError, FileNotFoundError,
    NotADirectoryError,
)  # fmt: skip


def pack(upper: Path, file: Path, *, rootless: bool) -> None:
    """Write a disk's own changes to a new file.  What changes meanwhile is taken as it is met.  Raises OSError."""
    prefix = _prefix(rootless)
    with file.open("xb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _walk(upper):
            try:
                member = tar.gettarinfo(str(path), str(path.relative_to(upper)))
                if member is None:  # a socket
                    continue
                notes: dict[str, str] = {}
                for name in _KEPT:
                    if (value := _attribute(path, prefix + name)) is not None:
                        notes[f"{_XATTR}overlay.{name}"] = value
                member.pax_headers = notes
                if member.isreg():
                    with path.open("rb") as source:
                        tar.addfile(member, _Whole(source, member.size))  # type: ignore[arg-type]
                else:
                    tar.addfile(member)
            except FileNotFoundError:  # deleted since
                continue


def unpack(file: Path, upper: Path, *, rootless: bool) -> None:
    """Make a disk of a tar that `pack` wrote, in a new directory.  Raises HostError, OSError."""
    upper.mkdir(mode=0o755)
    later: list[tuple[tarfile.TarInfo, Path]] = []
    seen: set[str] = set()
    try:
        with file.open("rb") as source, tarfile.open(fileobj=source, mode="r:") as tar:
            for member in tar:
                path = upper / _checked(member.name, seen)
                if member.isdir():
                    path.mkdir(mode=0o700, exist_ok=False)
                elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse():
                    _write(tar, member, path)
                elif member.isfifo():
                    os.mkfifo(path, 0o600)
                elif member.ischr() and (member.devmajor, member.devminor) == (0, 0):
                    os.mknod(path, 0o600 | stat.S_IFCHR, 0)
                elif not (member.issym() or member.islnk()):
                    raise HostError(f"it has {member.name[:100]!r}, which is no file, directory or link", _STEP)
                later.append((member, path))
        _finish(later, upper, seen, rootless=rootless)
    except DAMAGES as error:
        raise HostError(f"it is damaged: {error}", _STEP) from None


def _finish(made: list[tuple[tarfile.TarInfo, Path]], upper: Path, seen: set[str], *, rootless: bool) -> None:
    """Make the links, then give everything its owner, mode and time, inner ones first."""
    for member, path in made:
        if member.islnk():
            target = str(PurePosixPath(member.linkname))
            first = upper / target
            if target not in seen or not stat.S_ISREG(first.lstat().st_mode):
                raise HostError(f"{member.name[:100]!r} is a link to what is not there", _STEP)
            os.link(first, path, follow_symlinks=False)
    for member, path in made:
        if member.issym():
            os.symlink(member.linkname, path)
    prefix = _prefix(rootless)
    for member, path in reversed(made):
        if not rootless:
            os.lchown(path, member.uid, member.gid)
        if not member.issym():
            for name in _KEPT:
                if (value := member.pax_headers.get(f"{_XATTR}overlay.{name}")) is not None:
                    os.setxattr(path, prefix + name, value.encode(errors="surrogateescape"), follow_symlinks=False)
            os.chmod(path, member.mode & 0o7777)
            os.utime(path, (member.mtime, member.mtime))


def _checked(name: str, seen: set[str]) -> str:
    """Return a name that stays inside, and was not there before.  Raises HostError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or str(path) in seen:
        raise HostError(f"it has a file {name[:100]!r} that does not belong there", _STEP)
    if str(path.parent) != "." and str(path.parent) not in seen:
        raise HostError(f"{name[:100]!r} is in no directory", _STEP)
    seen.add(str(path))
    return str(path)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    assert source, "it is a regular file"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as out:
        while block := source.read(1 << 20):
            out.write(block)


def _walk(directory: Path) -> Iterator[Path]:
    """Yield everything below a directory, directories before what is in them; links are not followed."""
    todo = _inside(directory)
    while todo:
        entry = todo.pop()
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError, NotADirectoryError):  # deleted since
                todo += _inside(entry.path)


def _inside(directory: Path | str) -> "list[os.DirEntry[str]]":
    """Return what is in a directory, the first one last."""
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _attribute(path: Path, name: str) -> str | None:
    try:
        return os.getxattr(path, name, follow_symlinks=False).decode(errors="surrogateescape")
    except OSError:  # it has none, or cannot
        return None


def _prefix(rootless: bool) -> str:
    return "user.overlay." if rootless else "trusted.overlay."


class _Whole:
    """A file that is as long as it was: what has been cut off since is zeros."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, count: int) -> bytes:
        count = min(count, self._left)
        block = self._file.read(count)
        self._left -= count
        return block + b"\0" * (count - len(block))
