"""The machine loop, on paper: what starts together is written down together, and nobody waits for who does not."""

import asyncio
import random

import pytest

from atoll.control.guests import Guests, guests
from atoll.control.machines import GUESTS_TOGETHER, Machines
from atoll.control.record import Recorder
from atoll.control.sight import Sight
from atoll.control.wanted import Wanted
from atoll.host.contract import HostError
from atoll.host.paper import PaperHost
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.vpc import DhcpOptions
from atoll.store.sqlite import StoreError
from tests.api.paper import Paper
from tests.control.machine_loop import SECONDS_MAX, run_until

MANY = 50


@pytest.fixture
def paper():
    return Paper()


def launch(paper, count):
    """Launch instances; return their ids."""
    ec2 = paper.client()
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=count, MaxCount=count)
    return [it["InstanceId"] for it in made["Instances"]]


def states(paper):
    return [instance.state for instance in paper.world.all(Instance)]


async def until(paper, host, is_reached):
    """Run the machine loop until something is true of the World."""
    planner = Guests()
    await run_until(paper, lambda: planner.guests(paper.world), host, is_reached)


def test_a_burst_of_instances_is_one_write_of_their_states(paper, monkeypatch):
    monkeypatch.setattr("atoll.control.machines.TOGETHER_SECONDS", SECONDS_MAX)  # however slow this machine is
    assert MANY > GUESTS_TOGETHER
    launch(paper, MANY)
    before = paper.world.revision

    asyncio.run(until(paper, PaperHost(), lambda: states(paper) == ["running"] * MANY))

    assert paper.world.revision == before + 1


def test_nobody_waits_longer_than_a_moment_for_others_that_start(paper, monkeypatch):
    monkeypatch.setattr("atoll.control.machines.TOGETHER_SECONDS", 0.0)
    launch(paper, MANY)
    before = paper.world.revision

    asyncio.run(until(paper, PaperHost(), lambda: states(paper) == ["running"] * MANY))

    assert paper.world.revision == before + MANY // GUESTS_TOGETHER


@pytest.mark.parametrize("error", [HostError("no room"), AssertionError("planted")])
def test_one_that_does_not_start_keeps_no_other_back(paper, error):
    first, *others = launch(paper, GUESTS_TOGETHER)

    class Host(PaperHost):
        def start(self, machine):
            if machine.instance_id == first:
                raise error
            super().start(machine)

    asyncio.run(until(paper, Host(), lambda: states(paper).count("running") == len(others)))

    assert paper.world[Instance, first].state == "pending"


def test_what_one_instance_does_wrong_keeps_no_other_from_being_written_down(paper, monkeypatch):
    from atoll.model import transitions

    first, *others = launch(paper, GUESTS_TOGETHER)
    right = transitions.booted

    def booted(tx, *ids):
        assert first not in ids, "planted"
        return right(tx, *ids)

    monkeypatch.setattr(transitions, "booted", booted)

    asyncio.run(until(paper, PaperHost(), lambda: states(paper).count("running") == len(others)))

    assert paper.world[Instance, first].state == "pending"


def test_an_instance_that_boots_keeps_its_plan(paper):
    (id,) = launch(paper, 1)
    planner = Guests()
    (before,) = planner.guests(paper.world).values()

    paper.settle()
    (after,) = planner.guests(paper.world).values()

    assert paper.world[Instance, id].state == "running"
    assert after is before


def test_an_instance_that_runs_is_not_looked_at_again_because_that_was_written_down(paper):
    class Host(PaperHost):
        looks = 0

        def seen(self):
            self.looks += 1
            return super().seen()

    host, wanted = Host(), Wanted(lambda: paper.world)

    async def run():
        recorder = Recorder(sight := Sight(paper.store))
        loop = Machines(sight.through(wanted.machines), host, recorder, _is_ready)
        sight.watch(loop.wake)
        running = asyncio.create_task(loop.run())
        await _pauses(loop)
        before = host.looks
        launch(paper, 1)
        await _pauses(loop)
        after = host.looks
        launch(paper, 1)
        await _pauses(loop)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await loop.close()
        return after - before, host.looks - after

    assert asyncio.run(run()) == (1, 1)
    assert states(paper) == ["running"] * 2


def test_a_cache_that_has_all_is_not_looked_at_again_for_another(paper):
    class Counting(Recorder):
        asked = ()

        def awaits(self, node):
            self.asked += (node.cluster_id,)
            return super().awaits(node)

    host, wanted, cache = PaperHost(), Wanted(lambda: paper.world), paper.client("elasticache")

    def make(name):
        cache.create_cache_cluster(
            CacheClusterId=name, Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1
        )

    async def run():
        recorder = Counting(sight := Sight(paper.store))
        loop = Machines(sight.through(wanted.machines), host, recorder, _is_ready)
        sight.watch(loop.wake)
        running = asyncio.create_task(loop.run())
        make("one")
        await _pauses(loop)
        recorder.asked = ()
        make("other")
        await _pauses(loop)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await loop.close()
        return {id.rpartition("/")[2] for id in recorder.asked}

    assert asyncio.run(run()) == {"other"}
    assert {it.status for it in paper.world.all(CacheCluster)} == {"available"}


async def _is_ready():
    return True


async def _pauses(loop):
    """Wait until the loop has nothing to do, and nobody whom it asks has."""
    rounds = -1
    async with asyncio.timeout(SECONDS_MAX):
        while rounds != loop.rounds or loop.rounds == 0:
            rounds = loop.rounds
            await asyncio.sleep(0.2)


def test_plans_that_are_kept_are_those_of_the_world_alone(paper):
    dice, planner, ids = random.Random(5), Guests(), launch(paper, 6)
    ec2 = paper.client()
    vpc = next(paper.world.all(Interface)).vpc_id
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp"]}])
    options_id = options["DhcpOptions"]["DhcpOptionsId"]

    def move():
        one = dice.choice([i for i in paper.world.all(Interface) if i.attachment])
        free = one.address + 100 + dice.randrange(50)
        paper.write(lambda tx: tx.put(one.but(private_ips=(free,))))

    def unplug():
        one = dice.choice([i for i in paper.world.all(Interface) if i.attachment])
        paper.write(lambda tx: tx.put(one.but(attachment=None)))

    def rename():
        one = paper.world[DhcpOptions, options_id]
        paper.write(lambda tx: tx.put(one.but(options={"domain-name": (f"d{dice.randrange(9)}",)})))

    acts = [
        move, rename, paper.settle, lambda: launch(paper, 1),
        lambda: ec2.associate_dhcp_options(VpcId=vpc, DhcpOptionsId=dice.choice(["default", options_id])),
        lambda: (paper.settle(), ec2.stop_instances(InstanceIds=[dice.choice(ids[1:])])),
        lambda: (paper.settle(), ec2.reboot_instances(InstanceIds=[ids[0]])),
    ]  # fmt: skip
    for _ in range(60):
        dice.choice(acts)()
        assert planner.guests(paper.world) == guests(paper.world)
    unplug()
    assert planner.guests(paper.world) == guests(paper.world)


def test_a_start_that_cannot_be_written_down_is_no_mistake_and_done_later(paper, monkeypatch, caplog):
    refusals = iter(range(3))
    right = Recorder.starting

    def starting(recorder, machine):
        if next(refusals, None) is not None:
            raise StoreError("the disk is full")
        right(recorder, machine)

    monkeypatch.setattr(Recorder, "starting", starting)
    monkeypatch.setattr("atoll.control.machines.ROUND_SECONDS", 0.05)
    launch(paper, 1)

    asyncio.run(until(paper, PaperHost(), lambda: states(paper) == ["running"]))

    assert not [record for record in caplog.records if record.exc_info], "it is the disk's doing"
