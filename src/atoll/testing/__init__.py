"""Worlds for tests: `import atoll`, or the fixtures of the pytest plugin.  See docs/testing.md.

    with atoll.world() as world:
        cache = world.cache(engine="valkey")
        app = world.instance()
        with app.inside():
            redis.Redis(cache.host).ping()
        world.assert_blocked("198.51.100.27", cache)

What it does is a user's own calls: nothing here knows more of Atoll than a person with the command line does.
"""

from atoll.testing.cache import Cache, Failover
from atoll.testing.daemon import AtollError
from atoll.testing.instance import Completed, Instance
from atoll.testing.vpc import Vpc
from atoll.testing.world import World, world

__all__ = ["AtollError", "Cache", "Completed", "Failover", "Instance", "Vpc", "World", "world"]
