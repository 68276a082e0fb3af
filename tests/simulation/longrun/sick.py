"""A store whose disk fails, and a host that fails with all it does."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from atoll.host.contract import Failure, HostError, Machine
from atoll.model.kinds import KINDS
from atoll.network.plan import Plan
from atoll.store.sqlite import Store
from tests.simulation.faulty import FaultyHost

DISK = ("database or disk is full", "disk I/O error")  # what SQLite says of ENOSPC, of EIO


class SickConnection:
    """A connection to SQLite whose disk fails: it refuses a statement, as SQLite itself would."""

    def __init__(self, real: sqlite3.Connection, store: "SickStore") -> None:
        self._real, self._store = real, store

    def __getattr__(self, name: str) -> Any:
        """Be the real one otherwise."""
        return getattr(self._real, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement that changes something, or fail."""
        if statement != "rollback" and not statement.startswith("select") and self._store.fails():
            if self._real.in_transaction and self._store.dice.random() < 0.5:
                self._real.execute("rollback")  # SQLite rolls back by itself when it may not go on
            raise sqlite3.OperationalError(self._store.dice.choice(DISK))
        return self._real.execute(statement, *values)


class SickStore(Store):
    """A store on a disk that fails."""

    def __init__(self, path: Path, dice: Random, wall: Callable[[], datetime], trouble: Callable[[], float]) -> None:
        """`trouble` says how likely each statement fails now."""
        self.dice, self.trouble, self.refused = dice, trouble, 0
        super().__init__(path, KINDS, clock=wall, new_hex=lambda digits: f"{dice.getrandbits(4 * digits):0{digits}x}")
        self._db = SickConnection(self._db, self)  # type: ignore[assignment]

    def fails(self) -> bool:
        """Roll the dice, and count."""
        failed = self.dice.random() < self.trouble()
        self.refused += failed
        return failed


class SickHost(FaultyHost):
    """A host that fails, and notes the network that it was given last."""

    def __init__(self, dice: Random) -> None:
        super().__init__(dice)
        self.plan = Plan()
        self.network_trouble = 0.0

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Take the plan, or not, or a part of it."""
        what = self.dice.random()
        if what < self.network_trouble / 2:
            raise HostError("No buffer space available")
        self.plan = plan
        if what < self.network_trouble:
            return (Failure("network", "Cannot allocate memory"),)
        return ()

    def start(self, machine: Machine) -> None:
        """Start it, unless there is no process left to start it with."""
        if self._fails():
            raise HostError("fork: Resource temporarily unavailable")
        super().start(machine)
