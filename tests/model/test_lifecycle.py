"""The tables of statuses."""

import pytest

from atoll.model import lifecycle
from atoll.model.lifecycle import (
    CACHE_CLUSTER,
    CACHE_NODE,
    INSTANCE,
    NAT_GATEWAY,
    PEERING,
    REPLICATION_GROUP,
    IllegalTransition,
    Lifecycle,
)

ALL = {name: value for name, value in vars(lifecycle).items() if isinstance(value, Lifecycle)}
ENDS = {  # statuses of which a resource has to end; others are deleted from "deleting"
    "INSTANCE": {"terminated"}, "NAT_GATEWAY": {"deleted"}, "PEERING": {"deleted", "expired", "failed", "rejected"},
    "LOAD_BALANCER": {"active"}, "TARGET": {"draining"},
}  # fmt: skip

WAYS = [
    (INSTANCE, ["booted", "stop", "exited", "start", "booted", "terminate", "exited"], "terminated", "a whole life"),
    (INSTANCE, ["failed"], "terminated", "a boot that fails"),
    (NAT_GATEWAY, ["in-force", "delete", "in-force"], "deleted", "a gateway's whole life"),
    (NAT_GATEWAY, ["refused", "delete", "in-force"], "deleted", "a gateway that cannot be made"),
    (INSTANCE, ["stop", "exited"], "stopped", "stopped while it boots"),
    (INSTANCE, ["booted", "halted", "exited"], "stopped", "the guest shuts itself down"),
    (INSTANCE, ["booted", "halted-to-terminate", "exited"], "terminated", "... and terminates"),
    (INSTANCE, ["booted", "stop", "terminate", "exited"], "terminated", "terminated while it stops"),
    (CACHE_CLUSTER, ["nodes-ready", "modify", "nodes-ready", "delete"], "deleting", "modified, then deleted"),
    (CACHE_CLUSTER, ["nodes-ready", "reboot", "nodes-ready"], "available", "rebooted"),
    (CACHE_CLUSTER, ["network-failed", "delete"], "deleting", "a full subnet"),
    (REPLICATION_GROUP, ["nodes-failed", "delete"], "deleting", "a group that failed"),
    (PEERING, ["sent", "accept", "in-force", "delete", "out-of-force"], "deleted", "a peering"),
    (PEERING, ["sent", "accept", "delete", "out-of-force"], "deleted", "deleted before it was in force"),
    (PEERING, ["refused"], "failed", "a request to nobody"),
    (CACHE_NODE, ["answered", "silent", "answered", "delete"], "deleting", "a node that died and came back"),
]


@pytest.mark.parametrize(("table", "events", "end"), [w[:3] for w in WAYS], ids=[w[3] for w in WAYS])
def test_a_way_through_the_table(table, events, end):
    status = table.initial
    for event in events:
        assert table.allows(status, event)
        status = table.after(status, event)
    assert status == end


@pytest.mark.parametrize(
    ("table", "status", "event"),
    [
        (INSTANCE, "terminated", "start"),
        (INSTANCE, "running", "start"),
        (INSTANCE, "stopped", "stop"),
        (INSTANCE, "shutting-down", "terminate"),
        (CACHE_CLUSTER, "creating", "modify"),
        (CACHE_CLUSTER, "deleting", "delete"),
        (REPLICATION_GROUP, "modifying", "modify"),
        (PEERING, "rejected", "delete"),
        (PEERING, "active", "accept"),
        (CACHE_NODE, "deleting", "answered"),
    ],
)
def test_what_the_table_does_not_say_does_not_happen(table, status, event):
    assert not table.allows(status, event)
    with pytest.raises(IllegalTransition, match=f"{event} while {status}"):
        table.after(status, event)


@pytest.mark.parametrize("name", ALL)
def test_every_status_can_be_reached_and_left(name):
    table = ALL[name]
    reached, grown = {table.initial}, True
    while grown:
        more = {after for (status, _), after in table.rows.items() if status in reached} - reached
        reached, grown = reached | more, bool(more)
    named = {status for status, _ in table.rows} | set(table.rows.values())
    assert named == reached
    dead_ends = named - {status for status, _ in table.rows}
    assert dead_ends == ENDS.get(name, {"deleting"})


def test_a_table_draws_itself():
    assert INSTANCE.mermaid().splitlines()[:2] == ["stateDiagram-v2", "  pending --> running: booted"]
    assert len(INSTANCE.mermaid().splitlines()) == 1 + len(INSTANCE.rows)
