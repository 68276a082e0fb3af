"""What a resource weighs in the World: decoded as a start does, and counted by Python."""

import tracemalloc
from collections.abc import Mapping
from pathlib import Path

from atoll.model.kinds import KINDS
from atoll.store.codec import decode, encode
from atoll.store.sqlite import Store

SHOWN = ("SecurityGroup", "Interface", "Instance", "Volume", "CacheCluster")


def measure(state: Path) -> Mapping[str, float]:
    """Return the kilobytes of a resource of each kind, in a store whose daemon is down."""
    store = Store(state / "atoll.db", KINDS)
    try:
        texts = {
            kind: [encode(resource) for resource in store.world.all(kind)]
            for kind in KINDS
            if kind.__name__ in SHOWN
        }
    finally:
        store.close()
    found = {}
    for kind, written in texts.items():
        decode(kind, written[0])  # the decoder is made once
        tracemalloc.start()
        table = {i: decode(kind, text) for i, text in enumerate(written)}
        found[kind.__name__] = tracemalloc.get_traced_memory()[0] / len(table) / 1e3
        tracemalloc.stop()
    return found
