"""The simulated hardware: each zone has racks, and each rack has hosts.  Arithmetic over names; nothing runs here.

    zone us-east-1a   rack us-east-1a-r3   host us-east-1a-r3-h2

A rack fails as a whole (power, switch), and so does a host.  All accounts stand on the same hardware.
"""

from collections.abc import Iterable
from functools import lru_cache

from atoll.model.instance import Instance
from atoll.model.world import World

RACKS = 8  # of a zone: one more than a spread or partition group may use, so that one may fail
HOSTS_PER_RACK = 4


@lru_cache(maxsize=1024)
def hosts_of(zone: str) -> tuple[str, ...]:
    """Return the hosts of a zone, in the order in which they fill: neighbours are in different racks."""
    return tuple(f"{zone}-r{rack + 1}-h{n + 1}" for n in range(HOSTS_PER_RACK) for rack in range(RACKS))


def racks_of(zone: str) -> tuple[str, ...]:
    """Return the racks of a zone."""
    return tuple(f"{zone}-r{n + 1}" for n in range(RACKS))


def rack_of(host: str) -> str:
    """Return the rack of a host."""
    return host.rpartition("-h")[0]


def zone_of(place: str) -> str:
    """Return the zone of a host or of a rack."""
    return place.rpartition("-r")[0]


def emptiest(world: World, hosts: Iterable[str]) -> str | None:
    """Return the host with the fewest instances, the first of several; `None` if there is no host."""
    found, least = None, 0
    for host in hosts:
        count = len(world.bucket(Instance, "host", host))
        if found is None or count < least:
            found, least = host, count
        if count == 0:
            break  # none has fewer
    return found
