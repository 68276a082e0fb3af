"""The store: what is committed comes back; what fails changes nothing."""

import json
import os
import sqlite3
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path
from typing import get_type_hints

import pytest

from atoll.model.cache import ReplicationGroup
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Attachment, Interface
from atoll.model.kinds import KINDS
from atoll.model.resource import Resource
from atoll.model.world import Caller, Tx
from atoll.store.codec import decode, decoder, encode
from atoll.store.sqlite import Dice, Store, StoreError
from atoll.store.upgrade import SCHEMA, TooNew

WHO = Caller(account="111122223333", region="us-east-1", arn="arn:aws:iam::111122223333:root")
AT = datetime(2026, 11, 20, 12, 0, 0, 123000, tzinfo=UTC)


def group(tx: Tx) -> SecurityGroup:
    rules = (
        Rule(id="sgr-1", egress=False, protocol="tcp", from_port=1, to_port=2, cidr=IPv4Network("10.0.0.0/8")),
        Rule(id="sgr-2", egress=True, protocol="-1", cidr=IPv6Network("::/0"), tags={"a": "b"}),
        Rule(id="sgr-3", egress=True, protocol="-1", group_id="sg-1", group_account="111122223333"),
    )
    return tx.make(
        SecurityGroup, "sg-1", vpc_id="vpc-1", name="web", description="d", rules=rules, tags={"Name": "한국어"}
    )


def interface(tx: Tx) -> Interface:
    attachment = Attachment(id="eni-attach-1", instance_owner=WHO.account, time=AT, instance_id="i-1")
    return tx.make(
        Interface,
        "eni-1",
        vpc_id="vpc-1",
        subnet_id="subnet-1",
        zone="us-east-1a",
        number=1,
        mac="02:00:00:00:00:01",
        private_ips=(IPv4Address("10.0.0.4"),),
        attachment=attachment,
        public_ip=None,
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_kind_can_be_read_back(kind: type[Resource]):
    assert is_dataclass(kind)
    for field in fields(kind):
        decoder(get_type_hints(kind)[field.name])


def test_every_resource_kind_is_listed():
    import importlib
    import pkgutil

    import atoll.model

    found = set()
    for module in pkgutil.iter_modules(atoll.model.__path__):
        for value in vars(importlib.import_module(f"atoll.model.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Resource) and value is not Resource:
                found.add(value)
    assert found == set(KINDS)


def test_a_world_comes_back_as_it_was(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)
    store.write(lambda tx: (interface(tx), group(tx)), caller=WHO, what="Test")
    before = list(store.world)
    store.close()

    again = Store(tmp_path / "a.db", KINDS)

    assert list(again.world) == before
    assert again.world.revision == 1
    assert [(h["what"], h["id"]) for h in again.history()] == [("Test", "sg-1"), ("Test", "eni-1")]


def test_a_changed_resource_keeps_its_place(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)
    for n in "123":
        store.write(lambda tx, n=n: tx.put(group(tx).but(id=f"sg-{n}")), caller=WHO)
    store.write(lambda tx: tx.delete(tx.world[SecurityGroup, "sg-1"]))
    store.write(lambda tx: tx.put(tx.world[SecurityGroup, "sg-2"].but(description="new")))
    store.close()

    again = Store(tmp_path / "a.db", KINDS)

    assert [g.id for g in again.world.all(SecurityGroup)] == ["sg-2", "sg-3"]


def test_an_operation_that_raises_changes_nothing(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)

    def fail(tx: Tx) -> None:
        group(tx)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write(fail, caller=WHO)
    assert len(store.world) == 0
    assert store.history() == []


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)
    store._db.execute("pragma max_page_count = 1")  # SQLite's own way to be full

    with pytest.raises(StoreError, match="full"):
        store.write(lambda tx: tx.put(group(tx).but(description="x" * 100_000)), caller=WHO)

    assert len(store.world) == 0
    store._db.execute("pragma max_page_count = 100000")
    store.write(group, caller=WHO)
    assert len(store.world) == 1


def test_a_history_that_cannot_be_read_is_said_in_our_words(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)
    store._db.execute("drop table journal")  # what a disk does not give is as if it were not there

    with pytest.raises(StoreError, match="cannot read the store"):
        store.history()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path):
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(TooNew, match="newer Atoll"):
        Store(tmp_path / "a.db", KINDS)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path):
    (tmp_path / "a.db").write_bytes(b"not a database, and long enough to say so" * 100)
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "a.db", KINDS)


def test_fields_of_other_versions_are_tolerated():
    from atoll.model.internet import OutsideHost

    host = decode(OutsideHost, '{"id":"x","account":"","region":"","address":"198.51.100.27","gone":1}')
    assert host == OutsideHost(id="x", account="", region="", address=IPv4Address("198.51.100.27"))
    assert decode(OutsideHost, encode(host)) == host


def test_reset_forgets_everything(tmp_path: Path):
    store = Store(tmp_path / "a.db", KINDS)
    store.write(lambda tx: (interface(tx), group(tx)), caller=WHO)
    store.clear()
    assert len(store.world) == 0
    store.close()
    assert len(Store(tmp_path / "a.db", KINDS).world) == 0


def test_a_store_of_format_1_gives_its_replication_groups_a_shard(tmp_path):
    path = tmp_path / "atoll.db"
    old = {
        "id": "0/r/rg", "account": "0", "region": "r", "tags": {}, "name": "rg", "description": "", "engine": "redis",
        "status": "available", "node_type": "cache.t3.micro", "member_ids": ["0/r/rg-001", "0/r/rg-002"],
        "primary_id": "0/r/rg-001", "created": "2026-11-20T12:00:00+00:00", "port": 6379,
    }  # fmt: skip
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA)
        db.execute("insert into resource values ('ReplicationGroup', '0/r/rg', 1, ?)", (json.dumps(old),))
        db.execute("pragma user_version = 1")

    group = Store(path, KINDS).world[ReplicationGroup, "0/r/rg"]

    assert (group.shard.id, group.shard.primary_id, group.member_ids) == (
        "0001",
        "0/r/rg-001",
        ("0/r/rg-001", "0/r/rg-002"),
    )


def test_random_digits_are_as_many_as_asked_for_and_never_given_twice():
    dice = Dice(block_digits=64)

    given = [dice.hex(count) for count in (16, 17, 40, 1, 64, 200, 16) for _ in range(20)]

    assert [len(digits) for digits in given] == [n for n in (16, 17, 40, 1, 64, 200, 16) for _ in range(20)]
    long = [digits for digits in given if len(digits) > 1]
    assert len(set(long)) == len(long)


def test_a_child_does_not_give_the_digits_that_its_parent_will():
    dice = Dice()
    dice.hex(16)
    reader, writer = os.pipe()

    if (child := os.fork()) == 0:
        os.write(writer, dice.hex(16).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 16).decode() != dice.hex(16)
    os.close(reader)
    os.close(writer)
