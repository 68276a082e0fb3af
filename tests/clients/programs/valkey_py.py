"""valkey-py: the fork of redis-py, synchronous and asynchronous."""

import asyncio
import sys

import valkey
import valkey.asyncio

host = sys.argv[1]
cache = valkey.Valkey(host, decode_responses=True, socket_timeout=10)
print(cache.pipeline().set("v", 1).incr("v").execute())
print(cache.zadd("board", {"ann": 3, "bob": 5}), cache.zrevrange("board", 0, 0))


async def main():
    async with valkey.asyncio.Valkey(host=host, decode_responses=True, socket_timeout=10) as other:
        print(sorted(await asyncio.gather(*(other.incr("v") for _ in range(3)))))  # each by its own connection


asyncio.run(main())
