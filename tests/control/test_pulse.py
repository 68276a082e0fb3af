"""What each loop did, and when it looks again: told of the loop in whose task it happened."""

import asyncio

from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.pulse import Pulses, rest


def run(**loops):
    """Run loops until all have waited once; returns what is told of them, by name."""

    async def main():
        pulses = Pulses()
        tasks = [pulses.begin(name, loop()) for name, loop in loops.items()]
        for _ in range(10):  # turns of the event loop; each needs three
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {one["name"]: one for one in pulses.told()}

    return asyncio.run(main())


def test_what_a_loop_or_its_task_logs_is_its_doing_with_the_reason():
    async def near():
        log("failover", group="sessions", because="no answer for 5.2 s")
        await rest(60)

    async def far():
        async def child():
            log("node is silent", node="pages-1")

        await asyncio.create_task(child())
        await News().wait(None)

    told = run(near=near, far=far)

    assert (told["near"]["did"], told["near"]["about"]) == ("failover", "sessions")
    assert told["near"]["because"] == "no answer for 5.2 s"
    assert (told["far"]["did"], told["far"]["about"], told["far"]["because"]) == ("node is silent", "pages-1", "")


def test_a_loop_says_when_it_looks_again_or_that_it_waits_for_news():
    async def clocked():
        await rest(60)

    async def woken():
        await News().wait(None)

    told = run(clocked=clocked, woken=woken)

    assert told["clocked"]["next"] > told["clocked"]["looked"]
    assert told["woken"]["next"] is None


def test_a_mistake_is_told_too():
    async def loop():
        with going_on("machine round"):
            raise KeyError("i-1")
        await rest(60)

    assert run(loop=loop)["loop"]["because"] == "KeyError('i-1')"


def test_what_is_logged_outside_of_a_loop_is_nobodys_doing():
    async def loop():
        await rest(60)

    log("ready")

    assert run(loop=loop)["loop"]["did"] == ""
