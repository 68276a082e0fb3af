"""Calls as text that somebody can use: AWS CLI commands, and Terraform for what changes something."""

from collections.abc import Sequence

from atoll.console.ask import Made, Shown
from atoll.recipe import cli, terraform


def as_cli(calls: Sequence[Made | Shown], region: str) -> list[str]:
    """Return a command for each call, in their order, each once.  Secrets are variables."""
    return list(dict.fromkeys(_command(call, region) for call in calls))


def as_terraform(calls: Sequence[Made | Shown]) -> list[str]:
    """Return what each call that changes something is in Terraform, or why it is nothing there."""
    made = (call for call in calls if isinstance(call, Made) and call.writes)
    return [terraform.text(call.service, call.action, call.parameters, secrets=False) for call in made]


def _command(call: Made | Shown, region: str) -> str:
    if isinstance(call, Shown):
        return call.command
    return cli.wrapped(call.service, call.action, call.parameters, region=region, secrets=False)
