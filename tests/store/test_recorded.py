"""Stores that earlier versions wrote open in this one: recorded by `record`, one for each format and release.

Each has a world with something of every kind that its version knew.  Opened, it answers every Describe, has a plan of
its network and of its processes, and is changed and saved.
"""

import functools
import gzip
import json
import sqlite3

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from atoll.aws.operation import OPERATIONS
from atoll.cache.plan import nodes
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.kinds import KINDS
from atoll.model.vpc import Vpc
from atoll.network.plan import compile
from atoll.store import archive
from atoll.store.sqlite import Store
from atoll.store.upgrade import VERSION
from tests.api.paper import Paper
from tests.api.snapshots import shown
from tests.daemon.atoll import running
from tests.store import everything
from tests.store.record import RECORDED, dump, record, restore
from tests.store.references import dangling

FILES = sorted(RECORDED.glob("*.sql.gz"))
ASKS = ("Describe", "List", "Get")
LATER = {2: {"Lesson"}, 3: set()}  # kinds that came after a format


def format_of(file):
    return int(file.name.split("-format-")[1].split(".")[0])


def each_file(test):
    return pytest.mark.parametrize("file", FILES, ids=lambda f: f.name.removesuffix(".sql.gz"))(test)


@pytest.fixture
def opened(file, tmp_path):
    restore(file, tmp_path / "atoll.db")
    return Paper(tmp_path / "atoll.db")


def test_there_is_a_recording_of_every_format_but_the_first():
    assert {format_of(file) for file in FILES} == set(range(2, VERSION + 1)), "python -m tests.store.record"


def test_a_new_recording_has_every_kind(tmp_path):
    assert record(tmp_path / "one.gz") == {}, "everything can be made"
    restore(tmp_path / "one.gz", tmp_path / "atoll.db")
    store = Store(tmp_path / "atoll.db", KINDS)
    lacking = {kind.__name__ for kind in KINDS} - {type(r).__name__ for r in store.world}
    assert lacking == set(), "make it in tests/store/everything.py"
    assert dump(store._db) == gzip.decompress((tmp_path / "one.gz").read_bytes()).decode(), "to open changes nothing"


@each_file
def test_everything_in_it_is_there_and_leads_somewhere(file, opened):
    told = sqlite3.connect(":memory:")
    told.executescript(gzip.decompress(file.read_bytes()).decode())
    written = told.execute("select kind, id from resource").fetchall()

    assert sorted((type(r).__name__, r.id) for r in opened.world) == sorted(written)
    lacking = {kind.__name__ for kind in KINDS} - {kind for kind, _ in written}
    assert lacking == LATER.get(format_of(file), set())
    assert dangling(opened.world) == []


@each_file
def test_every_describe_answers(opened):
    """Whatever asks without parameters is answered; what needs some is refused as in an empty world."""
    empty, answered = refused_in_an_empty_world(), 0
    clients = {service: opened.client(service) for service, _ in ASKED}
    for service, name in ASKED:
        said = ask(clients[service], name)
        answered += said == "200"
        assert said in ("200", empty[service, name]), f"{service} {name}"
    assert answered > 50


CATALOGUE = ("Offerings", "InstanceTypes", "Images", "EngineVersions", "DefaultParameters")  # long, and in no store
ASKED = sorted(verb for verb in OPERATIONS if verb[1].startswith(ASKS) and not verb[1].endswith(CATALOGUE))


@functools.cache
def refused_in_an_empty_world():
    paper = Paper()
    clients = {service: paper.client(service) for service, _ in ASKED}
    return {(service, name): ask(clients[service], name) for service, name in ASKED}


def ask(client, name):
    """Return "200", or the code with which the caller is refused."""
    try:
        return str(getattr(client, xform_name(name))()["ResponseMetadata"]["HTTPStatusCode"])
    except ClientError as error:
        said = error.response
    assert said["ResponseMetadata"]["HTTPStatusCode"] < 500, f"{name}: {said}"
    return said["Error"]["Code"]


@each_file
def test_its_network_and_its_processes_are_planned(opened):
    plan = compile(opened.world)
    vpcs = {interface.vpc_id for interface in opened.world.all(Interface)}

    assert vpcs <= plan.made_from.keys()
    assert sum(len(part.fragments) for part in plan.parts.values()) > 20
    planned = {node.cluster_id for node in nodes(opened.world)}
    assert {"pages", "sessions-001", "orders-0002-002"} <= {id.split("/")[2] for id in planned}


@each_file
def test_it_is_changed_and_saved(file, opened, tmp_path):
    del file
    ec2, cache = opened.client(), opened.client("elasticache")
    instance = next(i.id for i in opened.world.all(Instance) if i.state == "running")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "seen", "Value": "by a later version"}])
    cache.increase_replica_count(ReplicationGroupId="sessions", NewReplicaCount=2, ApplyImmediately=True)
    cache.delete_cache_cluster(CacheClusterId="pages")
    everything.Rest(opened).settle()
    cache.create_snapshot(SnapshotName="later", ReplicationGroupId="orders")
    everything.Rest(opened).settle()
    before = list(opened.world)
    opened.store.close()

    again = Paper(tmp_path / "atoll.db")

    assert list(again.world) == before
    assert again.world[Vpc, vpc].state == "available"
    assert again.world[Instance, instance].tags["seen"] == "by a later version"
    assert {"night", "later"} <= shown(again.client("elasticache")).keys()
    members = again.client("elasticache").describe_replication_groups(ReplicationGroupId="sessions")
    assert len(members["ReplicationGroups"][0]["MemberClusters"]) == 3
    assert "pages" not in str(again.client("elasticache").describe_cache_clusters())
    assert dangling(again.world) == []


@each_file
def test_a_backup_of_its_time_is_read(file, opened):
    told = sqlite3.connect(":memory:")
    told.executescript(gzip.decompress(file.read_bytes()).decode())
    rows = told.execute("select kind, body from resource order by rowid").fetchall()
    text = "[" + ",".join(f"[{json.dumps(kind)}, {body}]" for kind, body in rows) + "]"

    assert archive.read_world(text.encode(), KINDS, format_of(file)) == _in_order(opened, rows)


def _in_order(paper, rows):
    found = {(type(r).__name__, r.id): r for r in paper.world}
    return [found[kind, json.loads(body)["id"]] for kind, body in rows]


@pytest.mark.parametrize("file", FILES[:1], ids=lambda f: f.name.removesuffix(".sql.gz"))
def test_a_daemon_starts_with_the_oldest_and_starts_again(file):
    with running("paper", started=False) as atoll:
        atoll.state.mkdir(mode=0o700)
        restore(file, atoll.state / "atoll.db")
        atoll.up()
        ec2 = atoll.client("ec2")
        kept = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
        assert len(kept) >= 3
        made = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        atoll.kill()
        atoll.up()
        assert {vpc["VpcId"] for vpc in atoll.client("ec2").describe_vpcs()["Vpcs"]} == kept | {made}
        assert "Traceback" not in atoll.said()
