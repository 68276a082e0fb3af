"""emcache with auto discovery: it is given the configuration endpoint, and told of the nodes by the cluster.

It writes and reads all the time, says how many nodes it knows whenever that changes, and ends with the last number
that it was given.
"""

import asyncio
import sys

import emcache

endpoint, *numbers = sys.argv[1:]
POLL_SECONDS, PATIENCE_SECONDS = 0.2, 60


async def main():
    client = await emcache.create_client(
        [emcache.MemcachedHostAddress(endpoint, 11211)],
        timeout=10,
        autodiscovery=True,
        autodiscovery_poll_interval=POLL_SECONDS,
    )
    for number in map(int, numbers):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(client.cluster_managment().nodes()) != number:  # noqa: ASYNC110  (somebody else changes it)
                await asyncio.sleep(POLL_SECONDS / 10)
        for n in range(100):
            await client.set(f"e{n}".encode(), str(n).encode())
        found = await client.get_many([f"e{n}".encode() for n in range(100)])
        print(number, sum(int(item.value) for item in found.values()), flush=True)
    await client.close()


asyncio.run(main())
