"""Lessons as they are taken: build a lesson's world, judge its steps, remember how far somebody is.

Progress is in the World (`model.lesson`): it survives the daemon, and `atoll reset` ends it with everything else.
"""

import asyncio
import base64
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from atoll.admin.lesson_probe import send
from atoll.aws import inside
from atoll.aws.errors import AwsError
from atoll.learn import names
from atoll.learn.catalogue import LESSONS
from atoll.learn.ground import Ground
from atoll.learn.judge import Verdict, caller_of, judged
from atoll.learn.lesson import REGION, Lesson, Step
from atoll.learn.probe import Probe
from atoll.learn.texts import Text, text, words
from atoll.model.internet import OutsideHost
from atoll.model.lesson import Lesson as Progress
from atoll.model.world import Caller, Tx, World

_log = logging.getLogger(__name__)
BUILD_SECONDS_MAX = 120.0  # of a world with a cache of three nodes, on a busy machine
LOOK_EVERY_SECONDS = 0.02
BOOTED = b"user data: done"  # what an instance says on its console when it has run what its first boot was given
PROBES_MAX = 32  # of one judgement: a judge that wants more never comes to an end
Json: TypeAlias = dict[str, Any]


class Unknown(LookupError):
    """There is no such lesson."""


class NotNow(Exception):
    """The lesson cannot be taken; the message says why, `next_step` what helps."""

    def __init__(self, message: str, next_step: str) -> None:
        """Keep the step apart from the sentence."""
        super().__init__(message)
        self.next_step = next_step


class Service(Protocol):
    """What lessons ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    @property
    def backend(self) -> Any: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any: ...  # noqa: D102
    def where(self) -> Json: ...  # noqa: D102
    def dial(self, namespace: str) -> socket.socket | None: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102


class Lessons:
    """Every lesson, and how far somebody is."""

    def __init__(self, service: Service) -> None:
        """Teach in the daemon's World."""
        self._service = service
        self._locks: dict[str, asyncio.Lock] = {}  # one act at a time, for each lesson

    # What there is

    def listed(self, language: str) -> list[Json]:
        """Return every lesson with how far it is."""
        return [self._head(lesson, text(lesson.name, language)) for lesson in LESSONS.values()]

    def shown(self, name: str, language: str, verdict: Verdict | None = None) -> Json:
        """Return a lesson as it is: texts, commands, marks.  `verdict` is of the step that is next."""
        lesson, said = _lesson(name), text(name, language)
        progress = self._progress(lesson)
        open_steps = [step.id for step in lesson.steps if not progress or step.id not in progress.done]
        now = open_steps[0] if progress and open_steps else None
        world = self._service.world.seen_by(caller_of(lesson, REGION))
        steps = [self._step(lesson, step, said, progress, now, world) for step in lesson.steps]
        if verdict and now:
            at = next(step for step in steps if step["id"] == now)
            at["reason"], at["code"] = words(language, verdict.code, verdict.facts), verdict.code
        head = self._head(lesson, said)
        return head | {"about": names.fill(world, said.about), "steps": steps, "now": now}

    async def peek(self, name: str, language: str) -> Json:
        """Return a lesson as it is, without building or judging anything."""
        return self.shown(name, language)

    async def solution(self, name: str, language: str) -> Json:
        """Return a lesson with all commands of each step, and whether everything is there that they name."""
        lesson, shown = _lesson(name), self.shown(name, language)
        world = self._service.world.seen_by(caller_of(lesson, REGION))
        for step, said in zip(lesson.steps, shown["steps"], strict=True):
            said["solution"] = [
                {"command": names.fill(world, one), "is_whole": names.is_whole(world, one)} for one in step.commands
            ]
        return shown

    async def hint(self, name: str, language: str) -> Json:
        """Reveal one more hint of the step that is next."""
        lesson = _lesson(name)
        progress = self._opened(lesson)
        step = next((s for s in lesson.steps if s.id not in progress.done), None)
        if step:
            shown = min(progress.hints_shown(step.id) + 1, len(text(name, language).steps[step.id].hints))
            hints = dict(progress.hints) | {step.id: shown}
            self._write(progress.but(hints=tuple(hints.items())))
        return self.shown(name, language)

    # What is done

    async def open(self, name: str, language: str) -> Json:
        """Build a lesson's world if it is not there, and return the lesson.  Raises NotNow."""
        lesson = _lesson(name)
        async with self._lock(name):
            progress = self._progress(lesson)
            if progress is None or not progress.built:
                await self._build(lesson)
        return self.shown(name, language)

    async def reset(self, name: str, language: str) -> Json:
        """Build a lesson's world anew and forget how far somebody was.  Raises NotNow."""
        lesson = _lesson(name)
        async with self._lock(name):
            await self._build(lesson)
        return self.shown(name, language)

    async def close(self, name: str) -> None:
        """Remove a lesson's world and its progress."""
        lesson = _lesson(name)
        async with self._lock(name):
            self._service.write(lambda tx: _clear(tx, lesson, forget=True), f"lesson {name}: closed")
            self._service.backend.forget()
            await self._service.in_force()

    async def check(self, name: str, language: str) -> Json:
        """Judge the step that is next, and those after it as long as they are done; `passed` tells of them."""
        lesson = _lesson(name)
        self._opened(lesson)
        passed: list[Json] = []
        last: Verdict | None = None
        async with self._lock(name):
            for step in lesson.steps:
                if step.id in self._opened(lesson).done:
                    continue
                last = await self.verdict(lesson, step)
                if not last.passed:
                    break
                progress = self._opened(lesson)
                self._write(progress.but(done=(*progress.done, step.id)))
                passed.append({"step": step.id, "proof": dict(last.facts)})
        unfinished = last if last and not last.passed else None
        return self.shown(name, language, unfinished) | {"passed": passed}

    async def verdict(self, lesson: Lesson, step: Step) -> Verdict:
        """Judge one step on the state of this moment."""
        world = self._service.world.seen_by(caller_of(lesson, REGION))
        is_real = self._service.where()["mode"] != "paper"
        answers: dict[Probe, str] = {}
        for _ in range(PROBES_MAX):
            said = judged(step, world, answers, real=is_real)
            if isinstance(said, Verdict):
                return said
            answers[said] = await send(said, world, self._service.dial)
        raise AssertionError(f"{lesson.name}, {step.id}: a judge that never ends")

    # Parts

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _progress(self, lesson: Lesson) -> Progress | None:
        return self._service.world.get(Progress, lesson.name)

    def _opened(self, lesson: Lesson) -> Progress:
        progress = self._progress(lesson)
        if progress is None or not progress.built:
            raise NotNow(f"the lesson {lesson.name} is not open", f"open it with: atoll learn {lesson.name}")
        return progress

    def _write(self, progress: Progress) -> None:
        self._service.write(lambda tx: tx.put(progress), f"lesson {progress.id}")

    async def _build(self, lesson: Lesson) -> None:
        service, caller = self._service, caller_of(lesson, REGION)
        is_real = service.where()["mode"] != "paper"
        if service.backend.mode == "strict":
            raise NotNow(
                "lessons work in accounts of their own, and Atoll takes only keys that it issued",
                "start it without --keys required",
            )
        service.write(lambda tx: _clear(tx, lesson), f"lesson {lesson.name}: cleared")
        service.backend.forget()

        async def call(service_name: str, action: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
            return await inside.call(service_name, action, given, service.backend, caller)

        async def until(given: Callable[[World], Any]) -> Any:
            async with asyncio.timeout(BUILD_SECONDS_MAX):
                while True:
                    if found := given(service.world.seen_by(caller)):
                        return found
                    await asyncio.sleep(LOOK_EVERY_SECONDS)

        async def booted(instance: str) -> None:
            async with asyncio.timeout(BUILD_SECONDS_MAX):
                while is_real:  # on paper nothing boots
                    said = await call("ec2", "GetConsoleOutput", {"InstanceId": instance, "Latest": True})
                    if BOOTED in base64.b64decode(said.get("Output") or ""):
                        return
                    await asyncio.sleep(LOOK_EVERY_SECONDS)

        def put(host: OutsideHost) -> None:
            if service.world.get(OutsideHost, host.id) is None:
                service.write(lambda tx: tx.put(host), "outside")

        try:
            await lesson.build(Ground(call, until, put, booted, REGION))
        except AwsError as error:
            raise NotNow(f"its world could not be built: {error.code}: {error.message}", "atoll status") from None
        except TimeoutError:
            because = f"its world was not ready within {BUILD_SECONDS_MAX:.0f} s"
            raise NotNow(because, f"atoll status shows what waits; then: atoll learn reset {lesson.name}") from None
        self._write(service.world[Progress, lesson.name].but(built=True))
        _log.info("lesson built", extra={"fields": {"lesson": lesson.name, "account": lesson.account}})

    def _head(self, lesson: Lesson, said: Text) -> Json:
        progress = self._progress(lesson)
        done = [step.id for step in lesson.steps if progress and step.id in progress.done]
        return {
            "name": lesson.name, "title": said.title, "about": said.about, "is_lab": lesson.is_lab,
            "account": lesson.account, "region": REGION, "is_open": bool(progress and progress.built),
            "opened": progress.opened.isoformat() if progress else None,
            "done": len(done), "count": len(lesson.steps),
        }  # fmt: skip

    def _step(
        self, lesson: Lesson, step: Step, said: Text, progress: Progress | None, now: str | None, world: World
    ) -> Json:
        is_done = bool(progress and step.id in progress.done)
        about = said.steps[step.id]
        shown = progress.hints_shown(step.id) if progress else 0
        commands = () if lesson.is_lab and not is_done else step.commands  # a lab that tells its repair is none
        return {
            "id": step.id, "title": names.fill(world, about.title), "text": names.fill(world, about.text),
            "state": "done" if is_done else "now" if step.id == now else "later",
            "commands": [names.fill(world, command) for command in commands],
            "hints": [names.fill(world, hint) for hint in about.hints[:shown]],
            "hints_left": len(about.hints) - shown, "code": None, "reason": None,  # said by a check
        }  # fmt: skip


def _lesson(name: str) -> Lesson:
    lesson = LESSONS.get(name)
    if lesson is None:
        raise Unknown(name)
    return lesson


def _clear(tx: Tx, lesson: Lesson, *, forget: bool = False) -> None:
    """Remove what a lesson's account has, wherever it is; and begin its progress anew, or end that too."""
    for resource in tx.world:
        if resource.account == lesson.account and not isinstance(resource, Progress):
            tx.delete(resource)
    if forget and (progress := tx.world.get(Progress, lesson.name)):
        tx.delete(progress)
    elif not forget:
        tx.put(Progress(id=lesson.name, account=lesson.account, region=REGION, opened=tx.now))
