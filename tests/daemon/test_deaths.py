"""The ends of instances and nodes, wanted and not; and of the keeper."""

import os
import signal
import time

import pytest

from tests.daemon.atoll import until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

SETTINGS = "echo ran >>/root/runs"  # user data


def test_a_killed_node_is_back_within_a_second_and_says_so(atoll):
    stage = Stage(atoll)
    victim = stage.pids()["mem:0001"]
    with stage.shell() as shell:
        shell.run("true")
        begun = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        until(lambda: any("Finished recovery" in event for event in stage.events("mem")), 5)
        took = time.perf_counter() - begun
        assert shell.reaches(*stage.node("mem"))

    print(f"a killed node serves again after {took * 1e3:.0f} ms")
    assert took < 1.0
    assert stage.pids()["mem:0001"] != victim
    assert {"Recovering cache nodes 0001", "Finished recovery for cache nodes 0001"} <= set(stage.events("mem"))
    stage.settled()


def test_a_killed_replica_follows_again_and_a_killed_primary_copies_its_data_back(atoll):
    stage = Stage(atoll)
    primary, replica = stage.node("val-001"), stage.node("val-002")
    with stage.shell() as shell:
        shell.connect(*primary)
        assert shell.say("SET a 1") == "+OK"

        os.kill(stage.pids()["val-002:0001"], signal.SIGKILL)
        until(lambda: any("Finished" in event for event in stage.events("val-002")), 10)
        shell.connect(*replica)
        until(lambda: shell.say("EXISTS a") == ":1", 5, "the replica's copy")

        os.kill(stage.pids()["val-001:0001"], signal.SIGKILL)
        until(lambda: any("Finished" in event for event in stage.events("val-001")), 10)
        groups = stage.elasticache.describe_replication_groups
        until(lambda: groups()["ReplicationGroups"][0]["Status"] == "available", 20, "that it leads again")
        shell.connect(*primary)
        assert shell.say("EXISTS a") == ":1", "the replica had it"
        assert shell.say("SET b 2") == "+OK"
        shell.connect(*replica)
        until(lambda: shell.say("EXISTS b") == ":1", 5, "the replica follows again")


def test_a_node_that_dies_again_and_again_is_not_started_in_a_hurry(atoll):
    stage = Stage(atoll)
    deaths = 0
    until_when = time.monotonic() + 3
    while time.monotonic() < until_when:
        victim = until(lambda: stage.pids().get("mem:0001"), 10)
        os.kill(victim, signal.SIGKILL)
        deaths += 1
        until(lambda victim=victim: stage.pids().get("mem:0001") not in (victim, None), 10)
    assert deaths < 12
    stage.settled(40)


def test_an_instance_whose_first_process_is_killed_boots_again(atoll):
    stage = Stage(atoll)
    victim = stage.pids()[stage.instance]
    atoll.inside(stage.instance, "echo kept >/root/file")

    os.kill(victim, signal.SIGKILL)

    until(lambda: stage.pids().get(stage.instance) not in (victim, None), 10, "another process")
    assert atoll.inside(stage.instance, "cat /root/file").strip() == "kept"
    assert stage.describe(stage.instance)["State"]["Name"] == "running"


def test_a_reboot_keeps_the_disk_and_runs_user_data_no_more(atoll):
    stage = Stage(atoll)
    instance = stage.run(UserData=f"#!/bin/sh\n{SETTINGS}\n")
    until(lambda: "user data: done" in stage.console(instance), what="user data")
    for reboot in (
        lambda: stage.ec2.reboot_instances(InstanceIds=[instance]),
        lambda: atoll.inside(instance, "reboot", ok=False),
    ):
        before = stage.pids()[instance]
        reboot()
        until(lambda before=before: running_other(atoll, instance, before), 20, "the next boot")
        assert atoll.inside(instance, "cat /root/runs").strip() == "ran"
        assert stage.describe(instance)["State"]["Name"] == "running"


def running_other(atoll, instance: str, pid: int) -> bool:
    try:
        return atoll.machine(instance)["pid"] != pid
    except AssertionError:  # between its boots
        return False


def test_power_off_inside_stops_or_terminates_as_the_instance_asks(atoll):
    stage = Stage(atoll)
    other = stage.run(InstanceInitiatedShutdownBehavior="terminate")
    atoll.inside(stage.instance, "poweroff", ok=False)
    atoll.inside(other, "poweroff", ok=False)

    told = stage.state(stage.instance, "stopped")
    assert told["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    stage.state(other, "terminated")
    until(lambda: not (atoll.state / "instances" / other).exists(), 5, "the end of its disk")
    assert (atoll.state / "instances" / stage.instance).exists()


def test_stop_and_start_keep_the_disk_and_the_elastic_address_but_not_the_automatic_one(atoll):
    stage = Stage(atoll)
    fixed = stage.run()
    eip = stage.ec2.allocate_address(Domain="vpc")
    stage.ec2.associate_address(AllocationId=eip["AllocationId"], InstanceId=fixed)
    automatic = stage.describe(stage.instance).get("PublicIpAddress")
    assert automatic
    for instance in (fixed, stage.instance):
        atoll.inside(instance, "echo kept >/root/file")

    stage.ec2.stop_instances(InstanceIds=[fixed, stage.instance])
    for instance in (fixed, stage.instance):
        told = stage.state(instance, "stopped", 40)
        assert told.get("PublicIpAddress") == (eip["PublicIp"] if instance == fixed else None)
    assert stage.ec2.allocate_address(Domain="vpc")["PublicIp"] == automatic, "it is anybody's now"
    stage.ec2.start_instances(InstanceIds=[fixed, stage.instance])
    for instance in (fixed, stage.instance):
        stage.state(instance, "running")
        assert atoll.inside(instance, "cat /root/file").strip() == "kept"
    assert stage.describe(fixed)["PublicIpAddress"] == eip["PublicIp"]
    assert stage.describe(stage.instance)["PublicIpAddress"] != automatic


def test_a_terminated_instance_leaves_neither_process_nor_disk(atoll):
    stage = Stage(atoll)
    pid = stage.pids()[stage.instance]
    assert (atoll.state / "instances" / stage.instance).exists()

    stage.ec2.terminate_instances(InstanceIds=[stage.instance])

    stage.state(stage.instance, "terminated")
    assert not os.path.exists(f"/proc/{pid}")
    until(lambda: not (atoll.state / "instances" / stage.instance).exists(), 5, "the end of its disk")


def test_the_daemon_ends_with_its_keeper_and_the_next_one_builds_everything_again(atoll):
    stage = Stage(atoll)
    atoll.inside(stage.instance, "echo kept >/root/file")
    before = atoll.status()

    os.kill(before["keeper"], signal.SIGKILL)

    assert atoll.daemon.wait(20) == 1
    assert f"the keeper (process {before['keeper']}) was killed" in atoll.said()
    assert "Traceback" not in atoll.said()
    atoll.up()
    stage.settled()
    after = atoll.status()
    assert [i["id"] for i in after["instances"]] == [i["id"] for i in before["instances"]]
    assert [c["nodes"] for c in after["caches"]] == [c["nodes"] for c in before["caches"]]
    assert "Finished recovery for cache nodes 0001" in stage.events("mem")
    until(lambda: stage.pids().get(stage.instance), what="the instance")
    assert atoll.inside(stage.instance, "cat /root/file").strip() == "kept"
    with stage.shell() as shell:
        assert shell.reaches(*stage.node("mem"))
        assert not shell.reaches(*stage.node("shut"))


def test_a_lone_node_that_hangs_is_started_again_at_its_address(atoll):
    stage = Stage(atoll)
    victim, address = stage.pids()["mem:0001"], stage.node("mem")
    told = len(stage.events("mem"))

    os.kill(victim, signal.SIGSTOP)
    until(lambda: any("Finished recovery" in event for event in stage.events("mem")[told:]), 60)

    assert stage.pids()["mem:0001"] != victim
    assert stage.node("mem") == address
    with stage.shell() as shell:
        assert shell.reaches(*address)
    assert "Recovering cache nodes 0001" in stage.events("mem")[told:]
    stage.settled()
