"""What the host saw an instance do, recorded."""

import itertools
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network

import pytest

from atoll.model import transitions
from atoll.model.account import AccessKey
from atoll.model.address import ElasticIp
from atoll.model.instance import Instance
from atoll.model.interface import Attachment, Interface
from atoll.model.lifecycle import INSTANCE
from atoll.model.subnet import Subnet
from atoll.model.volume import Volume
from atoll.model.world import Caller, Tx, World

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALLER = Caller(account="111122223333", region="us-east-1", arn="arn:aws:iam::111122223333:root")
ID = "i-0123456789abcdef0"


class Book:
    """A World and its transactions, committed one after the other."""

    def __init__(self) -> None:
        self.world = World()
        self.now = NOON
        self._count = itertools.count(1)

    def do(self, fn, *args, caller=None, **kwargs):
        tx = Tx(self.world, caller=caller, now=self.now, new_hex=lambda n: f"{next(self._count):0{n}x}")
        result = fn(tx, *args, **kwargs)
        self.world = tx.world.seen_by(None)
        return result

    @property
    def instance(self) -> Instance:
        return self.world[Instance, ID]

    def interface(self, id: str) -> Interface | None:
        return self.world.get(Interface, id)


def launch(tx: Tx, state: str = "pending", **fields) -> None:
    """Put an instance with a primary interface that dies with it and a second one that does not."""
    tx.make(
        Subnet, "subnet-1", vpc_id="vpc-1", cidr=IPv4Network("10.0.0.0/24"), zone="us-east-1a", zone_id="use1-az1",
        number=1, acl_id="acl-1", acl_association_id="aclassoc-1",
    )  # fmt: skip
    tx.make(
        Instance, ID, image_id="ami-1", type="t3.micro", state=state, reservation_id="r-1", launched=NOON,
        vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1a", volume_id="vol-1", **fields,
    )  # fmt: skip
    tx.make(
        Volume, "vol-1", instance_id=ID, device="/dev/xvda", size=8, type="gp3", zone="us-east-1a",
        snapshot_id="snap-1", created=NOON,
    )  # fmt: skip
    for index, (id, dies, public) in enumerate((("eni-1", True, IPv4Address("203.0.113.9")), ("eni-2", False, None))):
        tx.make(
            Interface, id, vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1a", number=index + 1, mac="02:00",
            private_ips=(IPv4Address(f"10.0.0.{10 + index}"),), public_ip=public,
            attachment=Attachment(
                id=f"eni-attach-{index}", instance_owner=CALLER.account, time=NOON, instance_id=ID,
                device_index=index, delete_on_termination=dies,
            ),
        )  # fmt: skip


def associate(tx: Tx, interface_id: str) -> None:
    tx.make(
        ElasticIp, f"eipalloc-{interface_id}", public_ip=IPv4Address("203.0.113.73"), border_group="us-east-1",
        association_id="eipassoc-1", interface_id=interface_id, private_ip=IPv4Address("10.0.0.10"), instance_id=ID,
    )  # fmt: skip


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_pending_instance_that_booted_runs(book):
    book.do(launch, caller=CALLER, host_error="no memory")

    assert book.do(transitions.booted, ID)

    assert (book.instance.state, book.instance.host_error) == ("running", None)


@pytest.mark.parametrize("state", ["running", "stopping", "stopped", "shutting-down", "terminated"])
def test_a_boot_that_was_overtaken_changes_nothing(book, state):
    book.do(launch, caller=CALLER, state=state)
    before = book.world

    assert not book.do(transitions.booted, ID)
    assert list(book.world) == list(before)


@pytest.mark.parametrize(
    "event",
    [
        transitions.booted,
        transitions.halted,
        transitions.stopped,
        transitions.terminated,
        lambda tx, id: transitions.failed(tx, id, "x"),
    ],
    ids=["booted", "halted", "stopped", "terminated", "failed"],
)
def test_what_is_said_of_an_unknown_instance_changes_nothing(book, event):
    assert not book.do(event, "i-00000000000000000")
    assert len(book.world) == 0


@pytest.mark.parametrize(
    ("behavior", "state"), [("stop", "stopping"), ("terminate", "shutting-down")], ids=["stop", "terminate"]
)
def test_a_guest_that_shuts_itself_down_does_as_its_behaviour_says(book, behavior, state):
    book.do(launch, caller=CALLER, state="running", shutdown_behavior=behavior)

    assert book.do(transitions.halted, ID)

    assert book.instance.state == state
    assert book.instance.state_reason[0] == "Client.InstanceInitiatedShutdown"


def test_a_stopped_instance_loses_its_automatic_address_and_keeps_everything_else(book):
    book.do(launch, caller=CALLER, state="stopping")
    book.do(associate, "eni-2", caller=CALLER)

    assert book.do(transitions.stopped, ID)

    assert (book.instance.state, book.instance.stopped_at) == ("stopped", NOON)
    assert book.interface("eni-1").public_ip is None
    assert book.interface("eni-1").address == IPv4Address("10.0.0.10")
    assert book.world[ElasticIp, "eipalloc-eni-2"].association_id == "eipassoc-1"
    assert book.world.get(Volume, "vol-1")


@pytest.mark.parametrize(
    ("event", "state"),
    [(transitions.stopped, "shutting-down"), (transitions.terminated, "stopping")],
    ids=["stopped while it is to end", "ended while it is to stop"],
)
def test_an_exit_is_read_by_what_was_asked_for(book, event, state):
    book.do(launch, caller=CALLER, state=state)

    assert not book.do(event, ID)
    assert book.instance.state == state


def test_a_terminated_instance_takes_with_it_what_dies_with_it(book):
    book.do(launch, caller=CALLER, state="shutting-down")
    book.do(associate, "eni-1", caller=CALLER)

    assert book.do(transitions.terminated, ID)

    assert (book.instance.state, book.instance.ended_at, book.instance.vpc_id) == ("terminated", NOON, None)
    assert book.interface("eni-1") is None
    assert book.world.get(Volume, "vol-1") is None
    eip = book.world[ElasticIp, "eipalloc-eni-1"]
    assert (eip.association_id, eip.interface_id, eip.private_ip, eip.instance_id) == (None, None, None, None)
    survivor = book.interface("eni-2")
    assert (survivor.status, survivor.instance_id) == ("available", None)


def test_an_elastic_ip_stays_with_an_interface_that_stays(book):
    book.do(launch, caller=CALLER, state="shutting-down")
    book.do(associate, "eni-2", caller=CALLER)

    book.do(transitions.terminated, ID)

    eip = book.world[ElasticIp, "eipalloc-eni-2"]
    assert (eip.interface_id, eip.instance_id, eip.association_id) == ("eni-2", None, "eipassoc-1")


def test_a_new_instance_that_cannot_boot_is_terminated_and_says_why(book):
    book.do(launch, caller=CALLER)

    assert book.do(transitions.failed, ID, "no memory left")

    assert book.instance.state == "terminated"
    assert book.instance.state_reason == ("Server.InternalError", "Server.InternalError: no memory left")
    assert book.interface("eni-1") is None


def test_an_instance_that_ran_before_and_cannot_start_is_stopped_and_keeps_its_disk(book):
    book.do(launch, caller=CALLER, boot=2)

    assert book.do(transitions.failed, ID, "no memory left")

    assert (book.instance.state, book.instance.host_error) == ("stopped", "no memory left")
    assert book.world.get(Volume, "vol-1")
    assert book.interface("eni-1").public_ip is None


def test_a_terminated_instance_is_shown_for_an_hour(book):
    book.do(launch, caller=CALLER, state="shutting-down")
    book.do(transitions.terminated, ID)

    book.now = NOON + timedelta(minutes=59, seconds=59)
    assert book.do(transitions.forget_old) == 0
    book.now = NOON + timedelta(hours=1)
    assert book.do(transitions.forget_old) == 1

    assert book.world.get(Instance, ID) is None


def test_an_expired_key_is_remembered_for_a_day(book):
    def issue(tx: Tx) -> None:
        tx.make(AccessKey, "ASIA1", secret="s", arn="a", session_token="t", expires=NOON)
        tx.make(AccessKey, "AKIA1", secret="s", arn="a")

    book.do(issue, caller=CALLER)

    book.now = NOON + timedelta(hours=23)
    assert book.do(transitions.forget_old) == 0
    book.now = NOON + timedelta(hours=24)
    assert book.do(transitions.forget_old) == 1

    assert [key.id for key in book.world.all(AccessKey)] == ["AKIA1"]


def test_every_state_of_the_lifecycle_can_be_left_except_the_last():
    states = {state for state, _ in INSTANCE.rows} | set(INSTANCE.rows.values())

    assert states - {state for state, _ in INSTANCE.rows} == {"terminated"}
