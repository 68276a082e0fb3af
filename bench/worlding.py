"""(k) Worlds: a fresh one for a test, and a whole one in a file and back.

A fresh world is an account on a warm daemon; the time is from nothing to the first answer, or to an available
cache, by boto as a test has it.  Baselines: a Python that does nothing; the bare engine from exec to
its first PONG; the same bytes written to the disk.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import redis

import atoll
from atoll.cli import snapshot
from atoll.testing import Cache
from atoll.testing.daemon import Mode, shared, stop_all
from bench.keeping import MB, VALUE_BYTES, _bare
from bench.rows import Asked, Row, interleave, rows

NOTHING, BARE, BYTES = "`python -c pass`", "bare valkey, exec to PONG", "the same bytes, written and synced"
PAPER, REAL = "fresh world on paper, to the first answer", "fresh world with a VPC and a cache, to PONG"
ENDED, RESET = "end of such a world: its account is forgotten", "instead: atoll reset"


def measure(rounds: int, megabytes: int) -> list[Row]:
    """Make, end, save and load worlds `rounds` times."""
    with tempfile.TemporaryDirectory(prefix="ab-", dir="/tmp") as directory:
        try:
            for mode in ("paper", "real"):
                shared(mode, None)
            return [*_fresh(rounds, directory), *_kept(rounds, megabytes, Path(directory))]
        finally:
            stop_all()


def _fresh(rounds: int, directory: str) -> list[Row]:
    engine = _engine()
    measures = {
        NOTHING: _nothing,
        PAPER: partial(_answer, "paper"),
        BARE: partial(_pong_of, engine, directory),
        REAL: partial(_pong, "real"),
        ENDED: _forget,
        RESET: _reset,
    }
    interleave(measures, 1)
    asked = [
        Asked(series=PAPER, unit="ms", baseline=NOTHING, target="<= 50 ms"),
        Asked(series=REAL, unit="ms", baseline=BARE, target="<= 300 ms"),
        Asked(series=ENDED, unit="ms", baseline=RESET),
    ]
    return rows("worlds for tests", interleave(measures, rounds), asked)


def _nothing() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - begun) * 1_000


def _answer(mode: Mode) -> float:
    begun = time.perf_counter()
    with atoll.world(mode) as world:
        world.client("ec2").describe_vpcs()
        return (time.perf_counter() - begun) * 1_000


def _pong_of(engine: str, directory: str) -> float:
    begun = time.perf_counter()
    with _bare(engine, directory):
        return (time.perf_counter() - begun) * 1_000


def _pong(mode: Mode) -> float:
    begun = time.perf_counter()
    with atoll.world(mode) as world:
        world.cache()
        return (time.perf_counter() - begun) * 1_000


def _forget() -> float:
    with atoll.world() as world:
        world.cache()
        begun = time.perf_counter()
    return (time.perf_counter() - begun) * 1_000


def _reset() -> float:
    with atoll.world() as world:
        world.cache()
        begun = time.perf_counter()
        world.daemon.post("/_atoll/reset")
        return (time.perf_counter() - begun) * 1_000


def _kept(rounds: int, megabytes: int, directory: Path) -> list[Row]:
    with atoll.world() as world:
        cache, app, file = world.cache(CacheNodeType="cache.t3.small"), world.instance(), directory / "w.atoll"
        with app.inside(), redis.Redis(*cache.endpoint) as client:
            for number in range(megabytes * MB // VALUE_BYTES):
                client.set(f"key:{number}", os.urandom(VALUE_BYTES))
        save, load = f"save, {megabytes} MB", f"load, {megabytes} MB, until the cache is available"
        measures = {
            BYTES: partial(_written, directory, megabytes),
            save: partial(_save, file, megabytes),
            load: partial(_load, cache, file, megabytes),
        }
        interleave(measures, 1)
        series = interleave(measures, rounds)
    asked = [Asked(series=name, unit="MB/s", baseline=BYTES) for name in (save, load)]
    return rows("a world in a file", series, asked)


def _written(directory: Path, megabytes: int) -> float:
    text, begun = os.urandom(MB), time.perf_counter()
    with (directory / "bytes").open("wb") as file:
        for _ in range(megabytes):
            file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return megabytes / (time.perf_counter() - begun)


def _save(file: Path, megabytes: int) -> float:
    begun = time.perf_counter()
    with _quiet():
        snapshot.save(file, whole=True, as_json=False)
    return megabytes / (time.perf_counter() - begun)


def _load(cache: Cache, file: Path, megabytes: int) -> float:
    begun = time.perf_counter()
    with _quiet():
        snapshot.load(file, replace=True, as_json=False)
    cache.wait()
    return megabytes / (time.perf_counter() - begun)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _engine() -> str:
    """Return the program that Atoll runs for Valkey."""
    notes = json.loads((shared("real", None).state / "engines.json").read_text())
    return next(path for path, note in notes.items() if note["engine"] and note["engine"]["name"] == "valkey")
