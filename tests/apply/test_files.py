"""Files of `atoll apply`: what is wrong in one is told with its place, all at once."""

import json
from pathlib import Path

import pytest

from atoll.apply.document import Wrong, read
from atoll.apply.plan import plan
from atoll.apply.schema import SCHEMA
from atoll.apply.wish import wish
from atoll.model.world import World

BASE = """\
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      public: {cidr: 10.0.0.0/24, public: true}
      private: {cidr: 10.0.1.0/24}
security_groups:
  app: {}
"""
WRONG = {
    "a name that is not there": (
        "  cache: {ingress: [{from: ap, port: 6379}]}", 9, "there is no security group 'ap' (did you mean app?)"),
    "a word that is not there": ("  cache: {ingres: []}", 9, "there is no 'ingres' here (did you mean ingress?)"),
    "a word that is not one of them": (
        "caches: {s: {engine: valky, subnets: [private]}}", 9,
        "engine cannot be 'valky' (did you mean valkey?): it is one of valkey, redis, memcached"),
    "something that is left out": ("instances: {a: {subnet: private}}", 9, "a needs groups"),
    "text for a number": (
        "caches: {s: {engine: valkey, subnets: [private], replicas: two}}", 9, "replicas must be a whole number"),
    "a number that is too large": (
        "caches: {s: {engine: valkey, subnets: [private], replicas: 9}}", 9, "replicas must be from 0 to 5"),
    "a yes for a number": (
        "caches: {s: {engine: valkey, subnets: [private], replicas: true}}", 9, "replicas must be a whole number"),
    "a range that is none": (
        "  cache: {ingress: [{from: 198.51.100.27-32, port: 22}]}", 9, "198.51.100.27-32 is not a range"),
    "ports the wrong way round": ("  x: {ingress: [{from: app, port: 9-3}]}", 9, "9-3 is not a range of ports"),
    "an address elsewhere": (
        "instances: {a: {subnet: private, groups: [app], address: 10.9.0.1}}", 9, "10.9.0.1 is not in private"),
    "a NAT that forwards nothing": (
        "instances: {a: {subnet: public, groups: [app]}}\nvpcs: {}", 10, "vpcs is there twice"),
    "what a serverless cache has not": (
        "caches: {s: {engine: valkey, subnets: [private], serverless: true, shards: 2}}", 9,
        "a serverless cache has no shards"),
    "no YAML": ("a: [", 10, "this is not YAML"),
    "a tab": ("\tb: 1", 9, "this is not YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("more", "line", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(more, line, message):
    with pytest.raises(Wrong) as caught:
        wish(read(BASE + more + "\n"), name="x")

    (trouble,) = caught.value.troubles
    assert trouble.line == line
    assert message in trouble.message


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(Wrong) as caught:
        wish(read("vpcs:\n  a: {cidr: 10.0.0.0/8}\n  b: {cidr: 10.0.0.1/16}\n  c: {cidr: 10.300.0.0/16}\n"), name="x")

    assert [(t.line, t.column) for t in caught.value.troubles] == [(2, 7), (3, 7), (4, 7)]


def test_overlaps_and_unknown_ways_are_told():
    text = BASE.replace("10.0.1.0/24}", "10.0.0.128/25, nat: gat}")

    with pytest.raises(Wrong) as caught:
        wish(read(text), name="x")

    assert [t.message for t in caught.value.troubles] == [
        "10.0.0.128/25 overlaps that of public",
        "there is no instance or NAT gateway 'gat'; the file has no instance or NAT gateway",
    ]


@pytest.mark.parametrize("hostile", ["!!python/object/apply:os.system ['true']", "&a [*a]", "? [a]\n: b", "[" * 500])
def test_a_hostile_file_is_refused(hostile):
    with pytest.raises(Wrong):
        read(f"vpcs: {hostile}\n")


def test_an_empty_file_wishes_for_nothing():
    assert plan(wish(read(""), name="x"), World({}, 0), account="000000000000", region="us-east-1") == ()


def test_the_examples_satisfy_the_schema_that_editors_get():
    names = set(SCHEMA["properties"])
    for path in (Path(__file__).parents[2] / "examples").glob("*.yaml"):
        assert set(read(path.read_text()).value) <= names
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
