"""What an engine is told that leaves its data to its next process."""

import asyncio

from atoll.cache.config import NO_WRITES
from atoll.host.engine import carry


class Engine:
    """An engine that has written its data when it is asked for the second time."""

    def __init__(self):
        self.told, self.looks = [], 0

    async def ask(self, *words):
        if words == ("INFO", "persistence"):
            self.looks += 1
            return f"rdb_bgsave_in_progress:{int(self.looks < 2)}\r\nrdb_last_bgsave_status:ok\r\n"
        self.told.append(words)
        return "OK"


def test_a_primary_holds_writes_back_and_then_refuses_them():
    engine = Engine()

    asyncio.run(carry.save(engine, is_copy=False))

    held = ("CLIENT", "PAUSE", str(carry.HOLD_MILLISECONDS), "WRITE")
    assert engine.told == [held, ("BGSAVE",), held, *(("CONFIG", "SET", *one) for one in NO_WRITES)]
    assert engine.looks == 2


def test_a_copy_is_told_nothing_that_somebody_would_have_to_take_back():
    engine = Engine()

    asyncio.run(carry.save(engine, is_copy=True))

    assert engine.told == [("BGSAVE",)]
    assert engine.looks == 2, "it is waited for all the same"
