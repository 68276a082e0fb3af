"""A hostile root in an instance: what he asks of the kernel, what he uses up, and who comes in from outside."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.host.linux import cgroups, quota
from atoll.host.linux.client import Spawn
from atoll.host.linux.guard import guard
from tests.kernel.conftest import until

HERE = Path(__file__).parent
MB = 1 << 20
REFUSED = {errno.EPERM, errno.EACCES}
OTHERWISE = {
    "clone3": {errno.ENOSYS}, "io_uring_setup": {errno.ENOSYS}, "a call of tomorrow": {errno.ENOSYS},
    "x32": {errno.ENOSYS},
    **{name: {errno.EAFNOSUPPORT} for name in ("vsock", "AF_ALG", "Bluetooth", "TIPC", "XDP")},
}  # fmt: skip
only_root = pytest.mark.parametrize("mode", ["root"], indirect=True)


def typed(it, name: str, *words: str) -> str:
    """Return a command that runs a file of ours with the instance's Python."""
    text = (HERE / name).read_text()
    (it.place / name).write_text(text)
    it.run(f"cat > /root/{name} <<'END_OF_FILE'\n{text}\nEND_OF_FILE", user="root")
    return " ".join(("/usr/bin/python3", f"/root/{name}", *words))


def begun(it, command: str, told: str) -> str:
    """Start a command as root whose words go to a file, and return the first ones."""
    return it.run(f": > {told}; ({command} > {told} 2>&1 &); while ! grep . {told}; do sleep 0.1; done", user="root")


def the_kernel_refuses_what_is_not_his(it):
    said = dict(line.rpartition(": ")[::2] for line in it.run(typed(it, "calls.py"), user="root").splitlines())

    assert len(said) > 35
    for name, number in said.items():
        allowed = {0} if name.startswith("may: ") else OTHERWISE.get(name, REFUSED)
        assert int(number) in allowed, f"{name}: {errno.errorcode.get(int(number), number)}"
    for user in ("root", "ec2-user"):
        assert it.run("grep Seccomp: /proc/self/status", user=user).split() == ["Seccomp:", "2"]
    assert it.run("grep Seccomp: /proc/1/status").split() == ["Seccomp:", "2"], "since its boot"


def he_sees_and_kills_only_his_own_processes(it):
    witness = it.keeper.spawn(Spawn("witness", ("/bin/sleep", "100")))
    pids = {int(pid) for pid in it.run("ls /proc | grep '^[0-9]'", user="root").split()}
    assert max(pids) < 1000
    it.run("kill -9 -1", user="root", status=None)
    it.run(f"kill -9 1 {it.process.pid} {witness.pid} {it.keeper.pid}", user="root", status=None)
    assert not witness.exited()
    assert not it.process.exited(), "nor his own init, which is the first process of its namespace"
    assert it.keeper.find("witness").alive


def the_machines_own_network_is_not_there(it):
    """Not its loopback, and not its abstract sockets, which have no permissions."""
    script = (
        "import socket\n"
        f"for family, to in ((socket.AF_UNIX, '\\0atoll-attacked'), (socket.AF_INET, ('127.0.0.1', {it.port}))):\n"
        "    print(socket.socket(family).connect_ex(to) != 0)"
    )
    assert it.run(f'/usr/bin/python3 -c "{script}"', user="root") == "True\nTrue\n"
    assert "atoll-attacked" not in it.run("cat /proc/net/unix", user="root")


def no_setting_of_the_machines_is_among_those_of_his_network(it):
    """Each that he may change is looked at from outside; the one that is everybody's is not there."""
    assert it.run("cat /proc/sys/net/netfilter/nf_hooks_lwtunnel 2>/dev/null", user="root", status=None) == ""
    before = settings_of_the_network()
    it.run(
        "find /proc/sys/net -type f -writable | while read f; do v=$(cat $f 2>/dev/null); "
        'case "$v" in ""|*[!0-9]*) ;; *) echo $((v + 1)) > $f;; esac; done 2>/dev/null',
        user="root",
        status=None,
    )
    after = settings_of_the_network()
    assert {path for path in before.keys() & after.keys() if before[path] != after[path]} == set()


def settings_of_the_network() -> dict[str, str]:
    found = {}
    for path in Path("/proc/sys/net").rglob("*"):
        with contextlib.suppress(OSError, UnicodeError):
            if path.stat().st_mode & 0o200:  # the others count something
                found[str(path)] = path.read_text()
    return found


def open_files_and_the_size_of_one_have_a_limit(it):
    soft, hard = map(int, it.run("ulimit -Sn; ulimit -Hn", user="root").split())
    assert (soft, hard <= 65_536) == (1024, True)
    it.run(f"ulimit -n {hard + 1} 2>/dev/null || exit 9", user="root", status=9)
    it.run("ulimit -f unlimited 2>/dev/null || exit 9", user="root", status=9)
    it.run("truncate -s 9G /root/big 2>/dev/null && exit 9; true", user="root", status=None)
    assert it.run("stat -c %s /root/big", user="root").strip() == "0"


ATTACKS = (
    the_kernel_refuses_what_is_not_his,
    the_machines_own_network_is_not_there,
    open_files_and_the_size_of_one_have_a_limit,
    no_setting_of_the_machines_is_among_those_of_his_network,
    he_sees_and_kills_only_his_own_processes,  # the last: little of the instance is left
)


@pytest.mark.kernel
def test_what_root_tries(hostile):
    """All attacks that leave the instance as it was, in one boot."""
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("\0atoll-attacked")
    unix.listen()
    with unix, socket.create_server(("127.0.0.1", 0)) as tcp:

        def steps(it):
            it.port = tcp.getsockname()[1]
            for attack in ATTACKS:
                attack(it)

        hostile(steps)


@pytest.mark.kernel
@only_root
def test_who_enters_from_outside_is_never_stronger_than_he_and_shows_nothing(hostile):
    """And nothing of him counts as the machine's own: his limits are the instance's."""

    def steps(it):
        begun(it, typed(it, "watcher.py", "3"), "/root/found")
        enter = f"import atoll.host.linux.inside as it; it.run_inside({it.process.pid}, ['true'], rootless=False)"
        for _ in range(5):
            subprocess.run([sys.executable, "-c", enter], env={"ATOLL_SECRET": "of the host"}, check=True, timeout=60)
        found = it.run("while ! grep -q end /root/found; do sleep 0.1; done; cat /root/found", user="root")

        assert found.split("\n") == ["watching", "end", ""]

    hostile(steps)


@pytest.mark.kernel
@only_root
def test_what_he_takes_of_processes_and_memory_he_takes_from_himself(hostile):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps(it):
        it.run("/usr/bin/python3 -c 'x = bytearray(1100 << 20)'", user="root", status=137)
        assert it.run("echo lives") == "lives\n"
        # Files in memory are memory: there is no way round by /tmp, /run, /dev or /dev/shm.
        for path, most in (("/tmp", 512), ("/run", 205), ("/dev/shm", 512), ("/dev", 1)):
            size = it.run(f"df -m --output=size {path} | tail -1")
            assert int(size) <= most, path
        for path in ("/run", "/dev"):
            it.run(f"(head -c 300M /dev/zero > {path}/big) 2>/dev/null && exit 9; rm -f {path}/big", user="root")
        assert it.run("echo lives") == "lives\n"

        bomb = (
            "import os, time\n"
            "n = 0\n"
            "try:\n"
            "    while n < 5_000:\n"
            "        if os.fork() == 0:\n"
            "            time.sleep(600)\n"
            "        n += 1\n"
            "except OSError as error:\n"
            "    print(n, error.errno, flush=True)\n"
            "    os._exit(0)\n"
        )
        made, number = it.run(f"/usr/bin/python3 -c '{bomb}' >/root/n 2>&1; cat /root/n", user="root").split()
        assert (int(number), int(made) < 2048) == (errno.EAGAIN, True)
        assert subprocess.run(["/bin/true"], check=True, timeout=60).returncode == 0, "others may still fork"
        os.kill(it.process.pid, signal.SIGKILL)
        assert it.process.exited(timeout_seconds=30), "and all of it ends with its init"

    hostile(steps, memory_bytes=1024 * MB)


@pytest.mark.kernel
def test_a_disk_that_is_full_is_written_to_no_more_and_can_be_emptied(hostile):
    """What `control/disk_room.py` does to who has too much (tests/control/test_disk_room.py: to whom, and when)."""

    def steps(it):
        def taken():
            found = quota.used(it.directory / "upper", bytes_max=8 << 30, files_max=1 << 20)
            return found.bytes + quota.nameless(it.process.pid), found.files

        bytes_, files = taken()
        it.run("head -c 20M /dev/urandom > ~/big; mkdir ~/many; cd ~/many; seq 500 | xargs touch")
        ghost = "exec 9>~/ghost; rm ~/ghost; head -c 10M /dev/urandom >&9; exec sleep 1000"
        it.run(f"({ghost}) </dev/null >/dev/null 2>&1 &")
        until(lambda: taken()[0] - bytes_ >= 30 * MB)  # what has no name any more counts, too
        assert 500 <= taken()[1] - files < 550
        assert quota.used(it.directory / "upper", bytes_max=MB, files_max=10).bytes < 30 * MB, "no further than asked"
        writer = "trap '' XFSZ; while :; do head -c 1M /dev/zero >> ~/more 2>/dev/null; sleep 0.01; done"
        it.run(f"({writer}) </dev/null >/dev/null 2>&1 & until [ -s ~/more ]; do sleep 0.01; done")

        assert quota.hold(it.process.pid, held=True)
        size = it.run("sleep 0.3; stat -c %s ~/more")
        assert it.run("sleep 0.7; stat -c %s ~/more") == size
        limits = {Path(f"/proc/{pid}/limits").read_text().splitlines()[2] for pid in quota.processes(it.process.pid)}
        assert [line.split() for line in limits] == [["Max", "file", "size", "0", "0", "bytes"]]

        it.run("rm -r ~/big ~/many")
        assert taken()[1] - files < 50
        if quota.hold(it.process.pid, held=False):  # an ordinary user cannot
            assert it.run("sleep 0.7; stat -c %s ~/more") != size

    hostile(steps)


@pytest.mark.kernel
def test_files_without_a_name_count_once_wherever_they_are_kept_and_memory_does_not(hostile):
    """A mapping is seen as root only: docs/security.md."""

    def steps(it):
        before = quota.nameless(it.process.pid)
        said = begun(it, typed(it, "ghosts.py"), "/tmp/said")
        found = quota.nameless(it.process.pid) - before

        assert said == "kept\n"
        assert -MB < found - (28 * MB if it.mode == "root" else 24 * MB) < MB, f"{found / MB:.1f} MB"

    hostile(steps)


@pytest.mark.kernel
def test_a_release_changes_only_who_was_held(hostile):
    def steps(it):
        of = {"other": "ulimit -f 2048", "none": "ulimit -f 0"}
        for name, limit in of.items():
            it.run(f"({limit}; exec sleep 1000.{len(name)}) </dev/null >/dev/null 2>&1 &")
        until(lambda: len(limits_of(it)) >= 3)
        before = limits_of(it)
        assert quota.hold(it.process.pid, held=False), "nobody was held"
        assert limits_of(it) == before
        assert {"0", "1048576"} < set(before.values())

        assert quota.hold(it.process.pid, held=True)
        assert set(limits_of(it).values()) == {"0"}
        if quota.hold(it.process.pid, held=False):  # an ordinary user cannot
            assert set(limits_of(it).values()) == {str(8 << 30)}

    hostile(steps)


def limits_of(it) -> dict[int, str]:
    """Return the hard limit of the size of a file of each process inside."""
    found = {}
    for pid in quota.processes(it.process.pid):
        with contextlib.suppress(OSError, IndexError):
            found[pid] = Path(f"/proc/{pid}/limits").read_text().splitlines()[2].split()[4]
    return found


@pytest.mark.kernel
def test_of_an_instance_that_has_ended_there_are_no_processes(hostile):
    def steps(it):
        assert it.process.pid in quota.processes(it.process.pid)
        child = next(pid for pid in quota.processes(it.process.pid) if pid != it.process.pid)
        assert not list(quota.processes(child)), "another process of it is not it"
        assert not list(quota.processes(it.keeper.pid)), "the keeper is none"
        assert not list(quota.processes(os.getpid()))
        os.kill(it.process.pid, signal.SIGKILL)
        until(lambda: not list(quota.processes(it.process.pid)))

    hostile(steps)


LOOPS, SPIN_SECONDS = 64, 3.0


@pytest.mark.kernel
@only_root
def test_loops_without_number_leave_the_processors_to_others(hostile):
    """Each loop is a session of its own: by those alone the kernel would give each as much as the daemon."""

    def steps(it):
        if not has_shares(it.process.pid):
            pytest.skip("the cpu controller is not ours to use")
        loop = "setsid sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1 &"
        it.run(f"for n in $(seq {LOOPS}); do {loop} done", user="root")
        spin = f"import time; end = time.monotonic() + {SPIN_SECONDS}\nwhile time.monotonic() < end: pass\n"
        spin += "print(time.process_time())"
        before = used_inside(it)
        witness = subprocess.run(
            [sys.executable, "-c", spin], capture_output=True, check=True, timeout=120, start_new_session=True
        )
        each = (used_inside(it) - before) / LOOPS
        assert float(witness.stdout) > 5 * each, "alike, it would have got as much as each of them"

    hostile(steps)


def has_shares(pid: int) -> bool:
    """Tell whether a process is in a group of Atoll's that has a share of the processors."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        share = "cpu.weight" if not controllers else "cpu.shares"
        if "/atoll-" in path and Path(f"/sys/fs/cgroup/{controllers}{path}/{share}").exists():
            return True
    return False


def used_inside(it) -> float:
    """Return the seconds of processor time that an instance has used, as the machine counts them."""
    own, used = os.readlink(f"/proc/{it.process.pid}/ns/pid"), 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "ns/pid") == own:
                used += sum(map(int, (entry / "stat").read_text().rpartition(")")[2].split()[11:13]))
    return used / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("kind", ["guest", "engine"])
def test_every_jump_of_a_filter_stays_inside_and_its_last_word_is_an_answer(kind, machine):
    text = guard(kind, machine)
    steps = [text[at : at + 8] for at in range(0, len(text), 8)]

    assert len(steps) < 4096
    for at, step in enumerate(steps):
        code, if_true, if_false = int.from_bytes(step[:2], sys.byteorder), step[2], step[3]
        if code != 0x06:
            assert at + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][0] == 0x06
