"""What an engine says of its role, and what the kernel says of a process."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
import uvloop

from atoll.host.contract import HostError, Replication, Vital
from atoll.host.engine import replication
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
    """Answers each command with the next of some replies; None: not at all, a number: so many seconds later."""

    def __init__(self, *replies):
        self.replies, self.connections = list(replies), 0

    async def serve(self, reader, writer):
        self.connections += 1
        while line := await reader.readline():
            for _ in range(int(line[1:])):
                await reader.readexactly(int((await reader.readline())[1:]) + 2)
            reply = self.replies.pop(0)
            if isinstance(reply, float):
                await asyncio.sleep(reply)
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


def test_an_order_for_the_process_that_answered_is_not_given_to_the_next_one(tmp_path):
    engine = Engine(b"+OK\r\n", bulk(REPLICA), b"+OK\r\n", bulk(REPLICA), b"+OK\r\n")

    async def use(administrator):
        said = await administrator.replication(NODE)
        administrator.forget(NODE.process)
        with pytest.raises(HostError, match="another process"):
            await administrator.command(NODE, "REPLICAOF", "NO", "ONE", run=said.run)
        again = await administrator.replication(NODE)
        with pytest.raises(HostError, match="another process"):
            await administrator.command(NODE, "REPLICAOF", "NO", "ONE", run=said.run)
        await administrator.command(NODE, "REPLICAOF", "NO", "ONE", run=again.run)

    with_engine(tmp_path, engine, use)

    assert engine.replies == []


@pytest.mark.parametrize("word", ["BUSY a script", "LOADING the dataset"])
def test_a_busy_engine_lives(tmp_path, word):
    engine = Engine(b"+OK\r\n", f"-{word}\r\n".encode())

    assert with_engine(tmp_path, engine, lambda administrator: administrator.replication(NODE)) is None


def test_an_answer_that_comes_late_shows_that_the_engine_lives(tmp_path, monkeypatch):
    """And only that: how things are by then, it is asked anew."""
    monkeypatch.setattr(replication, "SLOW_SECONDS", 20.0)  # on a busy machine
    engine = Engine(b"+OK\r\n", 1.0, bulk(PRIMARY), bulk(REPLICA))

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        await asyncio.sleep(1.0)
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "replica"
    assert engine.connections == 1


def test_one_that_answers_late_each_time_is_slow_and_not_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "SLOW_SECONDS", 0.1)
    engine = Engine(b"+OK\r\n", *(0.15, bulk(PRIMARY)) * 4)

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        return [await administrator.replication(NODE) for _ in range(3)]

    assert with_engine(tmp_path, engine, use) == [None, None, None]
    assert engine.connections == 1


def test_one_that_was_slow_is_given_longer_to_say_its_role(tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "SLOW_SECONDS", 20.0)  # on a busy machine
    engine = Engine(b"+OK\r\n", *(0.15, bulk(PRIMARY)) * 2)

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "primary"


def test_an_order_comes_after_the_answer_to_what_was_asked_before(tmp_path):
    engine = Engine(b"+OK\r\n", 0.2, bulk(PRIMARY), b"-ERR no\r\n", bulk(REPLICA))

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        with pytest.raises(HostError, match="ERR no"):
            await administrator.command(NODE, "REPLICAOF", "NO", "ONE")
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "replica"
    assert engine.connections == 1


def test_an_order_to_a_silent_engine_fails_and_the_next_one_has_a_connection_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "ORDER_SECONDS", 0.1)
    engine = Engine(b"+OK\r\n", None, b"+OK\r\n", b"+OK\r\n")

    async def use(administrator):
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        with pytest.raises(HostError, match="Timeout"):
            await administrator.command(NODE, "REPLICAOF", "NO", "ONE")
        await administrator.command(NODE, "REPLICAOF", "NO", "ONE")

    with_engine(tmp_path, engine, use)
    assert engine.connections == 2


def test_a_question_that_was_given_up_for_an_order_is_no_answer_to_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "ORDER_SECONDS", 0.1)
    engine = Engine(b"+OK\r\n", None, b"+OK\r\n", None, b"+OK\r\n", bulk(PRIMARY))

    async def use(administrator):
        with pytest.raises(HostError, match="nothing within"):
            await administrator.replication(NODE)
        with pytest.raises(HostError, match="nothing within"):
            await administrator.known(NODE)
        with pytest.raises(HostError, match="nothing within"):  # who looks must not be cancelled with the question
            await administrator.replication(NODE)
        with pytest.raises(HostError, match="nothing within"):
            await administrator.known(NODE)
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "primary"


def test_a_silent_engine_is_asked_on_another_connection_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "PATIENCE_SECONDS", 0.25)
    engine = Engine(b"+OK\r\n", None, b"+OK\r\n", bulk(PRIMARY))

    async def use(administrator):
        for _ in range(2):
            with pytest.raises(HostError, match="nothing within"):
                await administrator.replication(NODE)
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        return await administrator.replication(NODE)

    assert with_engine(tmp_path, engine, use).role == "primary"
    assert engine.connections == 2


def test_an_engine_that_ends_while_it_is_asked_leaves_nothing_to_be_told(tmp_path):
    engine, told = Engine(b"+OK\r\n", None), []

    async def use(administrator):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        with pytest.raises(HostError, match="Timeout"):
            await administrator.replication(NODE)
        administrator.forget(NODE.process)
        await asyncio.sleep(0.01)
        gc.collect()

    with_engine(tmp_path, engine, use)
    assert told == []


def test_an_answer_that_came_while_we_were_away_is_in_time(tmp_path):
    """The loop of the daemon looks at its timers before it reads."""
    path = tmp_path / "s"

    def serve(listener):
        with listener.accept()[0] as engine:
            for reply in (b"+OK\r\n", bulk(PRIMARY), bulk(REPLICA)):
                if not engine.recv(1000):
                    return
                engine.sendall(reply)

    async def ask():
        administrator = Administrator("secret", lambda _: path)
        await administrator.replication(NODE)
        asyncio.get_running_loop().call_soon(time.sleep, 2 * replication.ANSWER_SECONDS)  # once it is asked
        try:
            return await administrator.replication(NODE)
        finally:
            administrator.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        assert uvloop.run(ask()).role == "replica"
        thread.join(5)


def test_a_refused_order_is_an_error(tmp_path):
    engine = Engine(b"+OK\r\n", b"-ERR no\r\n")

    with pytest.raises(HostError, match="ERR no"):
        with_engine(tmp_path, engine, lambda administrator: administrator.command(NODE, "CLIENT", "PAUSE"))


@pytest.mark.parametrize(
    "strange",
    [
        b"+" + b"a\r" * (1 << 20) + b"\r\n",
        b"$8000000000\r\n:1\r\n",
        b"*4000000000\r\n:1\r\n:1\r\n",
        b"*2\r\n-ERR no\r\n:1\r\n",
        b"?\r\n:1\r\n",
    ],
    ids=["a line too long", "a text too long", "a list too long", "an error in a list", "no answer"],
)
def test_who_does_not_speak_as_an_engine_does_is_hung_up_on_and_asked_anew(tmp_path, strange):
    engine = Engine(b"+OK\r\n", strange, b"+OK\r\n", bulk(REPLICA))

    async def use(administrator):
        with pytest.raises(HostError, match="Breach"):
            await administrator.replication(NODE)
        return (await administrator.replication(NODE)).role

    assert with_engine(tmp_path, engine, use) == "replica"
    assert engine.connections == 2


@pytest.mark.parametrize("said", [PRIMARY.replace("120", "x"), REPLICA.replace("6379", "x")])
def test_an_answer_without_numbers_is_an_error(tmp_path, said):
    engine = Engine(b"+OK\r\n", bulk(said))

    with pytest.raises(HostError, match="not an answer to INFO"):
        with_engine(tmp_path, engine, lambda administrator: administrator.replication(NODE))


def test_a_cluster_without_numbers_is_an_error(tmp_path):
    engine = Engine(b"+OK\r\n", bulk("aa 10.0.1.4:6379@16379 myself,master - 0 0 x connected"))

    with pytest.raises(HostError, match="not an answer to CLUSTER NODES"):
        with_engine(tmp_path, engine, lambda administrator: administrator.known(NODE))


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
