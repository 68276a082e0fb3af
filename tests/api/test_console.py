"""GetConsoleOutput: what a reader, lent by the daemon, says."""

import contextvars

import pytest

from atoll.ec2 import console
from tests.api.machines import launch_running, refused


@pytest.fixture
def id(paper, ec2):
    return launch_running(paper, ec2)["InstanceId"]


def read_with(reader, ask):
    """Ask in a context of its own, so that no other test reads with this reader."""

    def run():
        console.read_with(reader)
        return ask()

    return contextvars.copy_context().run(run)


def test_without_a_reader_every_console_is_empty(ec2, id):
    answer = ec2.get_console_output(InstanceId=id)

    assert (answer["InstanceId"], answer.get("Output", "")) == (id, "")
    assert answer["Timestamp"]


def test_the_reader_is_asked_for_the_instance(ec2, id):
    asked = []

    answer = read_with(lambda i: asked.append(i) or b"login: \xff", lambda: ec2.get_console_output(InstanceId=id))

    assert asked == [id]
    assert answer["Output"] == "login: \ufffd"  # boto3 decodes it


def test_only_the_newest_output_is_shown(ec2, id):
    long = b"old" + b"x" * console.OUTPUT_BYTES_MAX

    answer = read_with(lambda _: long, lambda: ec2.get_console_output(InstanceId=id, Latest=True))

    assert answer["Output"] == "x" * console.OUTPUT_BYTES_MAX


def test_a_terminated_instance_has_no_console(paper, ec2, id):
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    answer = read_with(lambda _: b"still here", lambda: ec2.get_console_output(InstanceId=id))

    assert answer.get("Output", "") == ""


def test_the_console_of_another_account_is_not_found(stranger, id):
    with refused("InvalidInstanceID.NotFound", id):
        stranger.get_console_output(InstanceId=id)
