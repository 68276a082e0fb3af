"""The disks of instances that have gone: nobody waits until they are deleted, and nothing of them stays."""

import threading
from types import SimpleNamespace

import pytest

from atoll.host.contract import HostError
from atoll.host.linux import guest
from atoll.host.linux.instances import Instances


@pytest.fixture
def place(tmp_path):
    (tmp_path / "instances").mkdir()
    return tmp_path / "instances"


@pytest.fixture
def begin(tmp_path):
    return lambda: Instances(SimpleNamespace(rootless=False), tmp_path)


def boot(place, name):
    (place / name / "upper" / "d").mkdir(parents=True)
    (place / name / "upper" / "d" / "file").write_bytes(b"x")


def names(place):
    return sorted(path.name for path in place.iterdir())


def test_nobody_waits_until_a_disk_is_deleted_and_its_name_is_free_at_once(place, begin, monkeypatch):
    going, remove = threading.Event(), guest.remove
    monkeypatch.setattr(guest, "remove", lambda directory: going.wait() and remove(directory))
    boot(place, "i-1"), boot(place, "i-2")
    instances = begin()

    instances.sweep({"i-2"})

    assert [name.startswith(".gone-") for name in names(place)] == [True, False]
    assert names(place)[1:] == ["i-2"]
    boot(place, "i-1")
    instances.sweep({"i-1", "i-2"})
    going.set()
    instances.wait_for_swept()
    assert names(place) == ["i-1", "i-2"]


def test_what_an_earlier_daemon_had_not_deleted_yet_goes_at_the_next_start(place, begin):
    boot(place, ".gone-0123456789abcdef")
    boot(place, "i-1")
    instances = begin()

    instances.sweep({"i-1"})
    instances.wait_for_swept()

    assert names(place) == ["i-1"]


def test_what_cannot_be_deleted_is_said_and_tried_again(place, begin, monkeypatch):
    remove, tried = guest.remove, []

    def stubborn(directory):
        tried.append(directory)
        if len(tried) < 3:
            raise HostError("some files could not be deleted", f"remove {directory}")
        remove(directory)

    monkeypatch.setattr(guest, "remove", stubborn)
    boot(place, "i-1")
    instances = begin()

    instances.sweep(())
    for _ in range(2):
        with pytest.raises(HostError, match="could not be deleted"):
            instances.wait_for_swept()
    instances.wait_for_swept()

    assert (names(place), len(set(tried)), len(tried)) == ([], 1, 3)
