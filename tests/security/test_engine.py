"""An account that would have its words become the configuration of an engine, which runs outside of instances.

And an engine into which a client has broken, which answers the daemon with what it likes.
"""

import asyncio
import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from atoll.cache.config import server_text
from atoll.host.engine import announcing, dumping, memcached_binary
from atoll.host.engine.resp import Breach, Connection
from atoll.host.engine.resp_pipe import Pipe
from atoll.host.errors import HostError
from tests.api.conftest import cache, paper  # noqa: F401
from tests.cache.test_config import plan

LINE = "A\nloadmodule /tmp/mine.so"


@pytest.mark.parametrize("value", [LINE, "A\rx", "A x", '"A', "A\\", "q", "A\u2028x"])
def test_no_parameter_takes_what_is_a_line_of_a_configuration(cache, value):  # noqa: F811
    cache.create_cache_parameter_group(
        CacheParameterGroupName="g", CacheParameterGroupFamily="valkey8", Description="x"
    )

    with pytest.raises(ClientError, match="is invalid"):
        cache.modify_cache_parameter_group(
            CacheParameterGroupName="g",
            ParameterNameValues=[{"ParameterName": "notify-keyspace-events", "ParameterValue": value}],
        )


def test_no_value_of_another_installations_world_is_a_line_of_a_configuration():
    node = plan(parameters=(("notify-keyspace-events", LINE),))

    lines = server_text(node, directory="/d", socket="/d/s", password="secret").splitlines()

    assert "notify-keyspace-events A loadmodule /tmp/mine.so" in lines, "which the engine refuses"
    assert not [line for line in lines if line.startswith("loadmodule")]


@contextlib.asynccontextmanager
async def broken(place, *said):
    """Listen as an engine's administration socket does, and say something else than an engine."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            await reader.read(100)
            writer.write(b"+OK\r\n")
            await reader.read(100)
            for piece in said:
                writer.write(piece)
                await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, place / "s")
    try:
        yield place / "s"
    finally:
        server.close()


@pytest.mark.parametrize("kind", [Connection, Pipe])
@pytest.mark.parametrize(
    "said",
    [
        [b"a" * (1 << 16)] * 40,
        [b"$8000000000\r\n", *[b"a" * (1 << 16)] * 10],
        [b"*1\r\n" * 20_000],
        [b"*4000000000\r\n" + b":1\r\n" * 20_000],
    ],
    ids=["a line without end", "a text of eight gigabytes", "lists in lists", "a list without end"],
)
def test_an_engine_that_was_broken_into_is_not_listened_to_for_ever(tmp_path, kind, said):
    async def run():
        async with broken(tmp_path, *said) as place, kind(place, "admin", "x") as engine:
            with pytest.raises(Breach, match=r"it says|not RESP"):
                await (engine.pipe([("INFO",)]) if kind is Pipe else engine.ask("INFO"))

    asyncio.run(run())


def test_a_memcached_that_was_broken_into_is_not_listened_to_for_ever():
    async def run():
        told = asyncio.StreamReader(limit=4 << 10)
        told.feed_data(b"a" * (1 << 16))
        with pytest.raises(ValueError, match="not an answer"):
            await announcing._ask(SimpleNamespace(reader=told, writer=SimpleNamespace(write=len)), b"me x\r\n")
        endless = asyncio.StreamReader()
        endless.feed_data(bytes.fromhex("81100001000000000000000200000000" + "00" * 8 + "6161") * 5_000)
        with pytest.raises(ValueError, match="without end"):
            await memcached_binary.statistics(endless, SimpleNamespace(write=len))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("first", "because"),
    [(b"$9" + b"0" * 15, "more than it can hold"), (b"$EOF:" + b"e" * 40, "more than it can hold"),
     (b"$-1", "not a length"), (b"$9" + b"0" * 100, "not a length")],
)  # fmt: skip
def test_an_engine_that_was_broken_into_does_not_fill_the_disk_by_a_snapshot(tmp_path, first, because):
    ours, its = socket.socketpair()

    def say():
        with contextlib.suppress(OSError):
            its.sendall(first + b"\r\nREDIS0011")
            while True:
                its.sendall(bytes(1 << 16))

    saying = threading.Thread(target=say)
    saying.start()
    with ours, its:
        with pytest.raises(HostError, match=because):
            dumping._dump(ours, tmp_path / "dump", "node", 100, bytes_max=4 << 20)
        ours.shutdown(socket.SHUT_RDWR)
        saying.join(20)

    assert (tmp_path / "dump").stat().st_size <= (4 << 20) + dumping.CHUNK_BYTES
