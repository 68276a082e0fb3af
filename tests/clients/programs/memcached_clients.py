"""pymemcache and emcache over the nodes of a cluster: the keys are spread by the clients."""

import asyncio
import sys

import emcache
from pymemcache.client.hash import HashClient

nodes = sys.argv[1:]
hashed = HashClient([(name, 11211) for name in nodes], connect_timeout=10, timeout=10)
hashed.set_many({f"p{n}": str(n) for n in range(50)})
print(sum(int(value) for value in hashed.get_many([f"p{n}" for n in range(50)]).values()))


async def main():
    client = await emcache.create_client([emcache.MemcachedHostAddress(name, 11211) for name in nodes], timeout=10)
    for n in range(50):
        await client.set(f"e{n}".encode(), str(n).encode())
    found = await client.get_many([f"e{n}".encode() for n in range(50)])
    print(sum(int(item.value) for item in found.values()))
    await client.close()


asyncio.run(main())
