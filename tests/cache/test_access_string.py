"""Access strings: read as the engine reads them, written as AWS does, and never wider than clients may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.cache.access_string import BadAccessString, parse
from atoll.cache.acl import rules
from atoll.cache.commands import CATEGORIES, SINCE
from atoll.cache.restricted import is_restricted, restricted


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", "off -@all"),
        ("~objects:* ~items:*", "off ~objects:* ~items:* -@all"),
        ("on ~* +@all", "on ~* +@all"),
        ("on allkeys allcommands", "on ~* +@all"),
        ("allchannels on ALLKEYS +@all", "on ~* &* +@all"),
        ("on ~app::* -@all +@read +@hash -hset", "on ~app::* -@all +@read +@hash -hset"),
        ("on +get off", "off -@all +get"),
        ("on ~* +get -@all +SET", "on ~* -@all +set"),
        ("on ~a &b:* +@all", "on ~a resetchannels &b:* +@all"),
        ("on resetkeys %r~a:* %RW~b (~c +get) +client|id", "on %R~a:* %RW~b -@all +client|id (~c -@all +get)"),
        ("on ~* +select|0", "on ~* -@all +select|0"),
    ],
)
def test_a_string_is_written_as_aws_does(given, text):
    assert parse(given).text == text
    assert parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        ">secret-of-mine", "#abc", "nopass", "resetpass", "reset", "+nosuch", "+@nosuch", "+client|nosuch",
        "+config|get", "-config", "+acl|setuser", "+cluster|meet", "+replicaof", "get", "on(", "~* ~a", "&* &a",
        "+@read|x", "-get|1", "(+config)",
    ],
)  # fmt: skip
def test_what_no_user_may_have_is_refused(text):
    with pytest.raises(BadAccessString) as caught:
        parse(text)

    assert "secret" not in str(caught.value)


WORDS = st.one_of(
    st.sampled_from(sorted(name for name in SINCE if not is_restricted(name))),
    st.sampled_from(sorted(f"@{name}" for name in (*CATEGORIES, "all"))),
)
RULES = st.lists(st.tuples(st.sampled_from("+-"), WORDS).map("".join), max_size=8)
VERSIONS = st.sampled_from([("redis", "6.2.14"), ("redis", "7.0.15"), ("valkey", "7.2.6"), ("valkey", "9.1.2")])


@given(rules=RULES)
def test_writing_a_string_down_changes_nothing(rules):
    once = parse("on ~* " + " ".join(rules))

    assert parse(once.text) == once


@given(asked=RULES, build=VERSIONS)
def test_no_rule_opens_what_is_restricted(asked, build):
    told = restricted(parse(" ".join(asked)).root.commands, *build)

    for name in (name for name in SINCE if is_restricted(name)):
        container = name.partition("|")[0]
        has = False
        for rule in told:
            has = rule[0] == "+" if rule[1:] == "@all" or rule[1] == "@" or rule[1:] in (name, container) else has
        assert not has, (name, told)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("+@all", ("acl|whoami", "acl|list", "cluster|slots", "cluster|shards")),
        ("+@all -@dangerous", ("acl|whoami", "cluster|slots")),
        ("+@slow", ("acl|cat", "acl|list")),
        ("+acl", ("acl|list",)),
        ("+@read +acl|whoami", ("acl|whoami",)),
    ],
)
def test_what_is_everybodys_stays_with_who_has_it(given, kept):
    told = rules(parse(f"on {given}"), "valkey", "9.1.2")

    assert all(f"+{name}" in told for name in kept)
    assert ("+acl|list" in told) == ("acl|list" in kept)


def test_an_engine_is_told_only_of_commands_that_it_knows():
    told = rules(parse("on +get +hexpire -sintercard +cluster|myshardid"), "redis", "7.0.15")

    assert told == ("on", "-@all", "+get", "-sintercard")
