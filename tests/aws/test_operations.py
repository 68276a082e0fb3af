"""Every declared operation against botocore's model: names that exist, and nothing required that is forgotten."""

import importlib
import pkgutil

import pytest
from botocore import xform_name

from atoll.aws.operation import OPERATIONS
from tests.aws.shapes import SERVICES, SESSION

ALL = (*SERVICES, "service-quotas", "cloudwatch", "logs", "ssm")

# Members that the model requires and an operation gives a default, each with its reason.
# `aws/once.py` takes the client token of every operation, and SDKs send one by themselves.
DELIBERATE: dict[tuple[str, str], set[str]] = {
    ("ec2", name): {"client_token"} for name in ("CreateNetworkInsightsPath", "StartNetworkInsightsAnalysis")
}


@pytest.fixture(scope="module")
def operations():
    """Every operation that a module of the verbs declares."""
    for service in ALL:
        package = importlib.import_module(f"atoll.{service.replace('-', '')}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return list(OPERATIONS.values())


def members(operation):
    shape = SESSION.get_service_model(operation.service).operation_model(operation.name).input_shape
    return {xform_name(member) for member in shape.members}, {xform_name(member) for member in shape.required_members}


def test_each_operation_is_one_that_aws_has(operations):
    known = {name: set(SESSION.get_service_model(name).operation_names) for name in ALL}
    assert [f"{op.service}:{op.name}" for op in operations if op.name not in known[op.service]] == []


def test_the_parameters_of_each_operation_are_those_of_aws(operations):
    strangers = {op.name: op.parameters - members(op)[0] for op in operations}
    assert {name: odd for name, odd in strangers.items() if odd} == {}


def test_what_aws_requires_is_required(operations):
    lax = {op.name: members(op)[1] - op.required - DELIBERATE.get((op.service, op.name), set()) for op in operations}
    assert {name: missing for name, missing in lax.items() if missing} == {}


def test_what_looks_changes_nothing(operations):
    verbs = ("Describe", "Filter", "Get", "List", "Lookup", "Search")
    looks = {op.name for op in operations if op.name.startswith(verbs) and op.writes}
    assert looks == {"GetSessionToken"}, "that issues keys; a `Moment` is for what needs the time to read"


def test_a_dry_run_is_the_business_of_no_operation(operations):
    assert [op.name for op in operations if "dry_run" in op.parameters] == []
