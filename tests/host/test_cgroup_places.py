"""Where control groups may be made: on paper, by directories that look like the kernel's."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from atoll.cli.doctor import limits
from atoll.host.linux import cgroups
from atoll.host.linux.cgroup_places import Support, support, unified
from atoll.host.linux.syscalls import CLONE_NEWNS, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, mount, unshare
from tests.kernel.conftest import in_child, why_not_root

MB = 1 << 20
ALL = ("memory", "pids", "cpu")
DELEGATED = "systemd-run --user --scope -p Delegate=yes"


def group(path: Path, *, given=ALL, passed_on=(), processes=(), kind="domain") -> Path:
    """Make a directory that looks like a group; `kind` is None for the machine's root group."""
    path.mkdir(exist_ok=True)
    (path / "cgroup.controllers").write_text(" ".join(("cpuset", *given)))
    (path / "cgroup.subtree_control").write_text(" ".join(passed_on))
    (path / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in processes))
    if kind:
        (path / "cgroup.type").write_text(kind)
    return path


@pytest.fixture
def root():
    path = Path(tempfile.mkdtemp(prefix="atk-"))  # tmp_path is closed to other users
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("passed_on", [(), ALL], ids=["nobody passed them on", "systemd did"])
def test_the_machines_root_group_may_have_processes(root, passed_on):
    group(root, passed_on=passed_on, processes=(1, 2), kind=None)

    found = unified(root, "/")

    assert (found.version, found.parents, found.because) == (2, (root,), "")
    assert (found.controllers, found.crowded, found.alone) == (ALL, False, True)


def test_beside_slices_of_systemd_nobody_of_us_is_alone(root):
    group(root, passed_on=ALL, processes=(2,), kind=None)

    assert not unified(root, "/user.slice/user-0.slice/session-1.scope").alone


def test_a_container_with_processes_has_to_move_them_and_one_that_did_has_not(root):
    group(root, processes=(1, 7))
    crowded = unified(root, "/")
    group(root, passed_on=ALL)
    moved = unified(root, "/init")

    assert (crowded.parents, crowded.crowded, crowded.alone) == ((root,), True, False)
    assert (moved.parents, moved.crowded, moved.alone) == ((root,), False, False)


def test_without_the_memory_controller_it_is_said_how_to_boot(root):
    group(root, given=("pids", "cpu"), kind=None)

    found = unified(root, "/")

    assert found.because == f"{root} has no memory controller to give"
    assert found.mend.startswith("boot with cgroup_enable=memory")
    assert not found.available


def test_without_the_cpu_controller_there_are_limits_and_no_shares(root):
    group(root, given=("memory", "pids"), kind=None)

    found = unified(root, "/")

    assert (found.parents, found.controllers) == ((root,), ("memory", "pids"))
    assert limits(found, "").status == "warning"
    assert limits(found, "").found == (
        f"of memory and processes, by cgroup v2 in {root}; none of shares of the processors"
    )


def test_a_group_for_threads_is_none_for_us(root):
    group(root, kind="domain threaded")

    assert unified(root, "/").because == f"{root} is for threads (domain threaded)"


def as_a_user(root, given, run):
    """Run as somebody to whom one group of the tree was given, as systemd does it."""
    for name in ("", "cgroup.procs", "cgroup.subtree_control"):
        if given is not None and os.geteuid() == 0:
            os.chown(given / name, 65534, 65534)
    if os.geteuid() != 0:
        for path in (
            path for path in (root, *root.rglob("*")) if given is None or given not in (path, *path.parents)
        ):
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        in_child(run, rootless=True)
    finally:
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)


def test_a_user_has_what_is_delegated_to_him_beside_his_own_group(root):
    group(root, kind=None)
    given = group(root / "app.slice")
    group(given / "run-1.scope", processes=(7,))

    def steps():
        found = unified(root, "/app.slice/run-1.scope")
        assert (found.parents, found.controllers, found.alone) == ((given,), ALL, False)

    as_a_user(root, given, steps)


def test_a_user_to_whom_nothing_is_delegated_is_told_how(root):
    group(root, kind=None)
    session = group(root / "user-1000.slice")
    group(session / "session-1.scope", processes=(7,))

    def steps():
        found = unified(root, "/user-1000.slice/session-1.scope")
        assert found.because == f"{session} is not delegated to this user"
        assert DELEGATED in found.mend
        assert unified(root, "/").because == f"{root} is not delegated to this user"
        assert unified(root, "/../elsewhere").because == f"{root} is not delegated to this user"

    as_a_user(root, None, steps)


def test_a_user_whose_manager_has_no_memory_controller_is_told_to_give_it(root):
    group(root, kind=None)
    given = group(root / "app.slice", given=("pids",))
    group(given / "run-1.scope", processes=(7,))

    def steps():
        found = unified(root, "/app.slice/run-1.scope")
        assert found.because == f"{given} has no memory controller to give"
        assert "user@.service" in found.mend

    as_a_user(root, given, steps)


def test_a_users_group_that_has_processes_of_its_own_is_left_alone(root):
    group(root, kind=None)
    given = group(root / "app.slice", processes=(5,))
    group(given / "run-1.scope", processes=(7,))

    def steps():
        found = unified(root, "/app.slice/run-1.scope")
        assert found.because == f"{given} has processes, and can pass on no limits while it has"

    as_a_user(root, given, steps)


def test_without_a_tree_it_is_said_how_to_mount_one():
    found = support(root=Path("/nonexistent"))

    assert (found.version, found.because) == (0, "no cgroup file system is mounted at /nonexistent")
    assert found.mend == "as root: mount -t cgroup2 cgroup2 /nonexistent"


def test_a_tree_that_is_mounted_read_only_is_named_as_such(root):
    """Docker without `--privileged`: even root may not write, and has no group above his own."""
    if because := why_not_root():
        pytest.skip(because)

    def steps():
        unshare(CLONE_NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        mount("tmpfs", str(root), "tmpfs")
        group(root, processes=(1,))
        mount("none", str(root), None, MS_REMOUNT | MS_RDONLY)
        found = unified(root, "/")
        assert found.because == f"{root} is mounted read-only"
        assert "--privileged" in found.mend

    in_child(steps)


def test_a_limit_of_memory_is_one_of_swap_too_and_not_lowered_below_what_is_used(tmp_path):
    (tmp_path / "memory.max").write_text("max")
    (tmp_path / "memory.swap.max").write_text("max")
    (tmp_path / "memory.stat").write_text(f"anon {60 * MB}\nfile {300 * MB}\nshmem {10 * MB}\npagetables {MB}\n")

    cgroups._limit_memory(tmp_path, 100 * MB)
    assert (tmp_path / "memory.max").read_text() == str(100 * MB)
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    cgroups._limit_memory(tmp_path, 70 * MB)
    assert (tmp_path / "memory.max").read_text() == str(100 * MB)
    cgroups._limit_memory(tmp_path, 71 * MB)
    assert (tmp_path / "memory.max").read_text() == str(71 * MB)


def test_only_what_is_not_passed_on_yet_is(tmp_path):
    group(tmp_path, passed_on=("memory", "pids", "cpu"))
    cgroups._pass_on(tmp_path, ALL)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "memory pids cpu"

    group(tmp_path, passed_on=("memory", "cpu"))
    cgroups._pass_on(tmp_path, ALL)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"


def test_groups_are_removed_where_they_were_made_wherever_one_asks_from(tmp_path):
    run_dir, elsewhere = tmp_path / "run", tmp_path / "app.slice"
    group_of_it = elsewhere / cgroups._ours(run_dir) / "i-1"
    for path in (run_dir, group_of_it):
        path.mkdir(parents=True)
    cgroups._write_note(run_dir, elsewhere)

    cgroups.remove(run_dir, "i-1")
    assert not group_of_it.exists()
    assert cgroups.remove_all(run_dir) == ()
    assert not group_of_it.parent.exists()


def test_what_is_in_a_group_is_ended_only_where_a_note_says_that_it_is_ours(tmp_path):
    run_dir, tree = tmp_path / "run", tmp_path / "tree"
    group_of_it = tree / cgroups._ours(run_dir)
    for path in (run_dir, group_of_it):
        path.mkdir(parents=True)
    witness = subprocess.Popen(["/bin/sleep", "100"])
    (group_of_it / "cgroup.procs").write_text(f"{witness.pid}\n0\n")
    try:
        with mock.patch.object(cgroups, "_places", return_value=(tree,)):
            assert cgroups.remove_all(run_dir) == ()
            assert witness.poll() is None
            cgroups._write_note(run_dir, tree)
            assert cgroups.remove_all(run_dir) == (group_of_it,), "a plain directory does not become empty by that"
        assert witness.wait(10) == -9
    finally:
        witness.kill()
        witness.wait()


@pytest.mark.parametrize(
    ("found", "failed", "status", "said"),
    [
        (Support(2, (Path("/c"),), "", controllers=ALL), "", "ok",
         "of memory and processes and shares of the processors, by cgroup v2 in /c"),
        (Support(2, (Path("/c"),), "", controllers=ALL), "no room", "warning",
         "none: of memory and processes and shares of the processors, by cgroup v2 in /c could be, but no room"),
        (Support(2, (Path("/c"),), "", controllers=ALL, crowded=True), "", "ok",
         "of memory and processes and shares of the processors, by cgroup v2 in /c; the processes of this container "
         "move into a group below, for one with processes can pass on none"),
        (Support(0, (), "/c is mounted read-only", mend="docker"), "", "warning",
         "memory and processes of instances have none: /c is mounted read-only"),
        (Support(1, (Path("/p"),), "", controllers=("pids", "cpu"), mend="boot"), "", "warning",
         "of processes and shares of the processors, by cgroup v1 in /p; none of memory"),
    ],
    ids=["all", "a trial failed", "a container", "none", "no memory"],
)  # fmt: skip
def test_the_doctor_says_which_limits_hold_and_what_mends(found, failed, status, said):
    finding = limits(found, failed)

    assert (finding.status, finding.found, finding.mend) == (status, said, found.mend)
    lacking = [what for what in ("memory", "pids") if what not in found.controllers]
    assert bool(found.warning) is bool(lacking)
    assert found.because in found.warning
