"""The disk of an instance as a file: what was there is there again, and what a guest made up leads nowhere."""

import io
import os
import stat
import tarfile

import pytest

from atoll.host.errors import HostError
from atoll.host.linux import disks

ROOTLESS = os.geteuid() != 0


def unpack(tmp_path, *members):
    """Make a tar of members, each (TarInfo, text), and unpack it."""
    with tarfile.open(tmp_path / "disk.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for member, text in members:
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    disks.unpack(tmp_path / "disk.tar", tmp_path / "upper", rootless=ROOTLESS)


def member(name, kind=tarfile.REGTYPE, link="", mode=0o644, **more):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, link, mode
    found.uid, found.gid = os.getuid(), os.getgid()
    for key, value in more.items():
        setattr(found, key, value)
    return found


def test_what_was_there_is_there_again(tmp_path):
    old = tmp_path / "old"
    (old / "etc").mkdir(parents=True)
    (old / "etc/motd").write_bytes(b"hello")
    os.link(old / "etc/motd", old / "etc/same")
    os.symlink("/etc/shadow", old / "etc/link")
    os.mkfifo(old / "pipe")
    os.mknod(old / "deleted", 0o600 | stat.S_IFCHR, 0)  # overlayfs's mark; no privilege is needed for this one
    (old / "closed").mkdir()
    (old / "closed/file").write_bytes(b"x" * 100_000)
    os.chmod(old / "closed", 0o500)
    os.chmod(old / "etc/motd", 0o4755)

    disks.pack(old, tmp_path / "disk.tar", rootless=ROOTLESS)
    disks.unpack(tmp_path / "disk.tar", tmp_path / "new", rootless=ROOTLESS)

    new = tmp_path / "new"
    assert (new / "etc/motd").read_bytes() == b"hello"
    assert (new / "etc/motd").stat().st_mode & 0o7777 == 0o4755
    assert (new / "etc/motd").samefile(new / "etc/same")
    assert os.readlink(new / "etc/link") == "/etc/shadow"
    assert stat.S_ISFIFO((new / "pipe").lstat().st_mode)
    deleted = (new / "deleted").lstat()
    assert stat.S_ISCHR(deleted.st_mode)
    assert deleted.st_rdev == 0
    assert (new / "closed").stat().st_mode & 0o777 == 0o500
    assert (new / "closed/file").stat().st_size == 100_000
    os.chmod(old / "closed", 0o700)
    os.chmod(new / "closed", 0o700)


def test_a_file_is_never_written_through_a_link(tmp_path):
    target = tmp_path / "outside"
    target.mkdir()

    with pytest.raises(HostError, match="is damaged"):
        unpack(
            tmp_path, (member("a", tarfile.SYMTYPE, str(target)), b""), (member("a/evil"), b"evil"),
        )  # fmt: skip

    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind", "more", "because"),
    [
        ("../evil", tarfile.REGTYPE, {}, "does not belong there"),
        ("/evil", tarfile.REGTYPE, {}, "does not belong there"),
        ("a/../../evil", tarfile.REGTYPE, {}, "does not belong there"),
        ("nowhere/evil", tarfile.REGTYPE, {}, "is in no directory"),
        ("disk", tarfile.BLKTYPE, {"devmajor": 8, "devminor": 0}, "no file, directory or link"),
        ("mem", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 1}, "no file, directory or link"),
        ("hard", tarfile.LNKTYPE, {"link": "/etc/passwd"}, "a link to what is not there"),
        ("hard", tarfile.LNKTYPE, {"link": "../../secret"}, "a link to what is not there"),
    ],
)
def test_what_would_lead_out_is_refused(tmp_path, name, kind, more, because):
    (tmp_path / "secret").write_text("s")

    with pytest.raises(HostError, match=because):
        unpack(tmp_path, (member(name, kind, **more), b""))

    assert not (tmp_path / "evil").exists()


def test_a_hard_link_to_a_symbolic_one_is_refused(tmp_path):
    with pytest.raises((HostError, OSError)):
        unpack(
            tmp_path,
            (member("a", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (member("b", tarfile.LNKTYPE, "a"), b""),
        )

    assert not (tmp_path / "upper" / "b").exists()


def test_a_name_twice_is_refused(tmp_path):
    with pytest.raises(HostError, match="does not belong there"):
        unpack(tmp_path, (member("a"), b"1"), (member("a"), b"2"))


def test_a_file_that_shrinks_while_it_is_read_keeps_its_length():
    whole = disks._Whole(io.BytesIO(b"abc"), 5)

    assert whole.read(100) == b"abc\0\0"
    assert whole.read(100) == b""
