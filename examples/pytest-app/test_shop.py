"""The app's own tests: nothing in them knows of Atoll.  pytest.ini has the two lines that put them into a VPC."""

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis.asyncio
import shop


def test_a_basket_counts():
    shop.add("ann", "pear")
    assert shop.add("ann", "pear") == 2
    assert shop.items("ann") == {"pear": 2}


@pytest.mark.parametrize("name", ["ann", "bob", "cid"])
def test_every_test_begins_with_an_empty_cache(name):
    assert shop.items(name) == {}
    shop.add(name, "plum")


def test_threads_of_the_app_are_inside_too():
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: shop.add("all", f"item {n}"), range(20)))
    assert len(shop.items("all")) == 20


def test_so_is_asyncio():
    async def ping() -> bool:
        async with redis.asyncio.from_url(os.environ["CACHE_URL"]) as cache:
            return await cache.ping()

    assert asyncio.run(ping())


def test_names_mean_what_they_mean_in_the_vpc():
    (found, *_) = socket.getaddrinfo(os.environ["CACHE_HOST"], 6379, type=socket.SOCK_STREAM)
    assert found[4][0].startswith("10.0.1.")
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("no-such-cache.example", 6379)
