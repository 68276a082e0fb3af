"""A server as boto3 sees it: most programs do, and pay for its parsing of XML."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from bench.peers.wire import ANSWER_SECONDS_MAX, KEY, REGION, Drive

THREADS = 8


class Boto:
    """Clients of one server; each is made once, for that takes longer than most calls."""

    def __init__(self, port: int) -> None:
        config = Config(
            retries={"total_max_attempts": 1},
            read_timeout=ANSWER_SECONDS_MAX,
            connect_timeout=5,
            max_pool_connections=THREADS,
            proxies={},
        )
        session = boto3.session.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY, region_name=REGION)
        make = {"endpoint_url": f"http://127.0.0.1:{port}", "config": config}
        self.ec2: Any = session.client("ec2", **make)
        self.elasticache: Any = session.client("elasticache", **make)
        self._numbers = itertools.count()

    def next(self) -> int:
        """Return 0, then 1, and so on."""
        return next(self._numbers)


def repeat(call: Callable[[], Any], *, threads: int, calls_max: int, seconds_max: float) -> Drive:
    """Call again and again from each thread; what is on its way at the end is waited for and counted."""
    begun = time.perf_counter()
    took: list[float] = []
    end, lock = begun + seconds_max, threading.Lock()
    left = calls_max

    def work() -> None:
        nonlocal left
        while True:
            with lock:
                if left <= 0 or (took and time.perf_counter() >= end):
                    return
                left -= 1
            sent = time.perf_counter()
            call()
            took.append(time.perf_counter() - sent)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    return Drive(tuple(took), time.perf_counter() - begun, b"")
