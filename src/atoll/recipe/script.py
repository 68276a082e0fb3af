"""Write a survey as a shell script of AWS CLI commands, with a variable for each id that is not known before."""

from collections.abc import Iterable, Iterator, Sequence

from atoll.recipe import cli
from atoll.recipe.shell import Variable, word
from atoll.recipe.step import LeftOut, Made, Step, Wait, mentioned, replaced
from atoll.recipe.survey import Survey
from atoll.recipe.terraform_names import identifier

HEAD = """\
#!/usr/bin/env bash
# Makes again what account {account} had in {region}, by AWS CLI commands (1.29 or 2.13 and later).
# It expects an account that has nothing there but its default VPC, and stops at the first error.
set -euo pipefail
export AWS_PAGER="" AWS_REGION={quoted} AWS_DEFAULT_REGION={quoted}
"""


def script(survey: Survey, *, account: str, region: str) -> str:
    """Return the script.  Secrets are variables that must be set before it runs."""
    variables = _variables(survey.steps)
    parts = [HEAD.format(account=account, region=region, quoted=word(region))]
    parts += _secrets(survey.steps)
    parts += _steps(survey.steps, variables)
    parts += _told(survey.left_out)
    return "\n".join(parts).rstrip("\n") + "\n"


def _variables(steps: Iterable[Step]) -> dict[str, Variable]:
    """Choose a name for each thing that is made: of its kind and its own name, no two alike."""
    taken: set[str] = set()
    chosen: dict[str, Variable] = {}
    for made in (made for step in steps for made in step.made):
        base = identifier(f"{made.kind}_{made.name}").upper()
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        chosen[made.id] = Variable(name)
    return chosen


def _is_used(steps: Iterable[Step]) -> set[str]:
    used: set[str] = set()
    for step in steps:
        used |= mentioned(step.parameters)
        for wait in step.waits:
            used |= mentioned(wait.parameters)
        for made in step.made:
            used |= {part for part in made.path.split("'") if "-" in part}
    return used


def _secrets(steps: Iterable[Step]) -> Iterator[str]:
    secrets: list[str] = []
    for step in steps:
        for value in step.parameters.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Variable) and item.name not in secrets:
                    secrets.append(item.name)
    if secrets:
        yield "# Secrets: Atoll keeps only their digests.  Set each of these first."
        yield from (f': "${{{name}:?set it to a secret}}"' for name in secrets)
        yield ""


def _steps(steps: Sequence[Step], variables: dict[str, Variable]) -> Iterator[str]:
    """Yield the commands; what must be waited for is waited for when somebody needs it, and at the end."""
    used = _is_used(steps)
    waits: list[Wait] = []
    for step in steps:
        needs = mentioned(step.parameters)
        for wait in [w for w in waits if needs & mentioned(w.parameters)]:
            waits.remove(wait)
            yield _wait(wait, variables)
        yield from _lines(step, variables, used)
        waits += step.waits
    yield from (_wait(wait, variables) for wait in waits)


def _wait(wait: Wait, variables: dict[str, Variable]) -> str:
    given = replaced(wait.parameters, lambda text: variables.get(text, text))
    return cli.command(wait.service, wait.waiter, given, waiter=True)


def _lines(step: Step, variables: dict[str, Variable], used: set[str]) -> Iterator[str]:
    parameters = replaced(step.parameters, lambda text: variables.get(text, text))
    kept = next((made for made in step.made if made.path and made.id in used), None)
    query = _query(kept, variables) if kept else ""
    if kept is None:
        yield f"{cli.wrapped(step.service, step.operation, parameters)} >/dev/null"
    else:
        command = cli.wrapped(step.service, step.operation, parameters)
        yield f"{variables[kept.id].name}=$({command} \\\n  --query {query} --output text)"
    for made in step.made:
        if made is not kept and made.path and made.id in used:
            yield from _again(made, kept, variables)


def _again(made: Made, first: Made | None, variables: dict[str, Variable]) -> Iterator[str]:
    """Ask for a second thing that a step has made: only endpoint services have two."""
    assert first is not None, "who needs the name has needed the id"
    asked = {"ServiceIds": [variables[first.id]]}
    command = cli.command("ec2", "DescribeVpcEndpointServiceConfigurations", asked)
    path = made.path.replace("ServiceConfiguration.", "ServiceConfigurations[0].")
    yield f"{variables[made.id].name}=$({command} --query {word(path)} --output text)"


def _query(made: Made, variables: dict[str, Variable]) -> str:
    text = made.path
    for id, variable in variables.items():
        if f"'{id}'" in text:
            text = text.replace(f"'{id}'", f"'{variable}'")
    return word(text)


def _told(left_out: Iterable[LeftOut]) -> Iterator[str]:
    told = [f"# {one.id}: {one.why}" for one in left_out]
    if told:
        yield "\n# Not made again:"
        yield from ("".join(c if c.isprintable() else "?" for c in line) for line in told)
