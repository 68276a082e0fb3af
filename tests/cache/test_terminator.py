"""Who is led where, and under which names: TLS beside an engine, as values."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.cache.node import Encryption, NodePlan
from atoll.cache.terminator import CONNECTIONS_MAX, configuration, doors, rules

ADDRESS, OTHER = IPv4Address("10.0.1.5"), IPv4Address("10.0.1.6")
SECURE = Encryption(mode="required", region="us-east-1", names=("a.example",), members=(ADDRESS, OTHER))
NODE = NodePlan(
    name="n",
    cluster_id="c",
    node_id="0001",
    interface_id="eni-1",
    vpc_id="vpc-1",
    engine="valkey",
    version="9.1.2",
    boot=1,
    address=ADDRESS,
    port=6379,
    memory_bytes=1,
    encryption=SECURE,
)


@given(st.integers(1, 65_535))
def test_no_door_is_a_port_that_the_engine_needs(port):
    found = doors(port)

    assert len({*found, port, port + 10_000}) == 4
    assert all(60_999 < door < 65_536 for door in found), "nor one that Linux gives to clients"


@pytest.mark.parametrize(("mode", "which"), [("required", 0), ("preferred", 1)])
def test_clients_are_led_to_the_door_of_the_mode_and_members_to_the_engine(mode, which):
    text = rules(NODE, replace(SECURE, mode=mode))

    assert f"dnat to {ADDRESS}:{doors(6379)[which]}\n" in text
    assert f"dnat to {ADDRESS}:{doors(6379)[1 - which]}\n" not in text
    assert f"ip saddr != {{ {ADDRESS}, {OTHER} }}" in text
    assert "== syn" in text, "connections that exist stay where they are"


def test_without_tls_nobody_is_led_and_open_connections_are_still_translated():
    text = rules(NODE, None)

    assert "dnat to" not in text
    assert "ct status dnat accept" in text


@given(st.integers(100, 2_000_000))
def test_a_terminator_takes_no_more_connections_than_it_has_files_for(files):
    text = configuration(NODE, socket="admin.sock", files_max=files, uid=None)

    most = int(text.split("maxconn ")[1].split()[0])
    assert 10 <= most <= CONNECTIONS_MAX
    assert most * 4 <= max(files, 40)


def test_memcached_is_reached_at_its_port_and_the_others_by_their_socket():
    text = configuration(NODE, socket="admin.sock", files_max=4000, uid=64017)
    assert text.count("server engine unix@admin.sock") == 2
    assert "uid 64017" in text

    text = configuration(replace(NODE, engine="memcached", port=11211), socket="", files_max=4000, uid=None)
    assert text.count(f"server engine {ADDRESS}:11211") == 2
    assert "uid" not in text
