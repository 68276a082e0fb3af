"""Django: its cache framework on Redis and on Memcached, and sessions kept in the cache."""

import sys

import django
from django.conf import settings

redis, *memcached = sys.argv[1:]
settings.configure(
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"redis://{redis}:6379/2"},
        "old": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": [f"{name}:11211" for name in memcached],
        },
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions"],
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402 - after setup
from django.core.cache import caches  # noqa: E402

for name in ("default", "old"):
    cache = caches[name]
    cache.set_many({f"k{n}": {"n": n} for n in range(20)}, timeout=60)
    cache.set("count", 1)
    found = cache.get_many([f"k{n}" for n in range(20)])
    print(name, sum(value["n"] for value in found.values()), cache.incr("count"))
session = SessionStore()
session["user"] = 7
session.save()
print(SessionStore(session.session_key)["user"])
