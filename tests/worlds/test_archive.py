"""The file of a world believes nobody: what is damaged, hostile or newer is refused, and nothing of it is used."""

import hashlib
import io
import json
import os
import tarfile

import pytest

from atoll.model.kinds import KINDS
from atoll.model.resource import Resource
from atoll.model.vpc import DhcpOptions
from atoll.store import archive

ABOUT = {"atoll": "0.1.0", "taken": "now", "mode": "paper", "revision": 7, "whole": True, "caches": {}}


@pytest.fixture
def packed(tmp_path):
    """A good file."""
    source = tmp_path / "source"
    (source / "caches").mkdir(parents=True)
    (source / "world.json").write_bytes(archive.write_world([options()]))
    (source / "caches/0001.rdb").write_bytes(b"REDIS0011" + bytes(3_000_000))
    archive.pack(source, tmp_path / "good.atoll", ABOUT)
    return tmp_path / "good.atoll"


def options() -> Resource:
    return DhcpOptions(id="dopt-1", account="0" * 12, region="us-east-1", options=(("domain-name", ("x",)),))


def members(path):
    with tarfile.open(path) as tar:
        return [(member, tar.extractfile(member).read() if member.isreg() else b"") for member in tar]


def rewrite(path, change):
    """Write the file anew, with its members changed."""
    found = change(members(path))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, text in found:
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text) if member.isreg() else None)


def about(path, **changes):
    """Change what the manifest says."""

    def change(found):
        said = json.loads(found[0][1]) | changes
        return [(found[0][0], json.dumps(said).encode()), *found[1:]]

    rewrite(path, change)


def refusal(path, tmp_path):
    with pytest.raises(archive.NotASnapshot) as why:
        archive.read_world((tmp_path / "out" / "world.json").read_bytes(), KINDS) if archive.unpack(
            path, tmp_path / "out"
        ) else None
    return str(why.value)


def test_what_was_packed_is_unpacked(packed, tmp_path):
    manifest = archive.unpack(packed, tmp_path / "out")

    assert archive.read_world((tmp_path / "out/world.json").read_bytes(), KINDS) == [options()]
    assert manifest.files["caches/0001.rdb"].bytes == 3_000_009
    assert packed.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["caches", "world.json"]


@pytest.mark.parametrize("at", [0.02, 0.3, 0.5, 0.9])
def test_a_file_that_ends_early_is_refused(packed, tmp_path, at):
    os.truncate(packed, int(packed.stat().st_size * at))

    with pytest.raises(archive.NotASnapshot):
        archive.unpack(packed, tmp_path / "out")


def test_a_flipped_bit_is_found(packed, tmp_path):
    text = bytearray(packed.read_bytes())
    text[len(text) // 2] ^= 1
    packed.write_bytes(text)

    assert "caches/0001.rdb is not what it was when it was written" in refusal(packed, tmp_path)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"version": 2}, "written by a newer Atoll"),
        ({"store": 99}, "written by a newer Atoll"),
        ({"format": "other"}, "its format is 'other'"),
        ({"files": {}}, "it has no world"),
        ({"files": {"world.json": {"bytes": -5, "digest": ""}}}, "a length is negative"),
        ({"files": {"world.json": {"bytes": 1 << 60, "digest": ""}}}, "too large"),
        ({"caches": {"x": "caches/9.rdb"}}, "names files that it does not have"),
        ({"revision": "seven"}, "its manifest cannot be read"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(packed, tmp_path, changes, because):
    about(packed, **changes)

    assert because in refusal(packed, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "caches/../../evil", "other", "disks/i-1.tar/x", "caches/1.rdb"]
)
def test_a_name_that_leads_elsewhere_is_refused_even_if_the_manifest_has_it(packed, tmp_path, name):
    text = b"evil"
    entry = {"bytes": len(text), "digest": hashlib.blake2b(text, digest_size=16).hexdigest()}

    def add(found):
        said = json.loads(found[0][1])
        said["files"][name] = entry
        return [(found[0][0], json.dumps(said).encode()), *found[1:], (tarfile.TarInfo(name), text)]

    rewrite(packed, add)

    assert "does not belong there" in refusal(packed, tmp_path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_member_that_is_no_plain_file_is_refused(packed, tmp_path, kind):
    def change(found):
        found[2][0].type, found[2][0].linkname = kind, "/etc/passwd"
        return [*found[:2], (found[2][0], b"")]

    rewrite(packed, change)

    assert "is not what the manifest says" in refusal(packed, tmp_path)


def test_a_member_twice_is_refused(packed, tmp_path):
    rewrite(packed, lambda found: [*found, found[1]])

    assert "does not belong there" in refusal(packed, tmp_path)


def test_a_missing_member_is_named(packed, tmp_path):
    rewrite(packed, lambda found: found[:2])

    assert "world.json is missing" in refusal(packed, tmp_path)


@pytest.mark.parametrize("text", [b"", b"x" * 5000, b"\x1f\x8b" + b"x" * 5000])
def test_what_is_no_tar_is_refused(tmp_path, text):
    (tmp_path / "no.atoll").write_bytes(text)

    with pytest.raises(archive.NotASnapshot):
        archive.unpack(tmp_path / "no.atoll", tmp_path / "out")


@pytest.mark.parametrize(
    "text",
    [b"[]x", b'[["Nothing", {}]]', b'[["Vpc", {"id": "vpc-1"}]]', b'{"a": 1}', b'[["Vpc", 7]]', b"[" * 100_000],
)
def test_a_world_that_cannot_be_read_is_refused(text):
    with pytest.raises(archive.NotASnapshot, match="cannot be read"):
        archive.read_world(text, KINDS)


def test_more_than_the_disk_holds_is_refused_before_anything_is_written(packed, tmp_path):
    said = {name: vars_of(entry) for name, entry in archive.unpack(packed, tmp_path / "first").files.items()}
    about(packed, files=said | {"disks/i-1.tar": {"bytes": 1 << 60, "digest": ""}})

    with pytest.raises(OSError, match="free"):
        archive.unpack(packed, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def vars_of(entry):
    return {"bytes": entry.bytes, "digest": entry.digest}
