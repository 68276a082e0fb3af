"""Cluster clients that write numbered records until a line comes on standard input: run inside the VPC.

    python cluster_writer.py ENDPOINT RUN

One thread of redis-py and one of valkey-py.  Each reads a record of its own back now and then.  At the end both read
everything that was acknowledged, and what happened is printed as JSON.
"""

import json
import sys
import threading
import time

import redis
import valkey

LIBRARIES = {"redis-py": redis.RedisCluster, "valkey-py": valkey.ValkeyCluster}


class Writer:
    def __init__(self, library, endpoint, run):
        self.library, self.run = library, run
        self.client = LIBRARIES[library](host=endpoint, port=6379)
        self.acks, self.errors, self.slowest, self.stopped = [], [], 0.0, False

    def key(self, record):
        return f"{self.run}:{self.library}:{record}"

    def write(self):
        record = 0
        while not self.stopped:
            record += 1
            begun = time.monotonic()
            try:
                self.client.set(self.key(record), record)
                self.acks.append(record)
                if record % 5 == 0:
                    before = self.acks[len(self.acks) // 2]
                    if (found := self.client.get(self.key(before))) != str(before).encode():
                        self.errors.append(f"record {before} read as {found!r}")
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}"[:200])
                time.sleep(0.005)
            time.sleep(0.0005)  # all share a machine
            self.slowest = max(self.slowest, time.monotonic() - begun)

    def lost(self):
        return [r for r in self.acks if self.client.get(self.key(r)) != str(r).encode()]


writers = [Writer(library, *sys.argv[1:3]) for library in LIBRARIES]
threads = [threading.Thread(target=writer.write) for writer in writers]
for thread in threads:
    thread.start()
while not all(writer.acks for writer in writers):
    time.sleep(0.01)
print("ready", flush=True)
sys.stdin.readline()
for writer in writers:
    writer.stopped = True
for thread in threads:
    thread.join()
print(json.dumps({
    "acks": {w.library: len(w.acks) for w in writers},
    "errors": [e for w in writers for e in w.errors],
    "lost": [w.key(r) for w in writers for r in w.lost()],
    "slowest_ms": round(1000 * max(w.slowest for w in writers), 1),
}), flush=True)  # fmt: skip
