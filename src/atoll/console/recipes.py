"""Calls as text that somebody can use: AWS CLI commands."""

import json
import shlex
from collections.abc import Sequence

from botocore import xform_name

from atoll.console.ask import Made, Shown


def as_cli(calls: Sequence[Made | Shown], region: str) -> list[str]:
    """Return a command for each call, in their order, each once."""
    found = [call.command if isinstance(call, Shown) else _command(call, region) for call in calls]
    return list(dict.fromkeys(found))


def _command(call: Made, region: str) -> str:
    words = ["aws", call.service, xform_name(call.action, "-")]
    for member, value in call.parameters.items():
        text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
        words += [f"--{xform_name(member, '-')}", shlex.quote(text)]
    return " ".join([*words, "--region", region])


def as_terraform(_: Sequence[Made | Shown]) -> list[str]:
    """Return a block for each call that Terraform has one for."""
    return []
