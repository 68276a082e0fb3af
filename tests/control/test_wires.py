"""The network loop, on paper: when it looks, and whom it lets go on."""

import asyncio

from atoll.control import wires
from atoll.control.services import Services
from atoll.control.wires import Wires
from atoll.front import Front
from atoll.host.paper import PaperHost
from atoll.model.kinds import KINDS
from atoll.store.sqlite import Store, utc_now


def test_a_world_that_was_there_before_is_in_force_at_once(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    store = Store(":memory:", KINDS)
    services = Services(store, utc_now, lambda _: Front(None, [], None))  # there is no endpoint

    async def run():
        loop = Wires(lambda: store.world, PaperHost(), services, lambda *_: None)
        task = asyncio.create_task(loop.run())
        try:
            return await loop.in_force(store.world.revision)
        finally:
            task.cancel()
            loop.close()

    assert asyncio.run(run())
