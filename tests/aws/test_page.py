"""Pages: every row once, whatever happens between two pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.errors import AwsError
from atoll.aws.page import page_ec2, page_query

NAMES = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=60)


def me(name):
    return name


def every_page(cut):
    seen, token = [], None
    for _ in range(100):
        page, token = cut(token)
        seen += page
        if token is None:
            return seen
    raise AssertionError("pages without an end")


@given(NAMES, st.integers(1, 20))
def test_pages_together_are_the_listing(names, size):
    assert every_page(lambda t: page_query(names, me, size, t, low=1)) == sorted(names)
    assert every_page(lambda t: page_ec2(names, me, size, t, low=1)) == sorted(names)


@given(NAMES, NAMES)
def test_what_is_created_between_pages_hides_nothing(names, later):
    first, token = page_ec2(names, me, 5, None)
    rest, _ = page_ec2(list({*names, *later}), me, None, token) if token else ([], None)
    assert {*first, *rest} >= set(names)
    assert not set(first) & set(rest)


def test_deleting_each_page_before_the_next_still_visits_everything():
    names = [f"cache-{n:03}" for n in range(250)]
    seen, token = [], None
    for _ in range(3):
        page, token = page_query(names, me, None, token)
        names = [n for n in names if n not in page]
        seen += page
    assert (len(seen), token, names) == (250, None, [])


def test_ec2_returns_everything_in_the_order_given_without_max_results():
    assert page_ec2(["c", "a", "b"], me, None, None) == (["c", "a", "b"], None)


def test_an_exactly_full_page_has_no_successor():
    assert page_query([str(n) for n in range(10, 30)], me, 20, None)[1] is None


@pytest.mark.parametrize("size", [0, 19, 101, -1, 10**12])
def test_query_sizes_out_of_range_are_refused(size):
    with pytest.raises(AwsError) as refusal:
        page_query([], me, size, None)
    assert refusal.value.code == "InvalidParameterValue"
    assert str(size) in refusal.value.message


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (4, "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."),
        (1001, "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000."),
    ],
)
def test_ec2_sizes_out_of_range_are_refused(size, message):
    with pytest.raises(AwsError) as refusal:
        page_ec2([], me, size, None)
    assert (refusal.value.code, refusal.value.message) == ("InvalidParameterValue", message)


@given(st.text(min_size=1, max_size=40))
def test_an_invented_token_is_refused(token):
    with pytest.raises(AwsError) as refusal:
        page_ec2(["a"], me, 5, token)
    assert refusal.value.code == "InvalidNextToken"
    with pytest.raises(AwsError) as refusal:
        page_query(["a"], me, 20, token)
    assert refusal.value.code == "InvalidParameterValue"


@given(st.integers(0, 30), st.sampled_from("abcXYZ019_-="))
def test_a_tampered_token_is_refused(at, char):
    names = [f"cache-{n:03}" for n in range(30)]
    _, token = page_query(names, me, 20, None)
    tampered = token[:at] + char + token[at + 1 :]
    if tampered == token:
        return
    with pytest.raises(AwsError):
        page_query(names, me, 20, tampered)
