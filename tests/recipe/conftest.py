"""The real AWS CLI, asked what it would send."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.recipe.calls import model

AWS = """
aws() {
  for word; do
    case $word in fileb:///dev/fd/*) word=$(cat "${word#fileb://}");; esac
    printf '%s\\0' "$word"
  done
  printf '\\1\\0'
}
"""


def parsed(commands: list[str]) -> list[list[str]]:
    """Have bash parse commands; returns what each of them gives to `aws`."""
    script = AWS + "\n".join(commands)
    done = subprocess.run(["bash", "-u"], input=script.encode(), capture_output=True, check=True, timeout=60)
    said = done.stdout.decode("utf-8", "surrogateescape").split("\1\0")[:-1]
    return [one.split("\0")[:-1] for one in said]


@pytest.fixture(scope="session")
def sends() -> Iterator[Callable[[list[str]], dict[str, Any]]]:
    """Return a function that has the AWS CLI, in this process, read words; returns the parameters that it sends."""
    patch = pytest.MonkeyPatch()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    warnings.simplefilter("ignore")
    from awscli.clidriver import create_clidriver

    seen: list[dict[str, Any]] = []
    asking = [""]  # the service, by the CLI's name

    def take(event_name: str, call_parameters: dict[str, Any], **_: Any) -> int:
        _, event_service, verb = event_name.split(".")
        taken = dict(call_parameters)
        taken.pop("PaginationConfig", None)  # the CLI's own, where nobody asked for a page
        asked = model(asking[0])
        operation = next(name for name in asked.operation_names if xform_name(name, "-") == verb)
        driver.session.get_component("event_emitter").emit(
            f"before-parameter-build.{event_service}.{operation}",
            params=taken,
            model=asked.operation_model(operation),
            context={},
        )
        taken.pop("ClientToken", None)  # made up by the SDK, each time another
        seen.append(taken)
        return 0

    def fresh() -> Any:
        made = create_clidriver()
        made.session.get_component("event_emitter").register_last("calling-command.*", take)
        return made

    driver = fresh()

    def send(words: list[str]) -> dict[str, Any]:
        nonlocal driver
        seen.clear()
        asking[0] = words[0]
        code = driver.main([*words, "--region", "us-east-1"])
        if words[1].endswith("-attribute"):
            driver = fresh()  # what it checks of these options, it would check of every later command
        assert code == 0, f"the CLI refused {words}"
        return json.loads(json.dumps(seen[0], default=lambda b: b.decode() if isinstance(b, bytes) else str(b)))

    yield send
    patch.undo()


@pytest.fixture(scope="session")
def quick_aws() -> Iterator[dict[str, str]]:
    """Return an environment in which `aws` is the installed AWS CLI, without the second that it takes to load."""
    with tempfile.TemporaryDirectory(prefix="quick-") as directory:
        place, quick = Path(directory), Path(__file__).parent / "quick"
        program = place / "aws"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{quick / "aws.py"}" "$@"\n')
        program.chmod(0o755)
        environment = {"PATH": f"{place}:{os.environ['PATH']}", "QUICK_AWS": str(place / "socket"), "LANG": "C.UTF-8"}
        server = subprocess.Popen(
            [sys.executable, str(quick / "server.py"), str(place / "socket")], stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "AWS_CONFIG_FILE": "/nonexistent"},
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdout.readline() == b"Ready.\n"
        yield environment
        server.kill()
        server.wait()
        server.stdout.close()
