"""redis-py, in the user's own program, by `atoll run --in`: as an application uses a cache."""

import pytest

PROGRAM = """
import sys, threading, redis
cache = redis.Redis(sys.argv[1], decode_responses=True, socket_timeout=10)
with cache.pipeline(transaction=True) as pipe:
    print(pipe.set("a", 1).incr("a").expire("a", 60).execute())
print(cache.register_script("return redis.call('GET', KEYS[1]) .. ARGV[1]")(keys=["a"], args=["!"]))
print(cache.xadd("stream", {"k": "v"}) is not None, cache.xlen("stream"))

heard = cache.pubsub(ignore_subscribe_messages=True)
heard.subscribe("news")
heard.get_message(timeout=5)
print(cache.publish("news", "hello"), heard.get_message(timeout=5)["data"])

late = threading.Timer(0.2, lambda: cache.rpush("queue", "job"))
late.start()
print(cache.blpop("queue", timeout=5))

try:
    cache.lpush("a", 1)
except redis.exceptions.ResponseError as error:
    print(str(error).split()[0])
print(len(list(cache.scan_iter("*"))))
"""
EXPECTED = """[True, 2, True]
2!
True 1
1 hello
('queue', 'job')
WRONGTYPE
2
"""


@pytest.mark.parametrize("engine", ["redis", "valkey"])
def test_an_application_with_redis_py_runs_unchanged(stage, place, engine):
    endpoint = getattr(place, engine)

    said = stage.atoll.cli("run", "--in", place.app, "--", stage.python, "-c", PROGRAM, endpoint)

    assert said == EXPECTED
