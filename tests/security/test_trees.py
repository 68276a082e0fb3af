"""A guest who digs: what is deeper on his disk than a path has room for is counted, saved or refused, and removed."""

import os
import tarfile
import tempfile
from pathlib import Path

import pytest

from atoll.cli import purge
from atoll.host import trees
from atoll.host.linux import disks, guest, quota

MB = 1 << 20
WORST = 255  # characters of a name, in file systems


@pytest.fixture
def tmp_path():
    """In memory, where there is such a place: a thousand directories are a thousand entries of a journal."""
    made = Path(tempfile.mkdtemp(prefix="atoll-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield made
    trees.remove(made)


@pytest.fixture
def dig(tmp_path):
    """Make directories in one another, and a file in the innermost."""

    def run(count, name="d", size=MB):
        here = os.getcwd()
        top = tmp_path / "upper"
        top.mkdir()
        try:
            os.chdir(top)
            for _ in range(count):
                os.mkdir(name)
                os.chdir(name)
            with open("file", "wb") as file:
                file.write(b"x" * size)
        finally:
            os.chdir(here)
        return top

    return run


@pytest.mark.parametrize(
    ("count", "name"),
    [(1_100, "four"), (40, "d" * WORST), (40, "\u20ac" * (WORST // 3))],
    ids=["many", "long", "of three bytes"],
)
def test_what_lies_deeper_than_a_path_has_room_for_counts(dig, count, name):
    top = dig(count, name)

    found = quota.used(top, bytes_max=1 << 40, files_max=1 << 20)

    assert found.files == count + 1
    assert found.bytes >= MB


def test_what_lies_deeper_than_we_look_counts_as_too_much(dig):
    top, opened = dig(300, "d" * WORST), len(os.listdir("/proc/self/fd"))

    assert quota.used(top, bytes_max=1 << 40, files_max=1 << 20).files > 1 << 20
    assert len(os.listdir("/proc/self/fd")) == opened


@pytest.mark.parametrize("remove", [guest.remove, purge.remove])
@pytest.mark.parametrize(("count", "name"), [(1_100, "four"), (300, "d" * WORST)], ids=["many", "long"])
def test_a_disk_goes_however_deep_it_is(dig, tmp_path, count, name, remove):
    top = dig(count, name)
    (tmp_path / "beside").mkdir()
    (top / "d.link").symlink_to(tmp_path / "beside")
    (top / name / "closed").mkdir(mode=0)

    remove(top)

    assert not top.exists()
    assert (tmp_path / "beside").exists()


def test_a_disk_deeper_than_a_program_recurses_is_saved_and_comes_back(dig, tmp_path):
    top = dig(1_100)

    disks.pack(top, tmp_path / "disk.tar", rootless=True)
    disks.unpack(tmp_path / "disk.tar", tmp_path / "copy", rootless=True)

    with tarfile.open(tmp_path / "disk.tar") as tar:
        assert len(tar.getnames()) == 1_101
    assert quota.used(tmp_path / "copy", bytes_max=1 << 40, files_max=1 << 20).files == 1_101


def test_a_disk_too_deep_to_save_is_an_error_of_the_machines(dig, tmp_path):
    with pytest.raises(OSError, match="name too long"):
        disks.pack(dig(40, "d" * WORST), tmp_path / "disk.tar", rootless=True)
