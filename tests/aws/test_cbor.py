"""CBOR: there and back, as botocore writes and reads it, and never an error that is not the caller's."""

import contextlib
import math
from datetime import UTC, datetime

import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.cbor import DEPTH_MAX, dumps, loads

TIMES = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
SCALARS = st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text() | TIMES


def nested(scalars):
    return st.recursive(scalars, lambda v: st.lists(v, max_size=5) | st.dictionaries(st.text(), v, max_size=5))


@given(nested(st.none() | SCALARS))
def test_what_is_written_is_read(value):
    assert loads(dumps(value)) == value


@given(nested(SCALARS))  # botocore leaves out members that are null
def test_what_is_written_is_what_botocore_reads(value):
    parser = create_parser("smithy-rpc-v2-cbor")
    stream = parser.get_peekable_stream_from_bytes(dumps(value))
    assert parser.parse_data_item(stream) == value


@given(st.binary(max_size=60))
def test_bytes_are_a_value_or_a_value_error(raw):
    with contextlib.suppress(ValueError):
        loads(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("9f0102ff", [1, 2]),
        ("bf616101ff", {"a": 1}),
        ("7f61616162ff", "ab"),
        ("5f4101ff", b"\x01"),
        ("f93c00", 1.0),
        ("fa3fc00000", 1.5),
        ("f7", None),
        ("c11a5f000000", datetime.fromtimestamp(0x5F000000, UTC)),
    ],
)
def test_forms_that_other_sdks_may_choose_are_read(raw, value):
    assert loads(bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        ("", "ends too early"),
        ("0101", "more than one value"),
        ("81" * (DEPTH_MAX + 2) + "01", "too deep"),
        ("9bffffffffffffffff", "ends too early"),
        ("a10101", "a key is no text"),
        ("a2616101616102", "there twice"),
        ("c001", "not that of a time"),
        ("c1fb7ff0000000000000", "no time"),
        ("c1fb7ff8000000000000", "no time"),
        ("1f", "a number has no length"),
        ("1c", "no known size"),
        ("7f01ff", "a part of a string"),
        ("e0", "not known"),
    ],
)
def test_what_is_no_value_is_refused(raw, because):
    with pytest.raises(ValueError, match=because):
        loads(bytes.fromhex(raw))


def test_a_number_that_is_none_stays_one():
    assert math.isnan(loads(dumps(math.nan)))


def test_what_has_no_form_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="no form in CBOR"):
        dumps({"a": {1, 2}})
