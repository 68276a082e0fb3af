"""From any state to any state, whatever happens on the way: worlds in sequence, each daemon killed at a step.

A step is what the kernel takes as a whole: one message batch of netlink, one transaction of nftables, one namespace.
After the last world the kernel must hold what applying that world alone makes; and while worlds come and go, what no
world of them allows must never pass, and what all of them allow must pass before and after each.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.netlink import Netlink
from atoll.host.linux.nfnl import Elements
from atoll.host.linux.nft import Nft
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.plan import compile
from tests.kernel.ground import Ground, alive, lay_ground
from tests.kernel.test_fabric_adopt import dump
from tests.network.compare import booted
from tests.network.worlds import Lab, random_world

pytestmark = pytest.mark.kernel
EMPTY = Lab().world
SEEDS = range(int(os.environ.get("ATOLL_CRASHES", 3)))
DEATHS = 5  # of a change, each at a step of its own
# Where the kernel takes something as a whole: before and after these a daemon may die.
STEPS: tuple[tuple[type, str], ...] = (
    (Netlink, "commit"),
    (Nft, "run"),
    (Elements, "apply"),
    (Namespaces, "create"),
    (Namespaces, "delete"),
)


@pytest.fixture
def ground() -> Iterator[Ground]:
    yield from lay_ground()


def counted(step: Callable[[], None]) -> None:
    """Have `step` called before each step of this process."""
    for owner, name in STEPS:
        original = getattr(owner, name)

        def act(*args: object, _original: Callable[..., object] = original, **options: object) -> object:
            step()
            return _original(*args, **options)

        setattr(owner, name, act)


def steps_of(ground: Ground, world: World, *, killed_at: int | None = None) -> int:
    """Apply a world in a daemon of its own that is killed at a step, or not; returns how many steps it made."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        made = 0

        def step() -> None:
            nonlocal made
            if made == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            made += 1

        try:
            signal.alarm(60)
            counted(step)
            failed = ground.another().apply(compile(world))
            os.write(writing, f"{made} {len(failed)}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    if killed_at is not None:
        return killed_at
    made, failures = map(int, said.split())
    assert not failures
    return made


def alone(ground: Ground, world: World) -> dict[str, Any]:
    """Return what the kernel holds when only this world was ever applied; the ground is empty before and after."""
    fabric = ground.another()
    fabric.apply(compile(EMPTY))
    assert fabric.apply(compile(world)) == []
    held: dict[str, Any] = dump(ground)
    assert fabric.apply(compile(EMPTY)) == []
    fabric.close()
    return held


def moved(worlds: list[World]) -> set[str]:
    """Return the interfaces that are in another subnet in one of the worlds than in another: no real one is."""
    seen: dict[str, set[object]] = {}
    for world in worlds:
        for it in world.all(Interface):
            seen.setdefault(it.id, set()).add(world[Subnet, it.subnet_id].cidr)
    return {id for id, subnets in seen.items() if len(subnets) > 1}


def assert_same(ground: Ground, wanted: dict[str, Any], way: list[World], because: str) -> None:
    """Compare the kernel with what it must hold.

    A guest may have more: a daemon that did not see the change cannot tell an address that went from the guest's own.
    """
    strange = moved(way)
    held = dump(ground)
    assert held.keys() == wanted.keys(), because
    for name, parts in wanted.items():
        if name in strange:
            continue
        if name.startswith(("eni-", "out-")):
            for number, (has, must) in enumerate(zip(held[name][:4], parts[:4], strict=True)):
                assert must <= has, f"{because}: {name} lacks {must - has} ({number})"
        else:
            for has, must in zip(held[name], parts, strict=True):
                lacks, more = (sorted(map(str, set(a) - set(b)))[:3] for a, b in ((must, has), (has, must)))
                assert has == must, f"{because}: {name} lacks {lacks}, and has {more}"


# Expanders: what a sequence of worlds may become without changing where it ends.


def same(worlds: list[World], _: random.Random) -> list[World]:
    return worlds


def there_and_back(worlds: list[World], _: random.Random) -> list[World]:
    return [*worlds, *worlds[-2::-1], *worlds[1:]]


def through_nothing(worlds: list[World], _: random.Random) -> list[World]:
    return [world for pair in ((w, EMPTY) for w in worlds[:-1]) for world in pair] + [worlds[-1]]


def split(worlds: list[World], dice: random.Random) -> list[World]:
    """Come to each world in parts: groups without their rules first, and then one after another with them."""
    found: list[World] = []
    for world in worlds:
        groups = list(world.all(SecurityGroup))
        bare = world.after({(SecurityGroup, g.id): g.but(rules=()) for g in groups})
        some = dice.sample(groups, len(groups) // 2)
        half = bare.after({(SecurityGroup, g.id): g for g in some})
        found += [bare, half, world]
    return found


def squash(worlds: list[World], _: random.Random) -> list[World]:
    return [worlds[0], worlds[-1]]


@pytest.mark.parametrize("expand", [same, there_and_back, through_nothing, split, squash], ids=lambda e: e.__name__)
def test_any_way_to_a_world_with_daemons_killed_on_it_ends_in_the_same_kernel(
    ground: Ground, expand: Callable[[list[World], random.Random], list[World]]
) -> None:
    seed = int.from_bytes(expand.__name__.encode()[:2], "big")
    dice = random.Random(seed)
    worlds = [booted(random_world(random.Random(seed + n))) for n in range(3)]
    wanted = alone(ground, worlds[-1])
    way = expand(worlds, dice)
    print(f"seed {seed}: {len(way)} worlds")
    for world in way:
        at = dice.randrange(dice.choice([4, 20, 60]))
        print(f"  killed before step {at}")
        steps_of(ground, world, killed_at=at)
    steps_of(ground, way[-1])
    assert_same(ground, wanted, way, f"seed {seed}")
    ground.plan = compile(way[-1])
    assert ground.fabric.apply(ground.plan) == []
    assert ground.fabric.verify() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_daemon_killed_at_any_step_of_a_change_ends_in_the_same_kernel(ground: Ground, seed: int) -> None:
    """The first world stands; on the way to the second a daemon dies at a step, and the next one finishes."""
    dice = random.Random(seed)
    one, two = (booted(random_world(random.Random(500 + 2 * seed + n))) for n in range(2))
    wanted = alone(ground, two)
    steps_of(ground, one)
    made = steps_of(ground, two)
    steps = sorted(dice.sample(range(made), DEATHS))
    print(f"seed {seed}: {made} steps, deaths before {steps}")
    for step in steps:
        steps_of(ground, one)
        steps_of(ground, two, killed_at=step)
        steps_of(ground, two)
        assert_same(ground, wanted, [one, two], f"seed {seed}, killed before step {step}")


def shut_lab(*, more: bool) -> World:
    """A client and a server: tcp 7 is admitted always, tcp 8 never, and all around that changes."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    if more:
        lab.gateway("v")
        lab.acl("b", ingress=["90 deny tcp 9 0.0.0.0/0", "100 allow all 0.0.0.0/0"])
    lab.subnet("a", "10.0.0.0/24"), lab.subnet("b", "10.0.1.0/24", acl="b" if more else None)
    lab.group("client"), lab.group("other", ingress=["tcp 9 sg-client"])
    lab.group("server", ingress=["tcp 7 sg-client", "udp 1-6 0.0.0.0/0" if more else "tcp 100-200 10.0.0.0/8"])
    lab.instance("client", "a", groups=["client", "other"] if more else ["client"], ip="10.0.0.10")
    lab.instance("server", "b", groups=["server", "other"] if more else ["server"], ip="10.0.1.20")
    for n in range(6 if more else 2):
        lab.instance(f"more{n}", "a", groups=["client"])
    return lab.world


class Prober:
    """A process that tries both ports all the time, while daemons come and die."""

    SCRIPT = """
import socket, sys
def connects(port, seconds):
    with socket.socket() as near:
        near.settimeout(seconds)
        try:
            near.connect(("10.0.1.20", port))
        except TimeoutError:
            return False
        return True
tried = 0
print("ready", flush=True)
while True:
    if connects(8, 0.02):
        print("the shut port was open", flush=True)
    if not connects(7, 5):
        print("the open port was shut", flush=True)
    tried += 1
    print(tried, flush=True)
"""

    def __init__(self, ground: Ground) -> None:
        enter = ("nsenter", f"--net={ground.namespaces.directory / ground.place('client')}")
        command = [*enter, sys.executable, "-I", "-S", "-c", self.SCRIPT]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.tried = 0
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        os.set_blocking(self.process.stdout.fileno(), False)

    def complaints(self) -> list[str]:
        """Return what it found wrong."""
        assert self.process.stdout
        lines = (self.process.stdout.read() or b"").decode().splitlines()
        self.tried = max([self.tried, *(int(line) for line in lines if line.isdigit())])
        return [line for line in lines if not line.isdigit()]

    def end(self) -> int:
        """Return how often it tried."""
        assert self.complaints() == []
        self.process.kill()
        self.process.communicate()
        return self.tried


def test_a_daemon_that_dies_on_the_way_opens_nothing_and_shuts_nothing(ground: Ground) -> None:
    """Both ports are tried without a pause, and each death is at the next step, until the change is done."""
    worlds = [shut_lab(more=False), shut_lab(more=True)]
    steps_of(ground, worlds[0])
    near, far = ground.flow("client", "server", "10.0.1.20", 7)
    opened, _shut = (ground.listen("server", port) for port in (7, 8))
    ended = threading.Event()
    thread = threading.Thread(target=accept_all, args=(opened, ended), daemon=True)
    thread.start()
    prober, deaths = Prober(ground), 0
    for turn in range(2):
        made = steps_of(ground, worlds[1 - turn])
        for step in range(made):
            steps_of(ground, worlds[turn])
            steps_of(ground, worlds[1 - turn], killed_at=step)
            deaths += 1
            assert prober.complaints() == [], f"turn {turn}, killed before step {step} of {made}"
    tried = prober.end()
    ended.set()
    thread.join()
    print(f"{deaths} deaths, both ports tried {tried} times")
    assert tried > deaths
    assert alive(near, far)
    ground.apply(worlds[0])
    assert ground.fabric.verify() == []


def accept_all(listener: socket.socket, ended: threading.Event) -> None:
    """Accept and close whatever comes."""
    listener.settimeout(0.1)
    while not ended.is_set():
        with suppress(TimeoutError):
            listener.accept()[0].close()
