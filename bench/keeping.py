"""(i) Snapshots: how fast data get into a file, and from it into a new cache, over the bare engine's BGSAVE and load.

Ours is the whole call: from CreateSnapshot until DescribeSnapshots says `available` (fsynced, named, written down),
and from CreateReplicationGroup until the group is.  Values are random, so that compression does not make them small.
"""

import contextlib
import itertools
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.ground import Api, end, one, running, until
from bench.rows import Asked, Row, interleave, rows

VALUE_BYTES = 10_000
MB = 1_000_000
_numbers = itertools.count()


def measure(rounds: int, megabytes: int) -> list[Row]:
    """Take and restore `rounds` snapshots of so many megabytes."""
    with running() as atoll, tempfile.TemporaryDirectory(prefix="ab-", dir="/tmp") as directory:
        engine = atoll.engine("redis")
        with _bare(engine, directory) as port:
            _fill(port, megabytes)
            _bgsave(port, megabytes)
            bucket = atoll.state / "objects" / "bench"
            bucket.mkdir(parents=True)
            Path(directory, "dump.rdb").rename(bucket / "dump.rdb")
            _group(atoll.api, "source", **{"SnapshotArns.SnapshotArn.1": "arn:aws:s3:::bench/dump.rdb"})
            save, load = f"snapshot of {megabytes} MB", f"restore of {megabytes} MB"
            measures = {
                save: partial(_snapshot, atoll.api, megabytes),
                "BGSAVE of the bare engine": partial(_bgsave, port, megabytes),
                load: partial(_restore, atoll.api, megabytes),
                "start of the bare engine with the file": partial(_load, engine, bucket / "dump.rdb", megabytes),
            }
            interleave(measures, 1)
            series = interleave(measures, rounds)
    asked = [
        Asked(series=save, unit="MB/s", baseline="BGSAVE of the bare engine"),
        Asked(series=load, unit="MB/s", baseline="start of the bare engine with the file"),
    ]
    return rows("snapshots", series, asked)


def _snapshot(api: Api, megabytes: int) -> float:
    name = f"s{next(_numbers)}"
    begun = time.perf_counter()
    api.cache("CreateSnapshot", SnapshotName=name, ReplicationGroupId="source")
    until(lambda: one(api.cache("DescribeSnapshots", SnapshotName=name), "SnapshotStatus") == "available", 0.002)
    speed = megabytes / (time.perf_counter() - begun)
    api.cache("DeleteSnapshot", SnapshotName=name)
    _available(api, "source")
    return speed


def _restore(api: Api, megabytes: int) -> float:
    name = f"r{next(_numbers)}"
    begun = time.perf_counter()
    _group(api, name, **{"SnapshotArns.SnapshotArn.1": "arn:aws:s3:::bench/dump.rdb"})
    speed = megabytes / (time.perf_counter() - begun)
    api.cache("DeleteReplicationGroup", ReplicationGroupId=name)
    return speed


def _group(api: Api, name: str, **more: str) -> None:
    named = {"ReplicationGroupId": name, "ReplicationGroupDescription": "d", "CacheNodeType": "cache.t3.small"}
    api.cache("CreateReplicationGroup", Engine="redis", NumCacheClusters=1, **named, **more)
    _available(api, name)


def _available(api: Api, name: str) -> None:
    asked = partial(api.cache, "DescribeReplicationGroups", ReplicationGroupId=name)
    until(lambda: one(asked(), "Status") == "available", 0.002)


@contextlib.contextmanager
def _bare(engine: str, directory: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    silent = subprocess.DEVNULL
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, executable=engine, cwd=directory, stdout=silent, stderr=silent, text=True)
    try:
        until(lambda: _ask(port, "PING") == "+PONG")
        yield port
    finally:
        end([process])


def _fill(port: int, megabytes: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as answers:
        for n in range(megabytes * MB // VALUE_BYTES):
            key = f"key:{n}".encode()
            head = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key, VALUE_BYTES)
            sock.sendall(head + os.urandom(VALUE_BYTES) + b"\r\n")
            answers.readline()


def _bgsave(port: int, megabytes: int) -> float:
    begun = time.perf_counter()
    _ask(port, "BGSAVE")
    until(lambda: "rdb_bgsave_in_progress:0" in _ask(port, "INFO", "persistence"), 0.002)
    return megabytes / (time.perf_counter() - begun)


def _load(engine: str, file: Path, megabytes: int) -> float:
    with tempfile.TemporaryDirectory(prefix="ab-", dir="/tmp") as directory:
        Path(directory, "dump.rdb").symlink_to(file)
        begun = time.perf_counter()
        with _bare(engine, directory):
            return megabytes / (time.perf_counter() - begun)


def _ask(port: int, *words: str) -> str:
    """Return the answer to one command, or nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as sock:
            sock.sendall(f"{' '.join(words)}\r\n".encode())
            answer = sock.recv(65536).decode(errors="replace")
            return answer if answer.startswith("$") else answer.strip()
    except OSError:
        return ""
