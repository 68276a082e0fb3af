"""Structure by libnftables, elements by raw netlink: each transaction is done whole or not at all."""

import json
import os
from ipaddress import ip_address

import pytest

from atoll.host.contract import HostError
from atoll.host.linux.nfnl import (
    Change,
    Element,
    Elements,
    Verdict,
    address,
    concat,
    link_name,
    mark,
    port,
    protocol,
    span,
)
from atoll.host.linux.nft import Nft

pytestmark = pytest.mark.kernel

TABLE = """
table ip vpc {
  set members { type ipv4_addr; }
  set ranges { type ipv4_addr; flags interval; }
  set intra { type mark . ifname . ipv4_addr; }
  set boxes { type ipv4_addr . inet_service; flags interval; }
  map eips { type ipv4_addr : ipv4_addr; }
  map marks { type ifname . ipv4_addr : mark; }
  map groups { type ifname : verdict; }
  map classes { type inet_proto . inet_service : verdict; }
  chain sg-1 { accept; }
}
"""
A, B, C = (address(ip_address(f"10.0.0.{n}")) for n in (1, 2, 3))


@pytest.fixture
def table(nameless):
    fd = nameless.new()
    with Nft(fd) as nft, Elements(fd) as elements:
        nft.run(TABLE)
        yield nft, elements


def contents(nft, kind, name):
    listed = json.loads(nft.run(f"list {kind} ip vpc {name}", json=True))["nftables"]
    return next(row[kind] for row in listed if kind in row).get("elem", [])


# id, kind, name, element, and how nft lists it
ELEMENTS = [
    ("plain", "set", "members", Element(A), "10.0.0.1"),
    ("interval", "set", "ranges", span(0x0A000000, 0x0A010000), {"prefix": {"addr": "10.0.0.0", "len": 16}}),
    ("whole interval", "set", "ranges", span(0, 1 << 32), {"prefix": {"addr": "0.0.0.0", "len": 0}}),
    ("concatenated", "set", "intra", Element(concat(mark(7), link_name("e1"), A)), {"concat": [7, "e1", "10.0.0.1"]}),
    (
        "concatenated interval",
        "set",
        "boxes",
        Element(concat(A, port(80)), last=concat(C, port(90))),
        {"concat": [{"range": ["10.0.0.1", "10.0.0.3"]}, {"range": [80, 90]}]},
    ),
    ("map", "map", "eips", Element(A, value=B), ["10.0.0.1", "10.0.0.2"]),
    (
        "map of concatenation",
        "map",
        "marks",
        Element(concat(link_name("e1"), A), value=mark(3)),
        [{"concat": ["e1", "10.0.0.1"]}, 3],
    ),
    (
        "verdict with chain",
        "map",
        "groups",
        Element(link_name("e1"), value=Verdict("goto", "sg-1")),
        ["e1", {"goto": {"target": "sg-1"}}],
    ),
    (
        "verdict",
        "map",
        "classes",
        Element(concat(protocol(6), port(6379)), value=Verdict("accept")),
        [{"concat": ["tcp", 6379]}, {"accept": None}],
    ),
]


@pytest.mark.parametrize(
    ("kind", "name", "element", "listed"), [row[1:] for row in ELEMENTS], ids=[row[0] for row in ELEMENTS]
)
def test_an_element_comes_and_goes(table, kind, name, element, listed):
    nft, elements = table
    elements.apply("vpc", [Change(name, add=[element])])
    found = contents(nft, kind, name)
    assert found == [listed] or found == [json.loads(json.dumps(listed).replace('"tcp"', "6"))]
    elements.apply("vpc", [Change(name, delete=[element])])
    assert contents(nft, kind, name) == []


def test_a_transaction_moves_elements_between_sets(table):
    nft, elements = table
    elements.apply("vpc", [Change("members", add=[Element(A), Element(B)])])
    elements.apply(
        "vpc",
        [
            Change("eips", add=[Element(A, value=B)]),
            Change("members", delete=[Element(A)], add=[Element(C)]),
        ],
    )
    assert sorted(contents(nft, "set", "members")) == ["10.0.0.2", "10.0.0.3"]
    assert contents(nft, "map", "eips") == [["10.0.0.1", "10.0.0.2"]]


def test_a_map_value_is_replaced_in_one_transaction(table):
    nft, elements = table
    elements.apply("vpc", [Change("eips", add=[Element(A, value=B)])])
    elements.apply("vpc", [Change("eips", delete=[Element(A)], add=[Element(A, value=C)])])
    assert contents(nft, "map", "eips") == [["10.0.0.1", "10.0.0.3"]]


def test_a_refused_transaction_changes_nothing_and_the_next_works(table):
    nft, elements = table
    elements.apply("vpc", [Change("members", add=[Element(A)])])
    with pytest.raises(HostError, match="delete elements of members in table vpc: ENOENT"):
        elements.apply("vpc", [Change("members", delete=[Element(A), Element(C)], add=[Element(B)])])
    assert contents(nft, "set", "members") == ["10.0.0.1"]
    with pytest.raises(HostError, match="add elements of missing in table vpc: ENOENT"):
        elements.apply("vpc", [Change("members", add=[Element(B)]), Change("missing", add=[Element(B)])])
    assert contents(nft, "set", "members") == ["10.0.0.1"]
    elements.apply("vpc", [Change("members", add=[Element(B)])])
    assert sorted(contents(nft, "set", "members")) == ["10.0.0.1", "10.0.0.2"]


def test_ten_thousand_elements_in_one_transaction(table):
    nft, elements = table
    many = [span(0x0A000000 + 4 * n, 0x0A000002 + 4 * n) for n in range(10_000)]
    elements.apply("vpc", [Change("ranges", add=many)])
    assert len(contents(nft, "set", "ranges")) == 10_000
    elements.apply("vpc", [Change("ranges", delete=many)])
    assert contents(nft, "set", "ranges") == []


def test_an_offending_text_is_in_the_error_and_nothing_of_it_is_done(table):
    nft, _ = table
    with pytest.raises(HostError, match=r"(?s)No such file.*in: add chain.*no_such_set"):
        nft.run("add chain ip vpc half\nadd element ip vpc no_such_set { 1 }")
    assert "half" not in nft.run("list table ip vpc")


def test_a_context_works_when_the_process_has_a_thousand_descriptors(nameless):
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with Nft(nameless.new()) as nft:
            nft.run(TABLE)
            assert "table ip vpc" in nft.run("list tables")
    finally:
        for fd in many:
            os.close(fd)
