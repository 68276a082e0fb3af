"""Write docs/coverage.md: each operation and parameter of the AWS models, supported or refused.

    python docs/coverage.py            # write it
    python docs/coverage.py --check    # exit 1 if it is stale

It is made from the two things that decide: the operations that the product registers, and botocore's models.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import Session

import atoll
from atoll.aws.operation import OPERATIONS, Operation

PAGE = Path(__file__).with_name("coverage.md")
# botocore's names; there are no hyphens in packages
VERBS = ("cloudwatch", "ec2", "elasticache", "elbv2", "logs", "service-quotas", "ssm", "sts")
EVERYWHERE = {"ec2": ("DryRun", "ClientToken")}  # served for every operation alike, see aws/answer.py
HEAD = """\
# Coverage

Every operation of the services that Atoll serves, from the API models of botocore {version}.  An operation that is
not listed as supported is refused by name, at once, with HTTP 400 (`UnsupportedOperation` of EC2, `InvalidAction` of
the others); a parameter that is not supported is refused by name and changes nothing.  Nothing is accepted and then
ignored.

This page is generated: `make docs`.
"""


def page() -> str:
    """Return the page's text."""
    for name in VERBS:
        _import_all(importlib.import_module(f"atoll.{name.replace('-', '')}"))
    session = Session()
    version = session.user_agent_version
    parts = [HEAD.format(version=version)]
    models = [session.get_service_model(name) for name in VERBS]
    parts.append("| service | supported | in the model |\n|---|---|---|")
    parts += [f"| [{m.service_id}](#{m.service_name}) | {len(_ours(m))} | {len(m.operation_names)} |" for m in models]
    for model in models:
        parts += ["", f"## {model.service_name}", "", *_service(model)]
    return "\n".join(parts) + "\n"


def _service(model: ServiceModel) -> Iterator[str]:
    ours = _ours(model)
    if ours:
        yield "| operation | supported parameters | refused parameters |"
        yield "|---|---|---|"
    for name, operation in sorted(ours.items()):
        shape = model.operation_model(name).input_shape
        members = list(shape.members) if shape else []
        always = EVERYWHERE.get(model.service_name, ())
        supported = [m for m in members if xform_name(m) in operation.parameters or m in always]
        refused = [m for m in members if m not in supported]
        yield f"| `{name}` | {_names(supported)} | {_names(refused)} |"
    missing = [name for name in model.operation_names if name not in ours]
    yield ""
    yield f"Not supported ({len(missing)}): {_names(sorted(missing)) if missing else 'none'}."


def _ours(model: ServiceModel) -> dict[str, Operation]:
    return {name: op for (service, name), op in OPERATIONS.items() if service == model.service_name}


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def _supported(text: str) -> list[str]:
    """Return what a page says that we support; what AWS has beside it changes with each botocore."""
    return [line.rpartition(" | ")[0] for line in text.splitlines() if line.startswith("| `")]


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.exists() or _supported(PAGE.read_text()) != _supported(text))
    PAGE.write_text(text)
    print(f"{PAGE}: {len(OPERATIONS)} operations of atoll {atoll.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
