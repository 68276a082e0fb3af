"""A world in one file: an uncompressed tar of regular files, each named in a manifest with its length and digest.

    manifest.json       first: the format, and every other member
    world.json          every resource: [kind, resource]
    caches/0001.rdb     the data of one primary, as a replica takes them
    disks/i-0a1b.tar    what an instance has changed on its disk: host/linux/disks.py
    snapshots/NAME      a file of a snapshot

Whoever reads one believes nothing: names, kinds, lengths and digests are checked before anything is used.
"""

import hashlib
import os
import re
import sqlite3
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from atoll.model.resource import Resource
from atoll.store.codec import decode, encode
from atoll.store.upgrade import VERSION as STORE_VERSION
from atoll.store.upgrade import lifted

FORMAT, VERSION = "atoll-snapshot", 1
MANIFEST, WORLD = "manifest.json", "world.json"
MANIFEST_BYTES_MAX = 16 << 20  # a hundred thousand files
WORLD_BYTES_MAX = 1 << 30
CHUNK_BYTES = 1 << 20
DIGEST_BYTES = 16
_NAMES = re.compile(
    r"world\.json|caches/[0-9]{4,}\.rdb|disks/i-[0-9a-f]{1,40}\.tar|snapshots/[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.rdb"
)


class NotASnapshot(ValueError):
    """The file is no world that this Atoll can load; the message says why."""


class Entry(msgspec.Struct, frozen=True):
    """What the manifest says of a file."""

    bytes: int
    digest: str  # BLAKE2b, 16 bytes, in hexadecimal


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself."""

    format: str
    version: int
    store: int  # the format of the resources in it
    atoll: str  # who wrote it
    taken: str
    mode: str
    revision: int
    whole: bool  # with the data of caches and disks
    caches: dict[str, str]  # World id of a primary -> its file
    files: dict[str, Entry]


def write_world(resources: Iterable[Resource]) -> bytes:
    """Return resources as JSON."""
    return msgspec.json.encode([[type(r).__name__, msgspec.Raw(encode(r).encode())] for r in resources])


def read_world(text: bytes, kinds: Iterable[type[Resource]], version: int = STORE_VERSION) -> list[Resource]:
    """Return the resources that `write_world` wrote, in an Atoll whose stores had format `version`.

    Raises NotASnapshot.
    """
    known, found = {kind.__name__: kind for kind in kinds}, []
    try:
        said = msgspec.json.decode(text, type=list[tuple[str, msgspec.Raw]])
        rows = [(name, bytes(body).decode()) for name, body in said]
        if version < STORE_VERSION:
            rows = lifted(version, ((name, msgspec.json.decode(body)["id"], body) for name, body in rows))
        for name, body in rows:
            found.append(decode(known[name], body))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, sqlite3.Error) as error:
        raise NotASnapshot(f"its world cannot be read: {type(error).__name__}: {error}") from None
    if len({(type(r), r.id) for r in found}) != len(found):
        raise NotASnapshot("its world has a resource twice")
    return found


def entry_of(path: Path) -> Entry:
    """Read a file to its end, and say what the manifest says of it.  Raises OSError."""
    digest, size = hashlib.blake2b(digest_size=DIGEST_BYTES), 0
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
            size += len(block)
    return Entry(size, digest.hexdigest())


def pack(directory: Path, target: Path, about: Mapping[str, Any]) -> Manifest:
    """Write all files below a directory to one new file, which only its owner may read.  Raises OSError."""
    files = {
        str(path.relative_to(directory)): entry_of(path) for path in sorted(directory.rglob("*")) if path.is_file()
    }
    manifest = Manifest(format=FORMAT, version=VERSION, store=STORE_VERSION, files=files, **about)
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in (MANIFEST, *files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = (directory / name).stat().st_size, 0o600
            with (directory / name).open("rb") as file:
                tar.addfile(member, file)
        tar.close()
        out.flush()
        os.fsync(out.fileno())
    return manifest


def unpack(source: Path, directory: Path) -> Manifest:
    """Check a snapshot, and write its files below a new directory.  Raises NotASnapshot, OSError."""
    try:
        with source.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            manifest = _manifest(tar)
            _check_room(manifest, directory.parent)
            directory.mkdir(mode=0o700)
            missing = dict(manifest.files)
            while (member := tar.next()) is not None:
                entry = missing.pop(member.name, None)
                if entry is None or not _NAMES.fullmatch(member.name):
                    raise NotASnapshot(f"it has a file {member.name[:100]!r} that does not belong there")
                _extract(tar, member, entry, directory)
    except (tarfile.TarError, EOFError, UnicodeError, OverflowError) as error:
        raise NotASnapshot(f"it is damaged: {error}") from None
    if missing:
        raise NotASnapshot(f"it is damaged: {min(missing)} is missing")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    if member is None or member.name != MANIFEST or not _is_plain(member) or member.size > MANIFEST_BYTES_MAX:
        raise NotASnapshot("it does not begin with a manifest: it was not written by `atoll snapshot save`")
    file = tar.extractfile(member)
    assert file, "it is a regular file"
    text = file.read()
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
        if said.get("format") != FORMAT:
            raise NotASnapshot(f"its format is {str(said.get('format'))[:60]!r}, not {FORMAT!r}")
        newer = (said.get("version", 0), said.get("store", 0))
        if newer[0] > VERSION or newer[1] > STORE_VERSION:
            raise NotASnapshot(f"it was written by a newer Atoll ({str(said.get('atoll'))[:20]}): install that one")
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, TypeError) as error:
        raise NotASnapshot(f"its manifest cannot be read: {error}") from None
    if manifest.store < 1:
        raise NotASnapshot(f"its manifest cannot be read: there is no format {manifest.store}")
    if WORLD not in manifest.files or manifest.files[WORLD].bytes > WORLD_BYTES_MAX:
        raise NotASnapshot("it has no world, or one that is too large")
    if any(entry.bytes < 0 for entry in manifest.files.values()):
        raise NotASnapshot("its manifest cannot be read: a length is negative")
    if any(name not in manifest.files for name in manifest.caches.values()):
        raise NotASnapshot("its manifest names files that it does not have")
    return manifest


def _check_room(manifest: Manifest, place: Path) -> None:
    needed = sum(entry.bytes for entry in manifest.files.values())
    disk = os.statvfs(place)
    if needed > (free := disk.f_bavail * disk.f_frsize):
        raise OSError(f"it needs {needed >> 20} MiB, and {place} has {free >> 20} MiB free")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, entry: Entry, directory: Path) -> None:
    if not _is_plain(member) or member.size != entry.bytes:
        raise NotASnapshot(f"it is damaged: {member.name} is not what the manifest says")
    target, digest = directory / member.name, hashlib.blake2b(digest_size=DIGEST_BYTES)
    target.parent.mkdir(mode=0o700, exist_ok=True)  # a name that was checked: one level at most
    source = tar.extractfile(member)
    assert source, "it is a regular file"
    with target.open("xb") as out:
        while block := source.read(CHUNK_BYTES):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
        size = out.tell()
    if size != entry.bytes or digest.hexdigest() != entry.digest:
        raise NotASnapshot(f"it is damaged: {member.name} is not what it was when it was written")


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
