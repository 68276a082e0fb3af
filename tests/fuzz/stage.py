"""What is asked: the real gate before a store in memory, in a world that has something of everything.

Ids are counted and the clock is ours, so that the same requests have the same answers.  Nothing boots and no cache
starts by itself: `settle` says what a host would have seen.
"""

import itertools
import re
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import atoll.ec2
from atoll.aws.http import Answer, Request
from atoll.aws.operation import LOADERS, OPERATIONS, find
from atoll.gate import Backend, Gate
from atoll.model.kinds import KINDS
from atoll.offer import offer_services
from atoll.store.sqlite import Store
from tests.api import caches, paper
from tests.fuzz.base import build
from tests.fuzz.grammar import Values, remember

ACCOUNT, REGION = "000000000000", "us-east-1"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
_XML = re.compile(r"<(\w+)>([^<>]{1,200})</\1>")
_JSON = re.compile(r'"(\w+)": "([^"\\]{1,200})"')
HARVEST_BYTES_MAX = 60_000

paper_module: ModuleType = paper
offer_services()
for _name in tuple(LOADERS):
    find(_name, "")
ALL = tuple(sorted(OPERATIONS))


class Stage:
    """One store, the gate before it, and the values that its answers told."""

    def __init__(self, base: "Stage | None" = None) -> None:
        self.clock, numbers = base.clock if base else START, itertools.count(1 << 40 if base else 1)
        self.store = Store(
            ":memory:", KINDS, clock=self._tick, new_hex=lambda digits: f"{next(numbers):0{digits}x}"[-digits:]
        )
        self.values: Values = {}
        if base:
            base.store._db.backup(self.store._db)
            self.store.world = base.store.world
            self.values = {
                k: type(v)(v, maxlen=v.maxlen) if hasattr(v, "maxlen") else v for k, v in base.values.items()
            }
        self.backend = Backend(self.store, _at_once, strict=False)
        self.gate = Gate(self.backend, _nobody)
        if base:
            self.backend._open |= base.backend._open

    def _tick(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    def ask(self, request: Request) -> Answer:
        answer = paper.now(self.gate.answer(request))
        assert isinstance(answer, Answer)
        return answer

    # What tests/api/paper.py and caches.py ask of a paper, so that theirs settles ours.

    @property
    def world(self) -> Any:
        return self.store.world

    def write(self, fn: Any) -> Any:
        return self.store.write(fn)

    def settle(self) -> None:
        """Let everything become what it was asked to be."""
        paper.Paper.settle(self)
        caches.settle(self)

    def harvest(self, answer: Answer) -> None:
        """Remember what an answer tells."""
        if len(answer.body) > HARVEST_BYTES_MAX or answer.headers["Content-Type"] == "application/cbor":
            return
        text = answer.body.decode()
        for name, value in (_XML if text[:1] == "<" else _JSON).findall(text):
            if name not in ("requestId", "RequestId", "message", "nextToken"):
                remember(self.values, name, value)
                if _ID.match(value):
                    remember(self.values, "id", value)
                elif value.startswith("arn:"):
                    remember(self.values, "arn", value)


_ID = re.compile(r"[a-z]{1,8}-0[0-9a-f]{16}$")


def base() -> Stage:
    """Return the stage that every round begins with."""
    stage = Stage()
    build(stage)
    stage.settle()
    for (name, action), operation in sorted(OPERATIONS.items()):
        if not operation.required and not operation.writes:
            stage.harvest(stage.ask(_plain(name, action)))
    names = sorted(name for name in stage.values if name[0] != "*")
    filters: set[str] = set()
    for module in vars(atoll.ec2).values():
        for label, table in vars(module).items() if isinstance(module, ModuleType) else ():
            if label.endswith("FILTERS") and isinstance(table, dict):
                filters |= table.keys()
    fixed: dict[str, Any] = {
        "*names": names,
        "*ids": sorted((n for n in names if n.endswith(("id", "name", "arn", "ip"))), key=len, reverse=True),
        "*filters": [*sorted(filters), "tag:Name", "tag-key"],
    }
    stage.values |= fixed
    return stage


def _plain(name: str, action: str) -> Request:
    from tests.fuzz.wire import request

    return request(name, action, {}, ACCOUNT, REGION)


async def _at_once() -> bool:
    return True


async def _nobody(_: Request) -> Answer:
    return Answer(404, {}, b"")
