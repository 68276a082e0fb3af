"""TLS of nodes that run: done until it is so, noted once, and seen to when what speaks it has ended."""

import asyncio
from dataclasses import replace

from atoll.control.encryption import AGAIN_SECONDS, Encrypter
from atoll.host.contract import HostError
from tests.cache.test_terminator import NODE, SECURE


class Host:
    """Does what it is told, or says why not."""

    def __init__(self):
        self.did, self.refuses, self.runs, self.slow = [], None, True, asyncio.Event()
        self.slow.set()

    async def encrypt(self, node):
        await self.slow.wait()
        self.did.append(node.encryption)
        if self.refuses:
            raise HostError(self.refuses)

    def encrypts(self, node):
        return self.runs and node is not None


class Recorder:
    def __init__(self):
        self.noted = []

    def encrypted(self, node):
        self.noted.append(node.encryption)


def trial():
    host, record = Host(), Recorder()
    return host, record, Encrypter(host, record, dict)


def test_a_node_is_told_once_and_again_when_its_plan_is_another():
    async def run():
        host, record, encrypter = trial()
        now = asyncio.get_running_loop().time()
        plain, noted = replace(NODE, encryption=None), replace(NODE, encrypted="required")
        assert not encrypter.is_due(plain, now), "most nodes never had TLS"
        assert encrypter.is_due(NODE, now)

        await encrypter.encrypt(NODE)

        assert host.did == record.noted == [SECURE]
        assert not encrypter.is_due(noted, now)
        preferred = replace(noted, encryption=replace(SECURE, mode="preferred"))
        assert encrypter.is_due(preferred, now)
        assert encrypter.is_due(replace(noted, encryption=replace(SECURE, names=("b.example",))), now)
        assert encrypter.is_due(replace(noted, encryption=None), now), "it goes, too"
        assert encrypter.is_due(noted, now + AGAIN_SECONDS + 60), "certificates are looked at every day"

    asyncio.run(run())


def test_what_speaks_tls_is_started_again_when_it_has_ended():
    async def run():
        host, _, encrypter = trial()
        now, noted = asyncio.get_running_loop().time(), replace(NODE, encrypted="required")
        await encrypter.encrypt(noted)
        assert not encrypter.is_due(noted, now)

        host.runs = False

        assert encrypter.is_due(noted, now)

    asyncio.run(run())


def test_a_refusal_is_not_noted_and_is_tried_again_after_a_pause():
    async def run():
        host, record, encrypter = trial()
        host.refuses = "there is no HAProxy on this machine"

        await encrypter.encrypt(NODE)

        now = asyncio.get_running_loop().time()
        assert record.noted == []
        assert not encrypter.is_due(NODE, now)
        assert encrypter.is_due(NODE, now + 60)
        encrypter.keep(())
        assert encrypter.is_due(NODE, now), "what nobody wants any more is forgotten"

    asyncio.run(run())


def test_what_an_older_plan_says_is_over_before_the_newest_one_is_obeyed_and_never_comes_later():
    async def run():
        host, record, _ = trial()
        led_away = replace(NODE, encryption=replace(SECURE, elsewhere=("198.51.100.7", 6379)))
        newest = {NODE.process: led_away}
        encrypter = Encrypter(host, record, lambda: newest)
        host.slow.clear()
        older = asyncio.ensure_future(encrypter.encrypt(led_away))  # it starts a terminator anew, say
        await asyncio.sleep(0)
        newest[NODE.process] = NODE  # a cutover
        back = asyncio.ensure_future(encrypter.again(NODE))
        late = asyncio.ensure_future(encrypter.encrypt(led_away))  # asked for before the cutover
        await asyncio.sleep(0)
        assert not back.done(), "it waits for the older one"

        host.slow.set()
        await asyncio.gather(older, back, late)

        assert host.did == [led_away.encryption, SECURE, SECURE]

    asyncio.run(run())
