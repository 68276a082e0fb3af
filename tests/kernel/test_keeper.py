"""The keeper outlives the daemon, obeys only its user, and takes everything with it when it goes."""

import json
import os
import signal
import socket
import threading
from ipaddress import ip_interface
from pathlib import Path

import pytest

from atoll.host.contract import HostError
from atoll.host.linux import cgroups
from atoll.host.linux.client import Keeper, Spawn
from atoll.host.linux.enter import enter
from atoll.host.linux.keeper import INTERNET, Server
from atoll.host.linux.netlink import LOOPBACK, Netlink

from .conftest import NOBODY, in_child, start, start_and_enter, until

pytestmark = pytest.mark.kernel
SLEEP = ("/bin/sleep", "1000")
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def run(place, mode, steps):
    in_child(lambda: steps(place, mode), rootless=mode == "rootless")


def mine() -> set[str]:
    """The mounts of this process's mount namespace."""
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def test_a_process_is_started_seen_signalled_and_forgotten(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        process = keeper.spawn(Spawn("sleeper", SLEEP))
        assert Path(f"/proc/{process.pid}/cmdline").read_bytes() == b"/bin/sleep\x001000\x00"
        assert [kept.name for kept in keeper.processes() if kept.alive] == ["sleeper"]
        assert not process.exited()
        with pytest.raises(HostError, match="sleeper runs"):
            keeper.forget("sleeper")
        with pytest.raises(HostError, match="must be a new text"):
            keeper.spawn(Spawn("sleeper", SLEEP))
        assert keeper.kill("sleeper")
        assert process.exited(timeout_seconds=5)
        assert keeper.find("sleeper").status == -signal.SIGKILL
        assert not keeper.kill("sleeper")
        keeper.forget("sleeper")
        assert keeper.find("sleeper") is None
        keeper.destroy()

    run(place, mode, steps)


def test_an_exit_status_is_kept_until_forgotten(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        keeper.spawn(Spawn("seven", ("/bin/sh", "-c", "sleep 0.3; exit 7")))  # no sooner: it is to start
        until(lambda: not keeper.find("seven").alive)
        keeper.close()
        keeper = Keeper.connect(place / "run")
        kept = keeper.find("seven")
        assert kept.status == 7
        assert kept.started <= kept.ended
        keeper.destroy()

    run(place, mode, steps)


def test_what_cannot_be_started_says_why_and_leaves_no_record(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        with pytest.raises(HostError, match=r"spawn ghost: FileNotFoundError.*no/such"):
            keeper.spawn(Spawn("ghost", ("/no/such",)))
        with pytest.raises(HostError, match=r"net/nowhere"):
            keeper.spawn(Spawn("ghost", SLEEP, network="nowhere"))
        assert keeper.processes() == ()
        keeper.spawn(Spawn("ghost", SLEEP)).close()
        keeper.destroy()

    run(place, mode, steps)


def test_a_program_gets_its_environment_streams_limits_and_nothing_of_the_keepers(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        reading, writing = os.pipe()
        script = "echo $GREETING; pwd; ulimit -n; echo $(ls /proc/self/fd); echo heard >&2; cat"
        keeper.spawn(
            Spawn(
                "talker",
                ("/bin/sh", "-c", script),
                env={**PATH, "GREETING": "hello"},
                cwd=Path("/usr"),
                rlimits={"nofile": (64, 128)},
                stdout=writing,
                log=place / "state" / "log",
            )
        ).close()
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert pipe.read() == "hello\n/usr\n64\n0 1 2 3\n"  # 0, 1, 2, and the one that ls reads with
        assert (place / "state" / "log").read_text() == "heard\n"
        keeper.destroy()

    run(place, mode, steps)


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_a_program_may_be_another_user_without_privileges(place):
    def steps():
        keeper = start(place, "root")
        reading, writing = os.pipe()
        spawn = Spawn(
            "nobody",
            ("/bin/sh", "-c", "id -u; id -G; grep -E 'CapEff|NoNewPrivs' /proc/self/status"),
            env=PATH,
            uid=NOBODY,
            gid=NOBODY,
            capabilities=0,
            stdout=writing,
        )
        keeper.spawn(spawn).close()
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert pipe.read().split() == ["65534", "65534", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
        keeper.destroy()

    in_child(steps)


def test_a_console_keeps_the_last_of_what_was_said(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        console = place / "state" / "console.log"
        many = "i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done; echo last"
        process = keeper.spawn(Spawn("loud", ("/bin/sh", "-c", many), console=console))
        assert process.exited(timeout_seconds=30)
        until(lambda: console.read_bytes().endswith(b"line 59999\nlast\n"))
        assert 64 * 1024 <= console.stat().st_size <= 256 * 1024
        keeper.destroy()

    run(place, mode, steps)


def test_processes_outlive_the_daemon_and_are_adopted_by_name(place, mode):
    told = place / "pid"

    def first_life(place, mode):
        keeper = start_and_enter(place, mode)
        keeper.namespaces.create("vpc-1")
        told.write_text(str(keeper.spawn(Spawn("engine", SLEEP, network="vpc-1")).pid))
        os.kill(os.getpid(), signal.SIGKILL)

    def second_life(place, mode):
        keeper = start_and_enter(place, mode)
        process = keeper.adopt("engine")
        assert process.pid == int(told.read_text())
        assert not process.exited()
        assert keeper.namespaces.names() == {INTERNET, "vpc-1"}
        assert keeper.kill("engine")
        assert process.exited(timeout_seconds=5)
        keeper.namespaces.delete("vpc-1")
        assert keeper.namespaces.names() == {INTERNET}
        keeper.destroy()

    with pytest.raises(AssertionError, match="wait status 9"):
        run(place, mode, first_life)
    run(place, mode, second_life)


def test_two_daemons_are_kept_apart(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        with pytest.raises(HostError, match="another daemon uses"):
            start(place, mode)
        keeper.destroy()

    run(place, mode, steps)


def test_the_daemon_enters_and_sees_namespaces_of_its_own(place, mode):
    def steps(place, mode):
        server = socket.create_server(("127.0.0.1", 0))  # bound in the host's network
        keeper = start_and_enter(place, mode)
        assert os.getuid() == 0
        with Netlink() as net:
            assert [link.name for link in net.links()] == ["lo"]
            net.set_up(LOOPBACK)
            net.add_address(LOOPBACK, ip_interface("203.0.113.1/32"))
            net.commit()
        keeper.namespaces.create("a", {"net.ipv4.ip_forward": 1})
        keeper.namespaces.create("a", {"net.ipv4.ip_forward": 0})
        keeper.namespaces.create("b")
        with keeper.namespaces.opened("a") as a, keeper.namespaces.opened("b") as b, Netlink(a) as net:
            net.add_veth("v", peer="w", peer_namespace=b)
            net.commit()
        with keeper.namespaces.inside("b"):
            assert {name for _, name in socket.if_nameindex()} == {"lo", "w"}
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
        sock = keeper.namespaces.socket("a", socket.AF_INET, socket.SOCK_DGRAM)
        with pytest.raises(OSError, match="unreachable"):
            sock.connect(("203.0.113.1", 53))
        client = socket.create_connection  # the host's port is not reachable from in here, but serves on
        with pytest.raises(OSError, match="refused"):
            client(server.getsockname())
        with pytest.raises(HostError, match="no such namespace"):
            keeper.namespaces.enter("c")
        with pytest.raises(HostError, match="cannot name"):
            keeper.namespaces.create("../c")
        keeper.destroy()

    run(place, mode, steps)


def test_a_process_with_threads_may_not_enter():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(HostError, match=r"[2-9] threads"):
            enter(os.getpid(), rootless=False)
    finally:
        stop.set()
        thread.join()


GARBAGE = [
    b"\xff\xfe",
    b"{",
    b"[]",
    b"7",
    b'"text"',
    b"{}",
    b'{"do": 7}',
    b'{"do": "nothing"}',
    b'{"do": "spawn"}',
    b'{"do": "spawn", "name": 7}',
    b'{"do": "spawn", "name": "x", "argv": 7}',
    b'{"do": "spawn", "name": "x", "argv": ["/bin/true"], "in": 5}',
    b'{"do": "spawn", "name": "x", "argv": ["/bin/true"], "console": "/no/such/dir"}',
    b'{"do": "spawn", "name": "x", "argv": ["/bin/true"], "guest": {}}',
    b'{"do": "signal", "name": "unknown", "signal": 9}',
    b'{"do": "list", "after": {}}',
    b"x" * 100_000,
]


def test_garbage_is_answered_with_an_error_and_the_keeper_lives(place, mode):
    def steps(place, mode):
        keeper = start(place, mode)
        keeper.spawn(Spawn("witness", SLEEP)).close()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as rude:
            rude.settimeout(10)
            rude.connect(str(place / "run" / "keeper.sock"))
            for packet in GARBAGE:
                rude.send(packet)
                assert json.loads(rude.recv(200_000)).get("error"), packet
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
            deaf.connect(str(place / "run" / "keeper.sock"))
            deaf.setblocking(False)
            for _ in range(10_000):  # asks for answers that it never reads
                try:
                    deaf.send(b'{"do": "list", "id": "%s"}' % (b"i" * 1000))
                except OSError:
                    break
            assert [kept.name for kept in keeper.processes() if kept.alive] == ["witness"]
        keeper.destroy()

    run(place, mode, steps)


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_another_user_is_not_heard(place):
    keeper = start(place, "root")
    (place / "run").chmod(0o755)
    (place / "run" / "keeper.sock").chmod(0o777)
    place.chmod(0o755)

    def steps():
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.settimeout(10)
            stranger.connect(str(place / "run" / "keeper.sock"))
            assert stranger.recv(1000) == b""  # closed without a word

    in_child(steps, rootless=True)
    keeper.destroy()


def test_killing_the_keeper_leaves_nothing(place, mode):
    def steps(place, mode):
        before = mine()
        keeper = start(place, mode)

        def daemon():
            enter(keeper.pid, rootless=keeper.rootless)
            for name in ("a", "b"):
                keeper.namespaces.create(name)
            with keeper.namespaces.opened("a") as a, keeper.namespaces.opened("b") as b, Netlink(a) as net:
                net.add_veth("v", peer="w", peer_namespace=b)
                net.commit()

        in_child(daemon)
        assert mine() == before  # the keeper's mounts are not the host's
        script = "sleep 1000 & sleep 1000 & wait"
        process = keeper.spawn(Spawn("family", ("/bin/sh", "-c", script), env=PATH, network="a"))
        until(lambda: len(children(process.pid)) == 2)
        family = [process.pid, *children(process.pid), keeper.pid]
        networks = {os.stat(f"/proc/{process.pid}/ns/net").st_ino, os.stat(f"/proc/{keeper.pid}/ns/net").st_ino}
        keeper.destroy()
        assert process.exited(timeout_seconds=5)
        until(lambda: not any(alive(pid) for pid in family))
        assert not networks & living_networks()
        assert mine() == before
        assert not (place / "run").exists()

    run(place, mode, steps)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()  # a zombie waits for the host's init only
    except FileNotFoundError:
        return False


def living_networks() -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(path.stat().st_ino)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("mode", ["root"], indirect=True)
def test_limits_left_by_a_killed_keeper_are_removed_by_the_next(place):
    if because := cgroups.support().because:
        pytest.skip(because)

    def steps():
        keeper = start(place, "root")
        limits = cgroups.create(keeper.run_dir, "a", memory_bytes=64 << 20, processes=10)
        os.kill(keeper.pid, signal.SIGKILL)
        until(lambda: not alive(keeper.pid))
        assert all(path.exists() for path in limits)
        keeper.close()
        start(place, "root").destroy()
        assert not any(path.exists() for path in limits)

    in_child(steps)


def test_a_full_process_table_costs_the_keeper_no_descriptor(monkeypatch, tmp_path):
    server = Server(socket.socket(), str(tmp_path), "root")
    before = len(os.listdir("/proc/self/fd"))

    def refuse(_):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(server, "_fork", refuse)
    request = {"name": "one", "console": str(tmp_path / "console")}
    for _ in range(3):
        with pytest.raises(OSError, match="temporarily unavailable"):
            server._do_spawn(socket.socket(), request, [])

    assert len(os.listdir("/proc/self/fd")) == before
