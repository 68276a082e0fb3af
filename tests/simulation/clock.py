"""An event loop in which time passes only when everybody waits, and then at once."""

import asyncio
import selectors
from collections.abc import Callable
from random import Random
from typing import Any

TURNS_MAX = 50_000  # of the loop in one instant: whatever is under way ends in some hundred


class _Sleeper(selectors.SelectSelector):
    """Waits for nobody: it moves the clock instead."""

    loop: "VirtualLoop"
    turns = 0  # since it was moved last

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.turns = 0 if timeout > 0 else self.turns + 1
        assert self.turns < TURNS_MAX, f"at {self.loop.now:.3f} something goes on for ever, and time stands still"
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is ours; what would run in a thread takes effect somewhere in its duration, and answers at its end."""

    def __init__(self, dice: Random):
        sleeper = _Sleeper()
        sleeper.loop = self
        self.now, self._dice = 0.0, dice
        super().__init__(sleeper)
        self.slow = 0.0  # how long a blocking call may take, in seconds

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # noqa: ARG002
        future: asyncio.Future[Any] = self.create_future()
        takes = self._dice.random() * self.slow

        def act() -> None:  # whoever asked may have gone: it happens all the same
            try:
                result, error = func(*args), None
            except Exception as raised:
                result, error = None, raised
            self.call_later(takes / 2, answer, result, error)

        def answer(result: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(takes / 2, act)
        return future
