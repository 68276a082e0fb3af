"""Who has too much on the disk is held, and told; on a host that says what it is told to say."""

import asyncio

import pytest

from atoll.control import disk_room
from atoll.control.disk_room import BYTES_MAX, FILES_MAX, DiskRoom
from atoll.control.record import Recorder
from atoll.host.contract import GuestPlan, Seen
from atoll.host.disks import Room, Use
from atoll.model.instance import Instance
from atoll.store.sqlite import StoreError
from tests.api.machines import launch_running
from tests.api.paper import Paper

GIB = 1 << 30
ROOMY = Room(100 * GIB, 50 * GIB, 1_000_000)
SHORT = Room(100 * GIB, GIB // 5, 1_000_000)


def plan(name, boot=1):
    return GuestPlan(
        instance_id=name, boot=boot, interface_id="eni-1", hostname="h", resolvers=(), search="", authorized_keys=(),
        user_data=None, is_nat=False, vpc_cidr="10.0.0.0/16", memory_bytes=GIB,
    )  # fmt: skip


class Machine:
    """Two instances and their disks, as host and as recorder."""

    def __init__(self):
        self.guests = [plan("i-a"), plan("i-b")]
        self.of = {"i-a": Use(GIB, 100), "i-b": Use(0, 10)}
        self.there, self.allows = ROOMY, True
        self.limited, self.told, self.measured, self.walks = {}, [], 0, []
        self.says, self.refuses = {}, None
        self.disks = self
        self.begin()

    def begin(self, record=None):
        """Begin a daemon."""
        self.room_of = DiskRoom(lambda: {one.process: one for one in self.guests}, self, record or self)

    def room(self):
        return self.there

    def use(self, instance_id, pid, bytes_max, files_max):
        assert (pid, bytes_max, files_max) == (self.pid(instance_id), BYTES_MAX, FILES_MAX)
        self.measured += 1
        return self.of[instance_id]

    def hold(self, pid, *, held):
        self.walks.append(pid)
        if self.limited.get(pid, False) is held:
            return True
        if held or self.allows:
            self.limited[pid] = held
        return held or self.allows

    def seen(self):
        return {one.process: Seen(one.process, alive=True, pid=self.pid(one.instance_id)) for one in self.guests}

    def doubt(self):
        pass

    def held(self, instance_id, because):
        if instance_id == self.refuses:
            raise StoreError("database or disk is full")
        if self.says.get(instance_id) != because:
            self.says[instance_id] = because
            self.told.append((instance_id, because))

    @staticmethod
    def pid(instance_id):
        return {"i-a": 10, "i-b": 20}[instance_id]

    def look(self):
        self.room_of._not_before = 0.0  # as if time had passed
        asyncio.run(self.room_of.look())


@pytest.fixture
def machine():
    return Machine()


@pytest.mark.parametrize(("use", "what"), [(Use(BYTES_MAX + 1, 5), "GiB"), (Use(5, FILES_MAX + 1), "files")])
def test_who_has_too_much_is_held_alone_until_he_has_less(machine, use, what):
    machine.of["i-a"] = use
    machine.look()
    machine.look()

    assert machine.limited == {10: True}
    ((who, because),) = machine.told
    assert who == "i-a"
    assert what in because

    machine.of["i-a"] = Use(GIB, 5)
    machine.look()

    assert machine.limited == {10: False}
    assert machine.told[-1] == ("i-a", None)


def test_when_the_machines_disk_is_nearly_full_nobody_writes(machine):
    machine.there = SHORT
    machine.look()

    assert machine.limited == {10: True, 20: True}
    assert {who for who, _ in machine.told} == {"i-a", "i-b"}
    assert all("less than 256 MiB left" in because for _, because in machine.told)

    machine.there = ROOMY
    machine.look()

    assert machine.limited == {10: False, 20: False}


def test_a_small_disk_is_not_nearly_full_all_its_life(machine):
    machine.there = Room(2 * GIB, GIB // 5, 1_000_000)
    machine.look()

    assert machine.limited == {}


def test_what_cannot_be_allowed_again_lasts_until_the_next_boot(machine):
    machine.of["i-a"] = Use(BYTES_MAX + 1, 5)
    machine.allows = False
    machine.look()
    machine.of["i-a"] = Use(0, 0)
    machine.look()
    assert [because for _, because in machine.told][1:] == [
        "its disk was full: it may write again when it has booted again"
    ]

    machine.guests[0] = plan("i-a", boot=2)
    machine.limited.clear()
    machine.look()

    assert machine.told[-1] == ("i-a", None)
    assert machine.room_of.held == {}


def test_another_boot_of_who_was_held_may_be_held_too(machine):
    machine.there = SHORT
    machine.look()
    machine.guests[0] = plan("i-a", boot=2)
    machine.limited.clear()
    machine.look()

    assert machine.limited == {10: True, 20: True}
    assert "MiB left" in machine.says["i-a"]


def test_nothing_is_measured_while_nothing_is_written(machine):
    machine.look()
    machine.look()
    assert machine.measured == 2

    machine.there = ROOMY._replace(free_bytes=ROOMY.free_bytes - disk_room.GROWN_BYTES - 1)
    machine.look()
    assert machine.measured == 4
    machine.there = machine.there._replace(free_files=ROOMY.free_files - disk_room.GROWN_FILES - 1)
    machine.look()
    assert machine.measured == 6


def test_who_was_held_by_an_earlier_daemon_is_released_by_the_next_when_there_is_room(machine):
    machine.there = SHORT
    machine.look()
    assert machine.limited == {10: True, 20: True}

    machine.there = ROOMY
    machine.begin()
    machine.look()

    assert machine.limited == {10: False, 20: False}
    assert machine.says == {"i-a": None, "i-b": None}
    machine.walks.clear()
    machine.look()
    assert machine.walks == [], "and is judged by what he has from now on"


def test_who_was_held_by_an_earlier_daemon_and_cannot_be_released_is_told_so(machine):
    machine.there, machine.allows = SHORT, False
    machine.look()

    machine.there = ROOMY
    machine.begin()
    machine.look()

    assert machine.limited == {10: True, 20: True}
    assert set(machine.says.values()) == {"its disk was full: it may write again when it has booted again"}


def test_who_was_held_is_not_well_again_before_the_next_daemon_has_looked(machine):
    paper = Paper()
    id = launch_running(paper, paper.client())["InstanceId"]
    machine.guests, machine.of, machine.there = [plan(id)], {id: Use(GIB, 100)}, SHORT
    machine.pid = lambda _: 10
    machine.begin(Recorder(paper.store))
    machine.look()
    assert "MiB left" in paper.world[Instance, id].host_error

    record = Recorder(paper.store)
    machine.begin(record)
    record.lasting(machine.guests[0])
    assert "MiB left" in paper.world[Instance, id].host_error
    machine.look()
    record.lasting(machine.guests[0])
    assert "MiB left" in paper.world[Instance, id].host_error
    machine.there = ROOMY
    machine.look()

    assert paper.world[Instance, id].host_error is None
    assert machine.limited == {10: False}


def test_of_whom_the_disk_room_knows_nothing_bad_nothing_else_is_taken_back(machine):
    paper = Paper()
    id = launch_running(paper, paper.client())["InstanceId"]
    machine.guests, machine.of, machine.pid = [plan(id)], {id: Use(GIB, 100)}, lambda _: 10
    machine.begin(record := Recorder(paper.store))
    record.start_failed(machine.guests[0], "no such image", final=True)
    machine.look()

    assert paper.world[Instance, id].host_error == "no such image"


def test_a_store_that_takes_nothing_keeps_nobody_from_being_held_and_is_told_again(machine):
    machine.there, machine.refuses = SHORT, "i-a"
    machine.look()

    assert machine.limited == {10: True, 20: True}
    assert set(machine.says) == {"i-b"}
    machine.refuses = None
    machine.look()
    assert machine.says["i-a"] == machine.says["i-b"]


def test_while_nobody_may_write_only_who_is_new_is_looked_at_between_two_looks(machine):
    machine.guests = [plan("i-a")]
    machine.there = SHORT
    machine.look()
    machine.room_of._not_before = float("inf")
    machine.walks.clear()

    asyncio.run(machine.room_of.look())
    assert machine.walks == []
    machine.guests.append(plan("i-b"))
    asyncio.run(machine.room_of.look())

    assert machine.walks == [20]
    assert machine.limited == {10: True, 20: True}
