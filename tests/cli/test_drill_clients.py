"""What a drill asks its clients while they write."""

import subprocess
import sys

import pytest

from atoll.cli.drill_clients import Clients
from atoll.cli.failure import Failure

PROGRAM = """
import sys, time
from atoll.cli.drill_link import play

acks = []

def write():
    acks.append("first")
    time.sleep(0.3)
    acks.extend(sys.argv[1:])

play([write], acks, [], lambda: None)
print(len(acks))
"""


@pytest.fixture
def start():
    started = []

    def start(*more):
        command = [sys.executable, "-c", PROGRAM, *more]
        writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(writer)
        assert writer.stdout.readline() == "ready\n"
        return writer

    yield start
    for writer in started:
        writer.kill()
        writer.communicate()


def test_a_round_lasts_until_somebody_has_written_again(start):
    writer = start("again")
    clients = Clients(writer.stdin, writer.stdout)

    assert clients.go_on(20.0)
    assert clients.end() == 2


def test_nobody_who_writes_again_is_no_reason_to_wait_for_ever(start):
    writer = start()
    clients = Clients(writer.stdin, writer.stdout)

    assert not clients.go_on(0.1)
    assert clients.end() == 1


def test_clients_that_have_ended_are_told_of(start):
    writer = start()
    clients = Clients(writer.stdin, writer.stdout)
    assert clients.end() == 1

    writer.wait(20.0)
    with pytest.raises((Failure, BrokenPipeError)):
        clients.go_on(1.0)
