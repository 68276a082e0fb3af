"""Limits hold with cgroup v2, as root, in a container's own group, and where systemd gave a group to a user.

Skipped where there is none; `python -m tests.unified` boots a kernel that has.  tests/host/test_cgroup_places.py asks
on paper where groups may be made.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from atoll.host.linux import cgroups
from atoll.host.linux.client import Spawn
from atoll.host.linux.syscalls import CLONE_NEWCGROUP, CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unmount, unshare

from .conftest import NOBODY, in_child, start, until, why_not_root

MB = 1 << 20
SECONDS = 60  # for what takes milliseconds; in an emulated machine all is slow
TOP = Path("/sys/fs/cgroup")


def why_not_unified() -> str:
    if (found := cgroups.support()).version != 2:
        return f"NO CGROUP V2: {found.because or 'this machine has v1'}; python -m tests.unified"
    return why_not_root() or ("" if os.access(TOP / "cgroup.procs", os.W_OK) else f"{TOP} is read-only")


pytestmark = [pytest.mark.kernel, pytest.mark.skipif(bool(why_not_unified()), reason=why_not_unified())]


@pytest.fixture
def run_dir():
    path = Path(tempfile.mkdtemp(prefix="atk-"))
    path.chmod(0o755)
    yield path
    cgroups.remove_all(path)
    shutil.rmtree(path)


def started(groups: tuple[Path, ...], code: str) -> "subprocess.Popen[str]":
    enter = "".join(f"open({str(path / 'cgroup.procs')!r}, 'w').write('0')\n" for path in groups)
    return subprocess.Popen(
        [sys.executable, "-c", enter + code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def read(path: Path) -> str:
    return path.read_text().strip()


def test_a_group_has_every_limit_and_no_swap(run_dir):
    (group,) = cgroups.create(run_dir, "i-1", memory_bytes=64 * MB, processes=10, weight=cgroups.NODE_WEIGHT)

    assert read(group / "memory.max") == str(64 * MB)
    assert read(group / "pids.max") == "10"
    assert read(group / "cpu.weight") == "400"
    assert not (group / "memory.swap.max").exists() or read(group / "memory.swap.max") == "0"
    assert read(group / "memory.oom.group") == "0", "as on a machine: one process is killed, not the instance"


def test_who_forks_without_end_is_refused_and_who_takes_too_much_is_killed(run_dir):
    groups = cgroups.create(run_dir, "i-1", memory_bytes=64 * MB, processes=10)
    bomb = "import os, time\nn = 1\ntry:\n while os.fork(): n += 1\n time.sleep(9)\nexcept OSError: print(n)"

    made = started(groups, bomb)
    assert made.stdout.readline() == "10\n"
    assert made.wait(SECONDS) == 0
    until(lambda: not read(groups[0] / "cgroup.procs"), SECONDS)
    assert started(groups, "x = bytearray(200 << 20)").wait(SECONDS) == -9


def test_a_limit_is_not_lowered_below_what_would_have_to_be_killed(run_dir):
    groups = cgroups.create(run_dir, "node", memory_bytes=256 * MB, processes=10)
    code = "import time\nx = b'a' * (100 << 20)\nprint('has it', flush=True)\ntime.sleep(600)"
    engine = started(groups, code)
    assert engine.stdout.readline() == "has it\n"

    cgroups.create(run_dir, "node", memory_bytes=50 * MB, processes=10)
    assert read(groups[0] / "memory.max") == str(256 * MB)
    cgroups.create(run_dir, "node", memory_bytes=150 * MB, processes=10)
    assert read(groups[0] / "memory.max") == str(150 * MB)
    assert engine.poll() is None
    engine.kill()
    engine.wait()


def test_what_still_runs_when_an_installation_has_ended_is_ended(run_dir):
    groups = cgroups.create(run_dir, "i-1", memory_bytes=64 * MB, processes=10)
    left = started(groups, "import time; print(1, flush=True); time.sleep(600)")
    assert left.stdout.readline() == "1\n"
    (groups[0] / "below").mkdir()

    cgroups.remove_all(run_dir)

    assert left.wait(SECONDS) == -9
    assert not groups[0].parent.exists()


def test_a_trial_finds_nothing_wrong_and_leaves_nothing():
    before = set(TOP.glob("atoll-*"))

    assert cgroups.trial() == ""
    assert set(TOP.glob("atoll-*")) <= before


def group_for_a_test(name: str) -> Path:
    group = cgroups.support().parents[0] / f"atk-{name}-{os.getpid()}"
    group.mkdir()
    return group


def end(group: Path) -> None:
    with suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    for path, _, _ in os.walk(group, topdown=False):
        until(lambda path=path: not (Path(path) / "cgroup.procs").read_text().split(), SECONDS)
        os.rmdir(path)


def test_in_a_container_its_processes_move_aside_and_limits_hold(run_dir):
    """Docker's `--privileged`: a cgroup namespace, whose root is not the machine's and holds all processes."""
    (machine,) = cgroups.create(run_dir, "unused", memory_bytes=None, processes=None)  # so that limits are passed on
    container = group_for_a_test("container")

    def steps():
        (container / "cgroup.procs").write_text("0")
        unshare(CLONE_NEWCGROUP | CLONE_NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        unmount(str(TOP))
        mount("cgroup2", str(TOP), "cgroup2")
        found = cgroups.support()
        assert (found.parents, found.crowded) == ((TOP,), True)
        assert cgroups.trial() == ""
        assert not (TOP / "atoll-others").exists(), "to look moves nobody"

        groups = cgroups.create(run_dir / "inside", "i-1", memory_bytes=64 * MB, processes=10)

        assert read(groups[0] / "memory.max") == str(64 * MB)
        assert Path("/proc/self/cgroup").read_text() == "0::/atoll-others\n"
        assert not cgroups.support().crowded
        assert started(groups, "x = bytearray(200 << 20)").wait(SECONDS) == -9
        cgroups.remove_all(run_dir / "inside")
        assert not groups[0].parent.exists()

    try:
        in_child(steps)
        assert machine.exists()
    finally:
        end(container)


@pytest.mark.by_root
@pytest.mark.parametrize("mode", ["rootless"], indirect=True)
def test_a_user_to_whom_a_group_was_delegated_has_limits(place, run_dir):
    """What `systemd-run --user --scope` is in: a group beside which its user may make others."""
    cgroups.create(run_dir, "unused", memory_bytes=None, processes=None)
    given = group_for_a_test("user")
    (given / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    (given / "scope").mkdir()
    for path in (given, given / "scope"):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(path / name, NOBODY, NOBODY)

    def enter():
        (given / "scope" / "cgroup.procs").write_text("0")
        in_child(steps, rootless=True)

    def steps():
        assert cgroups.support().parents == (given,)
        keeper = start(place, "rootless")
        groups = cgroups.create(keeper.run_dir, "i-1", memory_bytes=64 * MB, processes=10, keeper=keeper.pid)
        assert groups
        eat = (sys.executable, "-c", "import time\ntime.sleep(1)\nx = bytearray(200 << 20)")
        eater = keeper.spawn(Spawn("eater", eat, cgroups=groups))
        assert str(eater.pid) in read(groups[0] / "cgroup.procs").split()
        assert eater.exited(timeout_seconds=SECONDS)
        assert keeper.find("eater").status == -9
        keeper.destroy()
        assert not groups[0].parent.exists()

    try:
        in_child(enter)
    finally:
        end(given)


def test_what_is_beside_slices_counts_as_one_of_them(run_dir):
    """A process of the root group counts as a group does; of the daemon's slice, all count as one."""
    beside = group_for_a_test("slice")

    def weight(name):
        (group,) = cgroups.create(run_dir / name, "i-1", memory_bytes=None, processes=None)
        found = int(read(group.parent / "cpu.weight"))
        cgroups.remove_all(run_dir / name)
        return found

    def steps():
        (beside / "cgroup.procs").write_text("0")
        assert weight("in-a-slice") == 100

    try:
        if Path("/proc/self/cgroup").read_text() == "0::/\n" and not (TOP / "cgroup.type").exists():
            assert weight("in-the-root") == 200 * os.cpu_count()
        in_child(steps)
    finally:
        end(beside)
