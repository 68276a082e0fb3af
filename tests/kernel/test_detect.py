"""What this machine can do is found by trying, and what it cannot is named with its repair."""

from pathlib import Path

import pytest

from atoll.host.linux.detect import detect, program_repairs
from atoll.host.linux.keeper import become_root_of_own
from atoll.host.linux.syscalls import hold_capabilities

from .conftest import in_child

pytestmark = pytest.mark.kernel


def test_the_mode_of_the_user_is_found_and_every_probe_of_it_works(mode):
    def steps():
        report = detect()
        assert report.mode == mode
        assert report.works(mode)
        assert len(report.probes[mode]) >= 11
        assert not [repair for repair in report.repairs if repair.needed]

    in_child(steps, rootless=mode == "rootless")


def test_without_user_namespaces_nothing_runs_and_the_repair_is_named(mode):
    def steps():
        become_root_of_own(0)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")  # of this user namespace, not the machine's
        hold_capabilities(0)
        report = detect()
        assert report.mode == "none"
        for tried in ("root", "rootless"):
            assert [(probe.name, probe.works) for probe in report.probes[tried]] == [("namespaces", False)]
        repairs = {repair.missing: repair for repair in report.repairs}
        assert repairs["user.max_user_namespaces"].command == "sudo sysctl -w user.max_user_namespaces=15000"
        assert repairs["user.max_user_namespaces"].needed

    in_child(steps, rootless=mode == "rootless")


def test_detecting_leaves_nothing_behind(mode):
    def traces():  # ours only: other tests mount and unmount meanwhile
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {line for line in mounts if "atoll-probe" in line}, set(Path("/tmp").glob("atoll-probe-*"))

    def steps():
        before = traces()
        detect()
        assert traces() == before

    in_child(steps, rootless=mode == "rootless")


def test_a_missing_program_is_named_with_its_package(tmp_path):
    (tmp_path / "ip").symlink_to("/bin/true")
    missing = {repair.missing: repair for repair in program_repairs(str(tmp_path))}
    assert "ip" not in missing
    assert "dropbear" in missing["dropbear"].command + missing["dropbear"].purpose
    assert not missing["dropbear"].needed
