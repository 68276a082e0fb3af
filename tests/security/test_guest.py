"""A hostile root in an instance: what he asks of the kernel, what he uses up, and who comes in from outside."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.host.linux import cgroups
from atoll.host.linux.client import Spawn
from atoll.host.linux.guard import guard

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
        it.run(f"({typed(it, 'watcher.py', '3')} > /root/found 2>&1 &) ; sleep 0.3; cat /root/found", user="root")
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
