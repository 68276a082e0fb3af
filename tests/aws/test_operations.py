"""Every declared operation against botocore's model: names that exist, and nothing required that is forgotten."""

import importlib
import pkgutil

import pytest
from botocore import xform_name

from atoll.aws.operation import OPERATIONS
from tests.aws.shapes import SERVICES, SESSION

# Members that the model requires and an operation gives a default, each with its reason.
DELIBERATE: dict[tuple[str, str], set[str]] = {}


def declared():
    for service in SERVICES:
        package = importlib.import_module(f"atoll.{service}")
        for module in pkgutil.iter_modules(package.__path__, f"atoll.{service}."):
            importlib.import_module(module.name)
    return sorted(OPERATIONS)


@pytest.fixture(params=declared(), ids=":".join)
def operation(request):
    return OPERATIONS[request.param]


def model(operation):
    return SESSION.get_service_model(operation.service).operation_model(operation.name)


def test_its_parameters_are_members_of_the_model(operation):
    known = {xform_name(member) for member in model(operation).input_shape.members}
    assert operation.parameters <= known


def test_what_the_model_requires_is_required(operation):
    required = {xform_name(member) for member in model(operation).input_shape.required_members}
    supported = required - DELIBERATE.get((operation.service, operation.name), set())
    assert supported <= operation.required


def test_dry_runs_are_not_its_business(operation):
    assert "dry_run" not in operation.parameters
