"""Whose room on the disk is whose, and who is meant by an instance's pid."""

import os
from types import SimpleNamespace

import pytest

from atoll.host.linux import quota
from atoll.host.linux.instances import Instances


@pytest.mark.parametrize(("rootless", "blocks"), [(False, 30), (True, 10)], ids=["root", "rootless"])
def test_roots_reserve_is_room_for_root_alone(tmp_path, monkeypatch, rootless, blocks):
    """Whoever asks: to itself, a rootless daemon is uid 0 as well."""
    there = SimpleNamespace(f_blocks=100, f_frsize=4096, f_bavail=10, f_bfree=30, f_ffree=7)
    monkeypatch.setattr(os, "statvfs", lambda _: there)

    room = Instances(SimpleNamespace(rootless=rootless), tmp_path).room()

    assert room == (100 * 4096, blocks * 4096, 7)


@pytest.mark.parametrize("pid", [1, os.getpid(), 1 << 30], ids=["the machine's first", "another", "nobody's"])
def test_a_pid_that_is_no_instances_any_more_is_nobody(pid):
    assert list(quota.processes(pid)) == []
    assert quota.nameless(pid) == 0
    assert quota.hold(pid, held=False)
