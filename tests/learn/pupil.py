"""A pupil: types the commands of a lesson as they are written, by the real AWS CLI, and asks the judge.

The AWS CLI is called in this process, which saves its start; `atoll exec` enters the instance as the command does.
"""

import contextlib
import io
import os
import shlex
import time
import urllib.request
from collections.abc import Iterable
from typing import Any

from awscli.clidriver import create_clidriver

from atoll.admin import snapshot
from atoll.cli import enter
from atoll.learn import names
from atoll.learn.judge import caller_of
from atoll.learn.lesson import REGION, Lesson, Step
from tests.daemon.atoll import Atoll

READY_SECONDS = 60.0  # until what a command names is there
DONE_SECONDS = 60.0  # until what was asked for has happened
TYPED_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.05
ASKED_AGAIN = ("InvalidReplicationGroupState", "InvalidCacheClusterState", "IncorrectInstanceState")


class Pupil:
    """Takes one lesson."""

    def __init__(self, atoll: Atoll, lesson: Lesson, language: str = "en"):
        self.atoll, self.lesson, self.language = atoll, lesson, language
        with self._environment():
            self._cli = create_clidriver()  # once: it keeps the models that it has read

    def act(self, what: str) -> dict[str, Any]:
        """Open, check, reset ... the lesson; returns how it is then."""
        said = {"act": what, "lesson": self.lesson.name, "lang": self.language}
        found: dict[str, Any] = self.atoll.post("/_atoll/lessons", said)
        return found

    def check(self) -> dict[str, Any]:
        return self.act("check")

    def reason(self, step: Step) -> str:
        """Return the code of the reason why a step is not done; empty if it is."""
        found = next(one for one in self.check()["steps"] if one["id"] == step.id)
        assert found["state"] in ("now", "done"), f"{step.id} comes later"
        assert found["state"] == "done" or found["reason"], "a refusal is a sentence"
        return "" if found["state"] == "done" else str(found["code"])

    def until_reason(self, step: Step, wanted: str) -> None:
        """Wait until the judge says this of a step; the empty reason is that it is done."""
        end = time.monotonic() + DONE_SECONDS
        while (found := self.reason(step)) != wanted:
            assert time.monotonic() < end, f"{step.id}: {found!r} and not {wanted!r}: {self.check()}"
            time.sleep(LOOK_EVERY_SECONDS)

    def type(self, commands: Iterable[str]) -> None:
        """Type commands as they are written, once everything is there that they name."""
        for command in commands:
            words = shlex.split(self.filled(command))
            if words[0] == "aws":
                self._aws(words[1:])
            else:
                self._inside(words)

    def filled(self, command: str) -> str:
        """Return a command with its placeholders filled in, when it can be."""
        if not names.placeholders(command):
            return command
        end = time.monotonic() + READY_SECONDS
        while True:
            with urllib.request.urlopen(f"{self.atoll.url}/_atoll/world", timeout=TYPED_SECONDS) as said:
                world = snapshot.read(said.read()).seen_by(caller_of(self.lesson, REGION))
            if names.is_whole(world, command):
                return names.fill(world, command)
            assert time.monotonic() < end, f"something is missing: {names.fill(world, command)}"
            time.sleep(LOOK_EVERY_SECONDS)

    def _aws(self, words: list[str]) -> None:
        end = time.monotonic() + READY_SECONDS
        while True:
            said = io.StringIO()
            with self._environment(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = self._cli.main(words)
            if code == 0:
                return
            # A call that came while the last one is still being done: AWS says so, and a person tries again.
            assert any(word in said.getvalue() for word in ASKED_AGAIN), f"aws {' '.join(words)}: {said.getvalue()}"
            assert time.monotonic() < end, said.getvalue()
            time.sleep(LOOK_EVERY_SECONDS)

    def _inside(self, words: list[str]) -> None:
        assert words[:2] == ["atoll", "exec"], words
        assert words[3] == "--", words
        found = self.atoll.get(f"/_atoll/machines/{words[2]}?account={self.lesson.account}&region=us-east-1")
        ended = enter.run(enter.in_instance(enter.place_of(found)), words[4:], seconds_max=TYPED_SECONDS)
        assert ended.code == 0, f"{' '.join(words)} -> {ended.code}: {ended.output}"

    @contextlib.contextmanager
    def _environment(self) -> Any:
        chosen = {
            "AWS_ENDPOINT_URL": self.atoll.url, "AWS_ACCESS_KEY_ID": self.lesson.account,
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1",
            "AWS_PAGER": "", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }  # fmt: skip
        before = {name: os.environ.get(name) for name in chosen}
        os.environ.update(chosen)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
