"""The codec against botocore's own, in both directions, for every operation of every service."""

import zlib
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.errors import AwsError
from atoll.aws.http import Request, parameters, read_form
from atoll.aws.models import protocol
from atoll.aws.parse import parse
from atoll.aws.serialize import envelope, serialize
from tests.aws.shapes import OPERATIONS, SERVICES, SESSION, Dice

SAMPLES = 10  # of each operation in each direction


def sent(name, action, params):
    """What botocore writes."""
    model = SESSION.get_service_model(name)
    request = create_serializer(protocol(name), include_validation=False).serialize_to_request(
        params, model.operation_model(action)
    )
    return urlencode(request["body"])


def received(name, action, body):
    return parse(name, action, parameters(read_form(Request("POST", "/", "", {}, body.encode()))))


def read(name, action, text, status=200):
    """What botocore reads."""
    model = SESSION.get_service_model(name)
    raw = {"body": text.encode(), "headers": {}, "status_code": status}
    out = create_parser(protocol(name)).parse(raw, model.operation_model(action).output_shape)
    meta = out.pop("ResponseMetadata")
    return out, meta["RequestId"]


def check_request(name, action, seed):
    shape = SESSION.get_service_model(name).operation_model(action).input_shape
    params = pruned(shape, Dice(seed).value(shape)) or {}
    assert received(name, action, sent(name, action, params)) == params


def pruned(shape, value):
    """Leave out structures without members, and lists of nothing else: a form has no way to say them."""
    match shape.type_name:
        case "structure":
            members = {k: pruned(shape.members[k], v) for k, v in value.items()}
            kept = {k: v for k, v in members.items() if v is not None}
            return kept if kept and kept.keys() >= set(shape.required_members) else None
        case "list":
            return [v for v in (pruned(shape.member, v) for v in value) if v is not None] or None
    return value


def check_result(name, action, seed):
    shape = SESSION.get_service_model(name).operation_model(action).output_shape
    result = Dice(seed).value(shape) if shape else {}
    text = envelope(name, action, serialize(name, action, result), "a-request")
    assert read(name, action, text) == (result, "a-request")


@given(st.text(alphabet="ab=&+% 4\u00e9;", max_size=20))
def test_a_form_is_read_as_by_the_library_of_python(text):
    try:
        found = read_form(Request("POST", "/", "", {}, text.encode()))
    except AwsError as error:
        found = error.code

    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
        is_clear = len(dict(pairs)) == len(pairs)  # no field is given twice
    except UnicodeDecodeError:
        is_clear = False
    assert found == (dict(pairs) if is_clear else "MalformedQueryString")


@pytest.mark.parametrize("name", SERVICES)
def test_what_botocore_sends_is_what_an_operation_gets(name):
    for owner, action in OPERATIONS:
        for sample in range(SAMPLES if owner == name else 0):
            check_request(name, action, zlib.crc32(f"{action}{sample}".encode()))


@pytest.mark.parametrize("name", SERVICES)
def test_what_an_operation_answers_is_what_botocore_reads(name):
    for owner, action in OPERATIONS:
        for sample in range(SAMPLES if owner == name else 0):
            check_result(name, action, zlib.crc32(f"{action}{sample}".encode()))


@given(st.sampled_from(OPERATIONS), st.integers(0, 2**32))
def test_any_operation_with_any_values(operation, seed):
    check_request(*operation, seed)
    check_result(*operation, seed)
