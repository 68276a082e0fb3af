"""Memory and process limits hold where cgroups can be written to, and are removed with what they limited."""

import logging
import sys

import pytest

from atoll.host.linux import cgroups
from atoll.host.linux.client import Spawn

from .conftest import in_child, start, until

pytestmark = pytest.mark.kernel
MB = 1 << 20
BOTH = (
    "memory.max",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
)  # of v2; of v1


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_a_process_that_takes_more_memory_than_its_limit_is_killed_alone(place):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps():
        keeper = start(place, "root")
        limits = cgroups.create(keeper.run_dir, "small", memory_bytes=32 * MB, processes=10)
        assert limits
        eat = ("/bin/sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}")
        witness = keeper.spawn(Spawn("witness", ("/bin/sleep", "100")))
        eater = keeper.spawn(Spawn("eater", eat, env={"PATH": "/usr/bin:/bin"}, cgroups=limits))
        assert eater.exited(timeout_seconds=30)
        assert keeper.find("eater").status != 0
        assert not witness.exited()
        cgroups.remove(keeper.run_dir, "small")
        assert not any(path.exists() for path in limits)
        keeper.destroy()

    in_child(steps)


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_destroying_an_installation_removes_its_groups(place):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps():
        keeper = start(place, "root")
        limits = cgroups.create(keeper.run_dir, "a", memory_bytes=64 * MB, processes=10)
        keeper.spawn(Spawn("a", ("/bin/sleep", "100"), cgroups=limits))
        assert all((path / "cgroup.procs").read_text().strip() for path in limits)
        keeper.destroy()
        assert not any(path.exists() or path.parent.exists() for path in limits)

    in_child(steps)


def test_without_writable_cgroups_there_are_no_limits_and_a_reason(place, mode):
    def steps():
        found = cgroups.support()
        if found.available:
            return
        assert found.because
        assert cgroups.create(place, "a", memory_bytes=1, processes=1) == ()

    in_child(steps, rootless=mode == "rootless")


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_a_limit_grows_and_shrinks_and_there_is_never_more_with_swap_than_without(place):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps():
        for megabytes in (64, 128, 32):
            made = cgroups.create(place, "a", memory_bytes=megabytes * MB, processes=10)
            files = [path / name for path in made for name in BOTH if (path / name).exists()]
            assert {file.read_text().strip() for file in files} == {str(megabytes * MB)}
            assert all(file.read_text().strip() == "0" for path in made for file in path.glob("memory.swap.max"))
        cgroups.remove_all(place)
        assert not any(path.exists() for path in made)

    in_child(steps)


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_a_limit_that_cannot_be_lowered_is_told_to_the_log(place):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps():
        told = []
        logger = logging.getLogger("atoll")
        logger.addFilter(lambda record: told.append((record.getMessage(), record.fields)) is None)
        keeper = start(place, "root")
        limits = cgroups.create(keeper.run_dir, "a", memory_bytes=256 * MB, processes=10)
        code = f"import time; x = b'a' * (100 << 20); open({str(place / 'has')!r}, 'x').close(); time.sleep(600)"
        eater = keeper.spawn(Spawn("eater", (sys.executable, "-c", code), cgroups=limits))
        until((place / "has").exists)

        cgroups.create(keeper.run_dir, "a", memory_bytes=200 * MB, processes=10)
        assert told == []
        cgroups.create(keeper.run_dir, "a", memory_bytes=50 * MB, processes=10)

        assert not eater.exited()
        ((event, fields),) = told
        assert (event, fields["of"], fields["bytes"]) == ("limit_not_lowered", "a", 50 * MB)
        assert "in use" in fields["because"]
        keeper.destroy()

    in_child(steps)
