"""Start, stop, reboot, terminate: what is asked, what is refused, and what waiters see."""

import pytest

from atoll.model import transitions
from atoll.model.instance import Instance
from tests.api.machines import launch, launch_running, launch_stopped, observe, refused, show


def state(ec2, id):
    return show(ec2, id)["State"]["Name"]


def names(changes):
    return [(c["PreviousState"]["Name"], c["CurrentState"]["Name"]) for c in changes]


def test_an_instance_goes_through_all_its_states(paper, ec2):
    id = launch(ec2)["InstanceId"]
    ids = {"InstanceIds": [id]}
    quick = {"WaiterConfig": {"Delay": 0, "MaxAttempts": 1}}

    observe(paper, transitions.booted, id)
    ec2.get_waiter("instance_running").wait(**ids, **quick)
    assert names(ec2.stop_instances(**ids)["StoppingInstances"]) == [("running", "stopping")]
    observe(paper, transitions.stopped, id)
    ec2.get_waiter("instance_stopped").wait(**ids, **quick)
    assert names(ec2.start_instances(**ids)["StartingInstances"]) == [("stopped", "pending")]
    observe(paper, transitions.booted, id)
    assert names(ec2.terminate_instances(**ids)["TerminatingInstances"]) == [("running", "shutting-down")]
    observe(paper, transitions.terminated, id)
    ec2.get_waiter("instance_terminated").wait(**ids, **quick)


def test_what_is_so_already_is_accepted(paper, ec2):
    running = launch_running(paper, ec2)["InstanceId"]
    assert names(ec2.start_instances(InstanceIds=[running])["StartingInstances"]) == [("running", "running")]
    stopped = launch_stopped(paper, ec2)["InstanceId"]
    assert names(ec2.stop_instances(InstanceIds=[stopped])["StoppingInstances"]) == [("stopped", "stopped")]
    ec2.terminate_instances(InstanceIds=[stopped])
    paper.settle()
    again = ec2.terminate_instances(InstanceIds=[stopped])["TerminatingInstances"]
    assert names(again) == [("terminated", "terminated")]


def test_a_stop_says_who_asked_for_it_and_a_start_forgets_it(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    ec2.stop_instances(InstanceIds=[id])
    stopping = show(ec2, id)
    assert stopping["StateReason"] == {
        "Code": "Client.UserInitiatedShutdown",
        "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
    }
    assert stopping["StateTransitionReason"].startswith("User initiated (20")
    assert stopping["StateTransitionReason"].endswith(" GMT)")

    paper.settle()
    ec2.start_instances(InstanceIds=[id])
    started = show(ec2, id)
    assert "StateReason" not in started
    assert started["StateTransitionReason"] == ""


@pytest.mark.parametrize("flag", ["Force", "SkipOsShutdown"])
def test_a_forced_stop_does_not_wait_for_the_guest(paper, ec2, flag):
    id = launch_running(paper, ec2)["InstanceId"]
    ec2.stop_instances(InstanceIds=[id])
    assert paper.world[Instance, id].forced is False

    ec2.stop_instances(InstanceIds=[id], **{flag: True})

    assert paper.world[Instance, id].forced is True


def test_a_stopped_instance_keeps_its_disk_and_its_place(paper, ec2):
    before = launch_running(paper, ec2)
    ec2.stop_instances(InstanceIds=[before["InstanceId"]])
    paper.settle()

    after = show(ec2, before["InstanceId"])

    for member in ("PrivateIpAddress", "SubnetId", "BlockDeviceMappings", "SecurityGroups"):
        assert after[member] == before[member]


def test_a_reboot_is_one_boot_more_of_an_instance_that_stays_running(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    ec2.reboot_instances(InstanceIds=[id])

    assert paper.world[Instance, id].boot == 2
    assert state(ec2, id) == "running"


def test_a_reboot_of_a_booting_or_terminated_instance_changes_nothing(paper, ec2):
    id = launch(ec2)["InstanceId"]

    ec2.reboot_instances(InstanceIds=[id])
    assert paper.world[Instance, id].boot == 1
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()
    ec2.reboot_instances(InstanceIds=[id])

    assert paper.world[Instance, id].boot == 1


def test_a_terminated_instance_is_shown_without_what_it_had(paper, ec2):
    id = launch_running(paper, ec2, TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "gone"}]}
    ])["InstanceId"]  # fmt: skip

    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    gone = show(ec2, id)
    assert gone["State"] == {"Code": 48, "Name": "terminated"}
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert not {"VpcId", "SubnetId", "PrivateIpAddress", "PublicIpAddress"} & gone.keys()
    assert (gone["NetworkInterfaces"], gone["SecurityGroups"], gone["BlockDeviceMappings"]) == ([], [], [])
    assert gone["Tags"] == [{"Key": "Name", "Value": "gone"}]
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_host_that_cannot_boot_it_says_why(paper, ec2):
    id = launch(ec2)["InstanceId"]

    observe(paper, lambda tx, i: transitions.failed(tx, i, "no memory left"), id)

    assert show(ec2, id)["StateReason"] == {
        "Code": "Server.InternalError",
        "Message": "Server.InternalError: no memory left",
    }
    with pytest.raises(Exception, match="terminal failure state"):
        ec2.get_waiter("instance_running").wait(InstanceIds=[id])


def test_an_instance_that_shut_itself_down_says_so(paper, ec2):
    id = launch_running(paper, ec2, InstanceInitiatedShutdownBehavior="terminate")["InstanceId"]

    observe(paper, transitions.halted, id)

    machine = show(ec2, id)
    assert machine["State"]["Name"] == "shutting-down"
    assert machine["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_an_instance_that_never_ran_cannot_be_stopped(ec2):
    id = launch(ec2)["InstanceId"]

    with refused("IncorrectInstanceState", f"Instance '{id}' cannot be stopped as it has never reached"):
        ec2.stop_instances(InstanceIds=[id])


def test_an_instance_that_is_started_again_can_be_stopped(paper, ec2):
    id = launch_stopped(paper, ec2)["InstanceId"]
    ec2.start_instances(InstanceIds=[id])

    assert names(ec2.stop_instances(InstanceIds=[id])["StoppingInstances"]) == [("pending", "stopping")]


@pytest.mark.parametrize("call", ["start_instances", "stop_instances"])
def test_a_terminated_instance_cannot_come_back(paper, ec2, call):
    id = launch_running(paper, ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[id])

    for _ in ("shutting-down", "terminated"):
        with refused("IncorrectInstanceState", f"instance '{id}' is not in a state from which it can be st"):
            getattr(ec2, call)(InstanceIds=[id])
        paper.settle()


def test_a_stopping_instance_cannot_be_started_or_rebooted(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]
    ec2.stop_instances(InstanceIds=[id])

    with refused("IncorrectInstanceState", f"The instance '{id}' is not in a state from which it can be started."):
        ec2.start_instances(InstanceIds=[id])
    with refused("IncorrectInstanceState", f"The instance '{id}' is not in a state from which it can be rebooted."):
        ec2.reboot_instances(InstanceIds=[id])


def test_hibernation_is_refused(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    with refused("UnsupportedHibernationConfiguration", id):
        ec2.stop_instances(InstanceIds=[id], Hibernate=True)


def test_termination_protection_must_be_lifted_first(paper, ec2):
    id = launch_running(paper, ec2, DisableApiTermination=True)["InstanceId"]
    message = f"The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute"

    with refused("OperationNotPermitted", message):
        ec2.terminate_instances(InstanceIds=[id])
    ec2.modify_instance_attribute(InstanceId=id, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[id])

    assert state(ec2, id) == "shutting-down"


def test_stop_protection_protects_from_termination_too(paper, ec2):
    id = launch_running(paper, ec2, DisableApiStop=True)["InstanceId"]

    with refused("OperationNotPermitted", f"The instance '{id}' may not be stopped. Modify its 'disableApiStop'"):
        ec2.stop_instances(InstanceIds=[id])
    with refused("OperationNotPermitted", f"The instance '{id}' may not be terminated. Modify its 'disableApiStop'"):
        ec2.terminate_instances(InstanceIds=[id])
    ec2.reboot_instances(InstanceIds=[id])


@pytest.mark.parametrize("call", ["start", "stop", "reboot", "terminate", "monitor", "unmonitor"])
def test_unknown_instances_are_named(ec2, call):
    change = getattr(ec2, f"{call}_instances")

    with refused("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"):
        change(InstanceIds=["i-0123456789abcdef0"])
    with refused("InvalidInstanceID.NotFound", "The instance IDs 'i-0123456789abcdef0, i-12345678' do not exist"):
        change(InstanceIds=["i-0123456789abcdef0", "i-12345678"])
    with refused("InvalidInstanceID.Malformed", 'Invalid id: "x" (expecting "i-...")'):
        change(InstanceIds=["x"])
    with refused("MissingParameter", "InstanceId"):
        change(InstanceIds=[])


def test_several_are_changed_together_or_not_at_all(paper, ec2):
    free = launch_running(paper, ec2)["InstanceId"]
    kept = launch_running(paper, ec2, DisableApiTermination=True)["InstanceId"]

    with refused("OperationNotPermitted", kept):
        ec2.terminate_instances(InstanceIds=[free, kept])

    assert (state(ec2, free), state(ec2, kept)) == ("running", "running")


def test_a_dry_run_changes_nothing(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    with refused("DryRunOperation"):
        ec2.terminate_instances(InstanceIds=[id], DryRun=True)

    assert state(ec2, id) == "running"


def test_monitoring_is_a_mark(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    marked = ec2.monitor_instances(InstanceIds=[id])["InstanceMonitorings"]
    assert marked == [{"InstanceId": id, "Monitoring": {"State": "enabled"}}]
    assert show(ec2, id)["Monitoring"]["State"] == "enabled"
    ec2.unmonitor_instances(InstanceIds=[id])
    assert show(ec2, id)["Monitoring"]["State"] == "disabled"
