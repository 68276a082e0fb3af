"""What an engine says of its role, and what the kernel says of a process."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest

from atoll.host.contract import HostError, Replication, Vital
from atoll.host.engine.replication import Administrator, connects, parse
from atoll.host.linux.vital import vital

PRIMARY = "# Replication\r\nrole:master\r\nconnected_slaves:1\r\nmaster_replid:aa\r\nmaster_repl_offset:120\r\n"
REPLICA = (
    "role:slave\r\nmaster_host:10.0.1.4\r\nmaster_port:6379\r\nmaster_link_status:up\r\nmaster_sync_in_progress:0\r\n"
    "slave_repl_offset:100\r\nmaster_replid:aa\r\nmaster_repl_offset:100\r\n"
)
NODE = SimpleNamespace(name="rg-001:0001", process="rg-001:0001#1")


def test_a_primary_and_a_replica_are_told_apart():
    assert parse(PRIMARY) == Replication(role="primary", offset=120, history="aa")
    assert parse(REPLICA) == Replication(
        role="replica", follows=("10.0.1.4", 6379), link_up=True, offset=100, history="aa"
    )


def test_a_replica_that_copies_or_has_lost_its_primary_says_so():
    copying = parse(REPLICA.replace("status:up", "status:down").replace("progress:0", "progress:1"))

    assert (copying.link_up, copying.is_copying) == (False, True)


class Engine:
    """Answers each command with the next of some replies; None: not at all."""

    def __init__(self, *replies):
        self.replies, self.connections = list(replies), 0

    async def serve(self, reader, writer):
        self.connections += 1
        while line := await reader.readline():
            for _ in range(int(line[1:])):
                await reader.readexactly(int((await reader.readline())[1:]) + 2)
            reply = self.replies.pop(0)
            if reply is not None:
                writer.write(reply)
        writer.close()


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


def with_engine(tmp_path, engine, use):
    async def run():
        path = tmp_path / "s"
        server = await asyncio.start_unix_server(engine.serve, str(path))
        administrator = Administrator("secret", lambda _: path)
        try:
            return await use(administrator)
        finally:
            administrator.close()
            server.close()

    return asyncio.run(run())


def test_the_connection_is_kept(tmp_path):
    engine = Engine(b"+OK\r\n", bulk(PRIMARY), bulk(REPLICA), b"+OK\r\n")

    async def use(administrator):
        first, second = await administrator.replication(NODE), await administrator.replication(NODE)
        await administrator.command(NODE, "REPLICAOF", "NO", "ONE")
        return first.role, second.role

    assert with_engine(tmp_path, engine, use) == ("primary", "replica")
    assert engine.connections == 1


def test_two_who_ask_at_the_same_time_get_their_own_answers(tmp_path):
    engine = Engine(b"+OK\r\n", bulk(PRIMARY), b"+OK\r\n", bulk(REPLICA))

    async def use(administrator):
        order = administrator.command(NODE, "REPLICAOF", "NO", "ONE")
        ask = administrator.replication
        first, _, second = await asyncio.gather(ask(NODE), order, ask(NODE))
        return first.role, second.role

    assert with_engine(tmp_path, engine, use) == ("primary", "replica")
    assert engine.connections == 1


@pytest.mark.parametrize("word", ["BUSY a script", "LOADING the dataset"])
def test_a_busy_engine_lives(tmp_path, word):
    engine = Engine(b"+OK\r\n", f"-{word}\r\n".encode())

    assert with_engine(tmp_path, engine, lambda administrator: administrator.replication(NODE)) is None


def test_a_silent_engine_is_asked_on_another_connection_next_time(tmp_path):
    engine = Engine(b"+OK\r\n", None, b"+OK\r\n", bulk(PRIMARY))

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "primary"
    assert engine.connections == 2


def test_a_refused_order_is_an_error(tmp_path):
    engine = Engine(b"+OK\r\n", b"-ERR no\r\n")

    with pytest.raises(HostError, match="ERR no"):
        with_engine(tmp_path, engine, lambda administrator: administrator.command(NODE, "CLIENT", "PAUSE"))


def test_the_kernel_says_whether_a_process_runs_is_stopped_or_has_ended():
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert vital(process.pid) == Vital(is_stopped=False, ticks=0)
            process.send_signal(signal.SIGSTOP)
            end = time.monotonic() + 5
            while not vital(process.pid).is_stopped:
                assert time.monotonic() < end
        finally:
            process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert vital(process.pid) is None, "a zombie has ended"
    assert vital(process.pid) is None


def test_a_connection_arrives_or_not():
    async def run(port):
        return await connects(socket.socket(), "127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(run(server.getsockname()[1]))
        port = server.getsockname()[1]
    assert not asyncio.run(run(port))
