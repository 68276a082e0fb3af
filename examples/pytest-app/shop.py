"""A shop's basket, kept in Valkey: the app whose suite this is."""

import os

import redis


def connect() -> redis.Redis:
    """Connect to the cache that the environment names."""
    return redis.Redis.from_url(os.environ["CACHE_URL"], decode_responses=True, socket_timeout=2)


def add(basket: str, item: str) -> int:
    """Put one more of an item into a basket; returns how many there are."""
    with connect() as cache:
        return int(cache.hincrby(f"basket:{basket}", item, 1))


def items(basket: str) -> dict[str, int]:
    """Return what is in a basket."""
    with connect() as cache:
        return {item: int(count) for item, count in cache.hgetall(f"basket:{basket}").items()}
