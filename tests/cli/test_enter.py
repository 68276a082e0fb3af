"""Commands of this machine in another network: real namespaces, as this user.  bin/test runs it as root and not."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from atoll.cli import enter
from atoll.cli.failure import Failure
from atoll.host.contract import HostError
from atoll.host.linux.client import Keeper
from atoll.host.linux.enter import enter as enter_keeper

pytestmark = pytest.mark.kernel
ROOTLESS = os.geteuid() != 0
SECONDS_MAX = 10.0


@pytest.fixture(scope="module")
def place():
    directory = Path(tempfile.mkdtemp(prefix="atoll-enter-"))
    try:
        keeper = Keeper.start(directory / "run", directory / "state", rootless=ROOTLESS)
    except HostError as error:
        pytest.skip(f"NO NAMESPACES HERE: {error}")
    try:
        child = os.fork()
        if child == 0:
            enter_keeper(keeper.pid, rootless=ROOTLESS)
            keeper.namespaces.create("eni-1")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, "the namespace is made"
        yield enter.place_of(
            {
                "kind": "outside",
                "id": "198.51.100.27",
                "namespace": "eni-1",
                "namespaces": str(keeper.namespaces.directory),
                "keeper": keeper.pid,
                "rootless": ROOTLESS,
                "address": "198.51.100.27",
                "pid": None,
                "resolvers": ["10.0.0.2"],
                "search": "ec2.internal",
            }
        )
    finally:
        keeper.destroy()
        shutil.rmtree(directory)


def sh(place, script, seconds_max=SECONDS_MAX):
    return enter.run(enter.in_network(place), ["/bin/sh", "-c", script], seconds_max=seconds_max)


def test_the_network_is_the_places(place):
    assert (
        sh(place, "ls /proc/self/net/dev_snmp6 /sys/class/net >/dev/null; cat /proc/self/net/dev").output.count(":")
        == 1
    )


def test_the_resolver_is_the_places_and_this_machines_is_untouched(place):
    before = Path("/etc/resolv.conf").read_text()

    seen = sh(place, "cat /etc/resolv.conf; grep ^hosts: /etc/nsswitch.conf").output

    assert seen.splitlines() == [
        "search ec2.internal",
        "nameserver 10.0.0.2",
        "options timeout:2 attempts:2",
        "hosts: files dns",
    ]
    assert Path("/etc/resolv.conf").read_text() == before


def test_the_users_files_are_there(place, tmp_path):
    (tmp_path / "mine").write_text("hello")

    wrote = sh(place, f"cat {tmp_path}/mine; echo too > {tmp_path}/made; pwd")

    assert wrote.output == f"hello{os.getcwd()}\n"
    assert (tmp_path / "made").read_text() == "too\n"
    assert (tmp_path / "made").stat().st_uid == os.geteuid()


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("true", 0), ("kill -9 $$", -9)])
def test_the_exit_code_is_the_commands(place, script, code):
    assert sh(place, script).code == code


def test_a_command_that_does_not_exist_is_said_so(place):
    ended = enter.run(enter.in_network(place), ["/no/such/thing"], seconds_max=SECONDS_MAX)

    assert (ended.code, ended.output) == (127, "error: /no/such/thing: command not found\n")


def test_a_command_that_takes_too_long_is_killed_with_its_children(place, tmp_path):
    ended = sh(
        place, f"echo begun; (sleep 60; touch {tmp_path}/late) & echo $! > {tmp_path}/pid; wait", seconds_max=0.5
    )

    assert ended == enter.Ended("begun\n", None)
    child = (tmp_path / "pid").read_text().strip()
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().rpartition(") ")[2].startswith("Z")


def test_a_place_that_has_gone_is_a_failure_with_a_next_step(place):
    gone = enter.Place(
        **{name: getattr(place, name) for name in enter.Place.__dataclass_fields__} | {"namespace": "/no"}
    )

    ended = enter.run(enter.in_network(gone), ["true"], seconds_max=SECONDS_MAX)

    assert ended.code == 1
    assert "could not be entered" in ended.output
    assert "next:" in ended.output


def test_an_instance_without_a_process_cannot_be_entered(place):
    with pytest.raises(Failure, match="no process to enter"):
        enter.in_instance(place)
