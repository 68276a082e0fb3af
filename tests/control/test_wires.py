"""The network loop, on paper: when it looks, and whom it lets go on."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest

from atoll.aws.operation import OPERATIONS
from atoll.control import news, wires
from atoll.control.services import Services
from atoll.control.wires import Wires
from atoll.daemon import Daemon
from atoll.ec2.defaults import open_territory
from atoll.front import Front
from atoll.host.contract import Failure
from atoll.host.paper import PaperHost
from atoll.model.group import SecurityGroup
from atoll.model.keypair import KeyPair
from atoll.model.kinds import KINDS
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World
from atoll.network.facts import Container
from atoll.network.plan import compile
from atoll.offer import offer_services
from atoll.store.sqlite import Store, StoreError, utc_now

REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "eu-north-1")
CALLER = Caller(account="000000000000", region="us-east-1", arn="arn:aws:iam::000000000000:root")


class Gate(PaperHost):
    """A host that lets somebody look at each plan before it is in force, in the network's thread."""

    is_paper = False

    def __init__(self):
        super().__init__()
        self.applied, self.before = [], lambda: None

    def apply(self, plan):
        self.before()
        self.applied.append(plan)
        return ()


def network(store, after=lambda *_: True, kind=Services, host=None):
    services = kind(store, utc_now, lambda _: Front(None, [], None))  # there is no endpoint
    return Wires(lambda: store.world, host or Gate(), services, after)


class Slow(Services):
    """Services that take their time: until somebody lets them go on."""

    def __init__(self, *given):
        super().__init__(*given)
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def follow(self, *given):
        self.begun.set()
        await self.may_go_on.wait()
        return await super().follow(*given)


@contextlib.asynccontextmanager
async def running(loop, store):
    """Run a network loop that is told of each commit."""
    store.watch(lambda _: loop.wake())
    task = asyncio.create_task(loop.run())
    try:
        yield loop._services
    finally:
        task.cancel()
        loop.close()


def make_key(store, id="key-1"):
    """Change what no network is made of."""
    about = {"kind": "rsa", "fingerprint": "", "public_key": ""}
    store.write(lambda tx: tx.make(KeyPair, id, name=id, created=tx.now, **about), caller=CALLER)


def test_a_change_of_what_no_network_is_made_of_is_in_force_without_a_round(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store)
        async with running(loop, store):
            assert await loop.in_force(store.world.revision)
            rounds = loop.report.rounds
            make_key(store)
            assert await loop.in_force(store.world.revision)
            assert loop.report.revision == store.world.revision
            assert loop.report.rounds == rounds
            store.write(open_territory, caller=CALLER)
            assert await loop.in_force(store.world.revision)
            assert loop.report.rounds > rounds

    asyncio.run(run())


def test_who_waits_does_not_wait_for_the_end_of_a_burst(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    monkeypatch.setattr(wires, "BURST_SECONDS", 3600.0)
    assert len(REGIONS) > news.AT_ONCE_MAX
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store)
        async with running(loop, store):
            for region in REGIONS:
                store.write(open_territory, caller=replace(CALLER, region=region))
                assert await loop.in_force(store.world.revision)

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


def test_nothing_is_in_force_before_the_end_of_the_first_round(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    store = Store(":memory:", KINDS)

    async def run():
        loop = network(store, kind=Slow)
        async with running(loop, store) as services:
            await services.begun.wait()
            waiting = asyncio.create_task(loop.in_force(store.world.revision))
            make_key(store)
            await asyncio.sleep(0.05)
            assert not waiting.done()
            assert loop.report.revision == -1
            services.may_go_on.set()
            assert await waiting

    asyncio.run(run())


def test_who_waits_is_told_of_a_revision_that_no_round_was_made_for(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    monkeypatch.setattr(wires, "IN_FORCE_SECONDS", 2.0)
    store = Store(":memory:", KINDS)
    made = []

    def after(_world, _failures):
        """Change what no network is made of, just when a round has ended."""
        if made:
            make_key(store, made.pop())
        return True

    async def run():
        loop = network(store, after, Slow)
        async with running(loop, store) as services:
            services.may_go_on.set()
            assert await loop.in_force(store.world.revision)
            services.begun.clear()
            services.may_go_on.clear()
            store.write(open_territory, caller=CALLER)
            await services.begun.wait()
            make_key(store)
            waiting = asyncio.create_task(loop.in_force(store.world.revision))
            await asyncio.sleep(0.05)
            made.append("key-2")
            services.may_go_on.set()
            assert await waiting
            assert not made

    asyncio.run(run())


def test_what_could_not_be_written_down_is_written_later_without_a_round(monkeypatch):
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    monkeypatch.setattr(wires, "RETRY_SECONDS", 0.01)
    store = Store(":memory:", KINDS)
    calls, told = [], asyncio.Event()

    def after(world, _failures):
        """Look at what no network is made of, when the store takes something at last."""
        calls.append(world.revision)
        if len(calls) < 3:
            return False
        list(world.all(KeyPair))
        told.set()
        return True

    async def run():
        loop = network(store, after)
        async with running(loop, store):
            await asyncio.wait_for(told.wait(), 10)
            await asyncio.sleep(0.1)
            assert calls == [store.world.revision] * 3
            assert loop.report.rounds == 1
            make_key(store)
            assert await loop.in_force(store.world.revision)
            assert loop.report.rounds == 2, "what it looked at concerns it"
            assert len(calls) == 4

    asyncio.run(run())


@pytest.mark.parametrize("is_full", [True, False])
def test_the_daemon_says_whether_what_waited_for_the_network_is_written_down(is_full):
    def network_obeys(_world, _failed):
        if is_full:
            raise StoreError("database or disk is full")

    daemon = SimpleNamespace(
        _health=SimpleNamespace(follow=lambda _: None), _recorder=SimpleNamespace(network_obeys=network_obeys)
    )

    assert Daemon._network_in_force(daemon, World(), ()) is not is_full


@pytest.fixture
def idle(monkeypatch):
    """A store with two VPCs of which one has an interface, and the network loop that obeys it."""
    monkeypatch.setattr(wires, "VERIFY_SECONDS", 3600.0)
    offer_services()
    store = Store(":memory:", KINDS)
    store.write(open_territory, caller=CALLER)
    _ec2(store, "CreateVpc", cidr_block="10.7.0.0/16")
    _interface_in(store, next(store.world.all(Vpc, is_default=True)))
    return store


def _ec2(store, action, **given):
    bound = OPERATIONS["ec2", action]
    return store.write(lambda tx: bound.run(tx, **given), caller=CALLER, what=action)


def _interface_in(store, vpc):
    subnet = next(store.world.all(Subnet, vpc_id=vpc.id))
    return _ec2(store, "CreateNetworkInterface", subnet_id=subnet.id)


def _open_port(store, vpc, port):
    group = next(store.world.all(SecurityGroup, vpc_id=vpc.id))
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.9.0.0/24"}]}
    _ec2(store, "AuthorizeSecurityGroupIngress", group_id=group.id, ip_permissions=[rule])
    return f"{group.id}_in_6_{port}_{port}".replace("-", "_")


def test_a_rule_of_a_group_that_no_interface_can_have_does_not_ask_the_thread(idle):
    other, vpc = idle.world.all(Vpc, is_default=True), next(idle.world.all(Vpc, is_default=False))
    host = Gate()

    async def run():
        loop = network(idle, host=host)
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            loop._thread.shutdown(wait=True)  # whoever asks it now is told so
            _open_port(idle, vpc, 6379)
            assert await loop.in_force(idle.world.revision)
            assert len(host.applied) == 1
            loop._thread = ThreadPoolExecutor(1)
            name = _open_port(idle, next(other), 6379)
            assert await loop.in_force(idle.world.revision)
            assert name in _containers(host.applied[-1])

    asyncio.run(run())


@pytest.mark.parametrize("rule_first", [True, False])
def test_a_rule_is_in_force_also_where_an_interface_joins_at_the_same_moment(idle, rule_first):
    """Whoever waits for the rule is told when the kernel has it, if an interface is there that it holds for."""
    vpc = next(idle.world.all(Vpc, is_default=False))
    _ec2(idle, "CreateSubnet", vpc_id=vpc.id, cidr_block="10.7.0.0/24")
    host = Gate()

    async def run():
        loop = network(idle, host=host)
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            if not rule_first:
                _interface_in(idle, vpc)
            name = _open_port(idle, vpc, 6379)
            rule = asyncio.create_task(loop.in_force(idle.world.revision))
            if rule_first:
                _interface_in(idle, vpc)
            interface = asyncio.create_task(loop.in_force(idle.world.revision))
            assert await rule
            has_interface = vpc.id in loop.plan.vpc_ids
            assert not has_interface or name in _containers(host.applied[-1])
            assert await interface
            assert name in _containers(host.applied[-1])

    asyncio.run(run())


def test_a_rule_waits_for_an_interface_that_goes_while_the_kernel_gets_it(idle):
    """In the kernel the VPC is still, or only just, when the World has it no more: nobody may say that it obeys."""
    vpc = next(idle.world.all(Vpc, is_default=False))
    _ec2(idle, "CreateSubnet", vpc_id=vpc.id, cidr_block="10.7.0.0/24")
    host, may_go_on = Gate(), threading.Event()

    async def run():
        loop = network(idle, host=host)
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            applying = asyncio.Event()
            tell = asyncio.get_running_loop().call_soon_threadsafe
            host.before = lambda: (tell(applying.set), may_go_on.wait(10.0))
            id = _interface_in(idle, vpc)["NetworkInterface"]["NetworkInterfaceId"]
            await applying.wait()
            _ec2(idle, "DeleteNetworkInterface", network_interface_id=id)
            _open_port(idle, vpc, 6379)
            waiting = asyncio.create_task(loop.in_force(idle.world.revision))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            may_go_on.set()
            assert await waiting
            assert vpc.id in host.applied[1].vpc_ids
            assert vpc.id not in host.applied[-1].vpc_ids

    try:
        asyncio.run(run())
    finally:
        may_go_on.set()


def test_what_failed_is_tried_again_whatever_changes_elsewhere(idle):
    vpc = next(idle.world.all(Vpc, is_default=False))

    class Failing(Gate):
        def apply(self, plan):
            super().apply(plan)
            return () if len(self.applied) > 1 else (Failure("network", "no room"),)

    async def run():
        loop = network(idle, host=(host := Failing()))
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            assert loop.report.failures
            _open_port(idle, vpc, 6379)
            assert await loop.in_force(idle.world.revision)
            assert len(host.applied) == 2
            assert not loop.report.failures

    asyncio.run(run())


def _containers(plan):
    return {fact.name for fact in plan.facts() if isinstance(fact, Container)}


def test_an_interface_is_compiled_without_the_question_whether_the_plan_stands(idle, monkeypatch):
    vpc, asked = next(idle.world.all(Vpc, is_default=False)), []
    _ec2(idle, "CreateSubnet", vpc_id=vpc.id, cidr_block="10.7.0.0/24")
    monkeypatch.setattr(wires, "stands", lambda *given: asked.append(given) or False)
    host = Gate()

    async def run():
        loop = network(idle, host=host)
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            _interface_in(idle, vpc)
            assert await loop.in_force(idle.world.revision)
            assert vpc.id in host.applied[-1].vpc_ids
            assert not asked
            _open_port(idle, vpc, 6379)
            assert await loop.in_force(idle.world.revision)
            assert asked

    asyncio.run(run())


def test_where_there_is_no_network_a_plan_is_made_for_who_asks_and_for_nobody_else(idle, monkeypatch):
    vpc, compiled = next(idle.world.all(Vpc, is_default=False)), []
    _ec2(idle, "CreateSubnet", vpc_id=vpc.id, cidr_block="10.7.0.0/24")
    monkeypatch.setattr(wires, "compile", lambda *given: compiled.append(given) or compile(*given))
    told = []

    async def run():
        loop = network(idle, lambda world, failures: not told.append((world.revision, failures)), host=PaperHost())
        async with running(loop, idle):
            assert await loop.in_force(idle.world.revision)
            _interface_in(idle, vpc)
            name = _open_port(idle, vpc, 6379)
            assert await loop.in_force(idle.world.revision)
            assert loop.report.revision == idle.world.revision
            assert not compiled
            assert name in _containers(loop.plan)
            assert loop.plan is loop.plan

    asyncio.run(run())
    assert told
    assert not any(failures for _, failures in told)
