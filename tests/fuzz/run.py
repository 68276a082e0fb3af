"""Throws requests, and holds what comes of each to what must be true.

A round is one world and ROUND requests, determined by its seed alone: `python -m tests.fuzz --seed S --requests 1`
throws the round of seed S again, as a run from an earlier seed threw it.
"""

import contextlib
import copy
import logging
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from atoll.aws.http import Request
from atoll.aws.operation import OPERATIONS
from atoll.model.world import World
from tests.fuzz import holds
from tests.fuzz.base import ACCOUNTS
from tests.fuzz.dice import NASTY, Dice
from tests.fuzz.examples import example
from tests.fuzz.grammar import grammar
from tests.fuzz.stage import ALL, REGION, Stage, base
from tests.fuzz.twist import spots, twisted
from tests.fuzz.wire import RARE_BREAKS, broken, request

ROUND = 500  # requests in one world, which grows by each that succeeds
EARLY = 10_000  # requests after which memory is measured first
SETTLE_EVERY = 50
SWEPT = 8  # operations that are swept in one world
EXAMPLES_SHARE = 0.4  # of the requests for an operation that has one
REQUEST_SECONDS_MAX = 5.0  # of processor time, for one request; the slowest known, of 27,000 instances, takes 1.4
SPACE_BYTES_MAX = 1 << 30  # that a request may make this process larger by: more is a MemoryError in it
REPORTED_MAX = 40  # violations; further ones are counted


@dataclass(slots=True)
class Violation:
    """What must not be, and how to see it again."""

    seed: int
    number: int
    because: str
    what: str

    def __str__(self) -> str:
        return f"seed {self.seed}, request {self.number}: {self.because}\n    {self.what}"


@dataclass
class Tally:
    """What was thrown, and what came of it."""

    requests: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    took: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0  # of processor time
    early_mb: float = 0.0  # of memory, when everything was in use once
    late_mb: float = 0.0

    def share(self, service: str = "") -> float:
        """Return which share of the operations (of a service) was done at least once."""
        mine = [op for op in ALL if service in ("", op[0])]
        return sum(op in self.done for op in mine) / len(mine)

    @property
    def grown_mb(self) -> float:
        """Return how much memory has grown since all was in use once, in MB."""
        return self.late_mb - self.early_mb if self.early_mb else 0.0

    def never(self) -> list[str]:
        return [f"{name}:{action}" for name, action in ALL if (name, action) not in self.done]


class Runner:
    """Throws rounds, one after another, and adds them up."""

    def __init__(self, only: str = "") -> None:
        self.base, self.tally = base(), Tally()
        self.operations = [op for op in ALL if only in f"{op[0]}:{op[1]}"]
        self._mistakes = _Mistakes()

    def run(self, seed: int, requests: int) -> Tally:
        """Throw at least so many requests, in rounds of seeds from `seed` on."""
        with self._watching():
            last = self.tally.requests + requests
            while self.tally.requests < last:
                self._round(seed)
                seed += 1
                if not self.tally.early_mb and self.tally.requests >= EARLY:
                    self.tally.early_mb = _memory_mb()
        return self.tally

    def sweep(self, seed: int) -> Tally:
        """Put each nasty value into a place of each parameter of each operation, one at a time."""
        with self._watching():
            for at in range(0, len(self.operations), SWEPT):
                self._sweep(seed, at)
        return self.tally

    def _sweep(self, seed: int, at: int) -> None:
        stage, number = Stage(self.base), 0
        for op in self.operations[at : at + SWEPT]:
            dice, known = Dice(f"{seed} {op}"), grammar(*op)
            for member in (*known.required, *known.optional):
                for nasty in NASTY:
                    asked = request(*op, self._nearly(dice, stage, op, member, nasty), ACCOUNTS[0], REGION)
                    self._throw_at(stage, "swept", (seed, number), op, asked)
                    number += 1
        self._hold(seed, number, stage.settle)
        for check in holds.CHECKS:
            self._hold(seed, number, check, stage)

    def _nearly(self, dice: Dice, stage: Stage, op: tuple[str, str], member: str, nasty: Any) -> dict[str, Any]:
        known, values = grammar(*op), stage.values
        given = copy.deepcopy(example(dice, values, *op) or known.throw(dice, values))
        dice.full = dice.random() < 0.5
        if member not in given or dice.full:
            given[member] = copy.deepcopy(known.members[member](dice, values, 0))
        dice.full = False
        whole = {member: given[member]}
        container, key = dice.choice(spots(whole, []))
        (given if container is whole else container)[key] = nasty
        return given

    def _throw_at(self, stage: Stage, kind: str, at: tuple[int, int], op: tuple[str, str], asked: Request) -> None:
        self.tally.kinds[kind] += 1
        if because := self._ask(stage, op, asked):
            self._note(Violation(*at, because, f"{kind} {op[0]}:{op[1]} {_shown(asked)}"))

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        begun, before = time.process_time(), signal.signal(signal.SIGVTALRM, _overdue)
        spaces = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + SPACE_BYTES_MAX, spaces[1]))
        logger = logging.getLogger("atoll")
        logger.addHandler(self._mistakes)
        logger.propagate, propagates = False, logger.propagate
        try:
            yield
        finally:
            signal.signal(signal.SIGVTALRM, before)
            resource.setrlimit(resource.RLIMIT_AS, spaces)
            logger.removeHandler(self._mistakes)
            logger.propagate = propagates
            self.tally.seconds += time.process_time() - begun
            self.tally.late_mb = _memory_mb()

    def _round(self, seed: int) -> None:
        dice, stage = Dice(seed), Stage(self.base)
        for number in range(ROUND):
            kind, op, asked = self._throw(dice, stage)
            self._throw_at(stage, kind, (seed, number), op, asked)
            if number % SETTLE_EVERY == SETTLE_EVERY - 1:
                self._hold(seed, number, stage.settle)
        for check in holds.CHECKS:
            self._hold(seed, ROUND, check, stage)

    def _throw(self, dice: Dice, stage: Stage) -> tuple[str, tuple[str, str], Request]:
        op = dice.choice(self.operations)
        known = grammar(*op)
        account = ACCOUNTS[0] if dice.random() < 0.95 else ACCOUNTS[1]
        roll, given = dice.random(), None
        if dice.random() < EXAMPLES_SHARE:
            given = example(dice, stage.values, *op)
        if given is None:
            given = known.throw(dice, stage.values)
        if roll >= 0.5:
            given = twisted(dice, known, stage.values, copy.deepcopy(given))
        speech = dice.choice(("json", "cbor", "xml")) if op[0] == "cloudwatch" else ""
        asked = request(*op, given, account, REGION, speech=speech)
        if roll < 0.5:
            return "valid", op, asked
        if roll < 0.8:
            return "nearly valid", op, asked
        if roll > 0.999:
            return "hostile", op, dice.choice(RARE_BREAKS)(dice, asked)
        for _ in range(dice.choice((1, 1, 2))):
            asked = broken(dice, asked)
        return "hostile", op, asked

    def _ask(self, stage: Stage, op: tuple[str, str], asked: Request) -> str | None:
        """Ask, and say what must not have happened."""
        tally, world, opened = self.tally, stage.world, len(stage.backend._open)
        rows = stage.store._db.total_changes
        tally.requests += 1
        tally.asked[op] += 1
        self._mistakes.last = ""
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, REQUEST_SECONDS_MAX)
        try:
            answer = stage.ask(asked)
        except _Overdue:
            return f"it takes more than {REQUEST_SECONDS_MAX} s: {traceback.format_exc(limit=-6)}"
        except Exception:
            return f"it raised: {traceback.format_exc(limit=-4)}"
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took = time.process_time() - begun
        tally.took[op] += int(took * 1e6)
        if took > tally.slowest[0]:
            tally.slowest = took, f"{op[0]}:{op[1]} {_shown(asked)}"
        tally.statuses[answer.status] += 1
        if self._mistakes.last:
            return self._mistakes.last
        if answer.status >= 500:
            return f"the answer is {answer.status}: {answer.body[:300]!r}"
        fault, code = holds.answered(asked, answer)
        if code:
            tally.codes[code] += 1
        if fault:
            return fault
        if answer.status < 300:
            tally.done[op] += 1
            if OPERATIONS[op].writes:
                stage.harvest(answer)
        stayed = stage.world is world and stage.store._db.total_changes == rows
        if answer.status >= 400 and not stayed and len(stage.backend._open) == opened:
            return f"it was refused ({code}), and changed {_changed(world, stage.world)}"
        return None

    def _hold(self, seed: int, number: int, check: Any, *args: Any) -> None:
        try:
            check(*args)
        except Exception:
            self._note(Violation(seed, number, getattr(check, "__name__", "?"), traceback.format_exc(limit=-5)))

    def _note(self, violation: Violation) -> None:
        self.tally.violations.append(violation)


class _Overdue(BaseException):
    """A request takes too long; nothing that is answered catches this."""


def _overdue(*_: Any) -> None:
    raise _Overdue


class _Mistakes(logging.Handler):
    """Keeps the trace of a mistake that an answer hides."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.last = "".join(traceback.format_exception(record.exc_info[1], limit=-4))
        else:
            self.last = record.getMessage()


def _changed(old: World, new: World) -> str:
    before = {(type(r), r.id): r for r in old}
    return ", ".join(f"{type(r).__name__} {r.id}" for r in new if before.get((type(r), r.id)) is not r)[:200]


def _shown(asked: Request) -> str:
    return f"{asked.method} {asked.path[:80]} {asked.query[:200]} {asked.body[:600]!r}"


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _memory_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
