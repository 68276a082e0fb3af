"""People who make, change and delete everything at random: they look a little, and think little."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from atoll.model.resource import Resource
from atoll.model.world import Caller, World
from tests.simulation.longrun import asking_caches, asking_edges, asking_networks

ACCOUNTS = ("000000000000", "111111111111")
REGION = "us-east-1"
TRIES = 60  # of calls whose parts are not there yet


class Nothing(Exception):
    """There is nothing of that kind."""


@dataclass(frozen=True)
class Ask:
    """A call: who asks for what, in AWS's own names."""

    caller: Caller
    service: str
    operation: str
    parameters: dict[str, Any]

    def __str__(self) -> str:
        """Return it as a line of a log."""
        return f"{self.caller.account[-1]} {self.service} {self.operation} {self.parameters}"


Maker = Callable[["Hand"], tuple[str, dict[str, Any]]]


class Hand:
    """What somebody reaches for while a call is made up."""

    def __init__(self, dice: Random, world: World, caller: Caller, count: Callable[[], int]) -> None:
        self.dice, self.everything, self.caller, self.count = dice, world, caller, count
        self.world = world.seen_by(caller)

    def pick(self, kind: type[Resource], **where: object) -> Any:
        """Return one of a kind: nearly always one's own, sometimes somebody else's."""
        pool = list((self.everything if self.dice.random() < 0.02 else self.world).all(kind, **where))
        if not pool:
            raise Nothing
        return self.dice.choice(pool)

    def some(self, kind: type[Resource], most: int, **where: object) -> list[Any]:
        """Return one or more of a kind."""
        pool = list(self.world.all(kind, **where))
        if not pool:
            raise Nothing
        return self.dice.sample(pool, min(len(pool), self.dice.randint(1, most)))

    def chance(self, likely: float) -> bool:
        return self.dice.random() < likely

    def name(self, letter: str) -> str:
        """Return a new name, or one of the few that are used again and again."""
        return f"{letter}{self.count()}" if self.chance(0.7) else f"{letter}-{self.dice.randrange(3)}"


class People:
    """The callers of a story."""

    def __init__(self, dice: Random, *, most: int = 120, machines: bool = True) -> None:
        """`most` resources are looked after; above that, more is deleted than made.  Without `machines`, none run."""
        self.dice, self.most, self._n = dice, most, 0
        self.asked: dict[str, int] = {}
        tables = (asking_networks, asking_edges, *((asking_caches,) if machines else ()))
        self._makers: list[tuple[str, str, Maker]] = [
            (table.SERVICE.get(maker.__name__, table.DEFAULT), kind, maker)
            for table in tables
            for kind, makers in (("make", table.MAKE), ("change", table.CHANGE), ("end", table.END))
            for maker in makers
        ]

    def ask(self, world: World) -> Ask:
        """Make up a call."""
        for _ in range(TRIES):
            account = self.dice.choices(ACCOUNTS, (4, 1))[0]
            caller = Caller(account=account, region=REGION, arn=f"arn:aws:iam::{account}:root")
            kind = self._kind(world)
            service, _, maker = self.dice.choice([one for one in self._makers if one[1] == kind])
            try:
                name, parameters = maker(Hand(self.dice, world, caller, self._count))
            except Nothing:
                continue
            self.asked[name] = self.asked.get(name, 0) + 1
            return Ask(caller, service, name, parameters)
        return Ask(caller, "ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"})

    def _kind(self, world: World) -> str:
        full = len(world) > self.most
        return self.dice.choices(("make", "change", "end"), (1, 3, 5) if full else (5, 4, 2))[0]

    def _count(self) -> int:
        self._n += 1
        return self._n
