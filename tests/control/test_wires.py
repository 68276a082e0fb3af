"""The network loop, on paper: when it looks, and whom it lets go on."""

import asyncio
from dataclasses import replace

from atoll.control import news, wires
from atoll.control.services import Services
from atoll.control.wires import Wires
from atoll.ec2.defaults import open_territory
from atoll.front import Front
from atoll.host.paper import PaperHost
from atoll.model.keypair import KeyPair
from atoll.model.kinds import KINDS
from atoll.model.world import Caller
from atoll.store.sqlite import Store, utc_now

REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "eu-north-1")
CALLER = Caller(account="000000000000", region="us-east-1", arn="arn:aws:iam::000000000000:root")


def network(store):
    services = Services(store, utc_now, lambda _: Front(None, [], None))  # there is no endpoint
    return Wires(lambda: store.world, PaperHost(), services, lambda *_: None)


def make_key(store):
    """Change what no network is made of."""
    about = {"kind": "rsa", "fingerprint": "", "public_key": ""}
    store.write(lambda tx: tx.make(KeyPair, "key-1", name="k", created=tx.now, **about), caller=CALLER)


def test_a_change_of_what_no_network_is_made_of_is_in_force_without_a_round(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store)
        store.watch(lambda _: loop.wake())
        task = asyncio.create_task(loop.run())
        try:
            assert await loop.in_force(store.world.revision)
            rounds = loop.report.rounds
            make_key(store)
            assert await loop.in_force(store.world.revision)
            assert loop.report.revision == store.world.revision
            assert loop.report.rounds == rounds
            store.write(open_territory, caller=CALLER)
            assert await loop.in_force(store.world.revision)
            assert loop.report.rounds > rounds
        finally:
            task.cancel()
            loop.close()

    asyncio.run(run())


def test_who_waits_does_not_wait_for_the_end_of_a_burst(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    monkeypatch.setattr(wires, "BURST_SECONDS", 3600.0)
    assert len(REGIONS) > news.AT_ONCE_MAX
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store)
        store.watch(lambda _: loop.wake())
        task = asyncio.create_task(loop.run())
        try:
            for region in REGIONS:
                store.write(open_territory, caller=replace(CALLER, region=region))
                assert await loop.in_force(store.world.revision)
        finally:
            task.cancel()
            loop.close()

    asyncio.run(run())


def test_a_world_that_was_there_before_is_in_force_at_once(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store)
        task = asyncio.create_task(loop.run())
        try:
            return await loop.in_force(store.world.revision)
        finally:
            task.cancel()
            loop.close()

    assert asyncio.run(run())
