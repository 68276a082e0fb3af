"""A world written down makes the same world again."""

import json
import os
import subprocess

import pytest

from atoll.recipe.configuration import configuration
from atoll.recipe.script import script
from atoll.recipe.step import replaced
from atoll.recipe.survey import survey
from tests.api.test_terraform import Terraform
from tests.daemon.atoll import running
from tests.recipe import rich

WHOSE = {"account": "000000000000", "region": "us-east-1"}


@pytest.fixture(scope="module")
def live():
    with running("paper") as atoll:
        yield rich.Live(atoll)


@pytest.fixture(scope="module")
def world(live):
    rich.make(live)
    found = live.world()
    live.atoll.reset()
    return found


def described(world):
    """Return the calls that make a world, in no order, with names for ids: worlds that are alike have the same."""
    found = survey(world, **WHOSE)
    names = {made.id: f"{made.kind} {made.name}" for step in found.steps for made in step.made}
    calls = [replaced({"": step.operation, **step.parameters}, lambda t: names.get(t, t)) for step in found.steps]
    return sorted(json.dumps(unordered(call), sort_keys=True, default=str) for call in calls)


def unordered(value):
    """Return a value whose lists are sorted: those of AWS are sets, nearly all of them."""
    if isinstance(value, dict):
        return {key: unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(unordered, value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value


@pytest.mark.timeout(300)
def test_the_script_makes_the_same_world_again(world, live, quick_aws, tmp_path):
    text = script(survey(world, **WHOSE), **WHOSE)
    (tmp_path / "make.sh").write_text(text)
    environment = quick_aws | {
        "AWS_ENDPOINT_URL": live.atoll.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "PASSWORD_APP": "another-password-of-it", "PASSWORD_OFF": "nobody-comes-in-by-this",
    }  # fmt: skip

    done = subprocess.run(
        ["bash", "-x", "make.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:] + text
    live.settle()
    assert script(survey(live.world(), **WHOSE), **WHOSE) == text


@pytest.mark.skipif(os.geteuid() != 0, reason="two runs of Terraform; what they see is the same as an ordinary user")
@pytest.mark.timeout(900)
def test_terraform_makes_the_same_world_again_and_wants_nothing_more(world, live, tmp_path):
    found = survey(world, **WHOSE)
    live.atoll.reset()
    (tmp_path / "main.tf").write_text(configuration(found, **WHOSE))
    terraform = Terraform(tmp_path, live.atoll.url)
    terraform.environment |= {"TF_VAR_password_app": "a-password-of-app", "TF_VAR_password_off": "nobody-comes-in-by"}

    terraform("init")
    terraform("fmt", "-check")
    terraform("apply", "-auto-approve", "-parallelism=30")
    terraform("plan", "-detailed-exitcode", "-parallelism=30")

    one, other = set(described(live.world())), set(described(world))
    assert sorted(one - other) == []
    assert sorted(other - one) == []
