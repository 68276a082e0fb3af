"""One round: every row of the decision's table, and any state to any state."""

import itertools
from ipaddress import IPv4Address

import pytest

from atoll.control.round import COOLING_SECONDS, Attempts, Ended, Forget, Start, Stop, decide
from atoll.host.contract import GuestPlan, Seen


def guest(number: int, boot: int = 1) -> GuestPlan:
    return GuestPlan(
        instance_id=f"i-{number}",
        boot=boot,
        interface_id=f"eni-{number}",
        hostname="h",
        resolvers=(IPv4Address("10.0.0.2"),),
        search="ec2.internal",
        authorized_keys=(),
        user_data=None,
        is_nat=False,
        vpc_cidr="10.0.0.0/16",
        memory_bytes=1 << 28,
    )


ONE = guest(1)
ALIVE, DEAD, KILLED = Seen("i-1#1", True, 7), Seen("i-1#1", False, None, 0), Seen("i-1#1", False, None, -9)


@pytest.mark.parametrize(
    ("want", "seen", "steps"),
    [
        ([], [], []),
        ([], [ALIVE], [Stop("i-1#1")]),
        ([], [DEAD], [Forget("i-1#1")]),
        ([ONE], [], [Start(ONE)]),
        ([ONE], [ALIVE], []),
        ([ONE], [DEAD], [Ended(ONE, 0)]),
        ([ONE], [KILLED], [Ended(ONE, -9)]),
        ([guest(1, 2)], [ALIVE], [Stop("i-1#1")]),
        ([guest(1, 2)], [DEAD], [Forget("i-1#1"), Start(guest(1, 2))]),
    ],
    ids=[
        "nothing",
        "unwanted",
        "unwanted and gone",
        "missing",
        "as it should be",
        "halted",
        "killed",
        "reboot",
        "rebooted",
    ],
)
def test_each_difference_has_its_step(want, seen, steps):
    found = decide({m.process: m for m in want}, {s.name: s for s in seen}, Attempts(), 0.0)
    assert found == steps


def test_a_failed_start_cools_longer_each_time_and_then_steadily():
    attempts, now = Attempts(), 100.0
    waits = []
    for _ in range(len(COOLING_SECONDS) + 2):
        attempts.fail(ONE.process, now)
        next_try = attempts.next_try(now)
        assert next_try is not None
        waits.append(round(next_try - now, 3))
        assert decide({ONE.process: ONE}, {}, attempts, now) == []
        now = next_try
        assert decide({ONE.process: ONE}, {}, attempts, now) == [Start(ONE)]
    assert waits == [*COOLING_SECONDS, COOLING_SECONDS[-1], COOLING_SECONDS[-1]]


def test_success_forgets_the_failures():
    attempts = Attempts()
    attempts.fail(ONE.process, 0.0)
    attempts.succeed(ONE.process)
    assert attempts.next_try(0.0) is None
    assert decide({ONE.process: ONE}, {}, attempts, 0.0) == [Start(ONE)]


def test_a_machine_that_nobody_wants_any_more_wakes_nobody():
    attempts = Attempts()
    attempts.fail(ONE.process, 0.0)
    attempts.keep({"i-2#1"})
    assert attempts.next_try(0.0) is None


def test_a_try_whose_time_has_come_does_not_wake_the_loop_again_and_again():
    attempts = Attempts()
    attempts.fail(ONE.process, 0.0)
    assert attempts.next_try(COOLING_SECONDS[0] + 1) is None


def _settle(want, seen):
    """Carry the steps out on a dictionary, as a perfect host would, until there are none."""
    for _ in range(10):
        steps = decide(want, seen, Attempts(), 0.0)
        if not steps:
            return seen
        for step in steps:
            match step:
                case Start(machine):
                    seen[machine.process] = Seen(machine.process, True, 1)
                case Stop(name):
                    seen[name] = Seen(name, False, None, 0)
                case Forget(name):
                    del seen[name]
                case Ended(machine, _):
                    del seen[machine.process]
    raise AssertionError("it never settles")


def test_any_state_leads_to_what_is_wanted():
    states = [{}, {"i-1#1": ALIVE}, {"i-1#1": DEAD}, {"i-1#1": KILLED, "i-2#1": Seen("i-2#1", True, 3)}]
    wants = [[], [ONE], [ONE, guest(2)], [guest(1, 2)]]
    for have, machines in itertools.product(states, wants):
        want = {m.process: m for m in machines}
        settled = _settle(want, dict(have))
        assert set(settled) == set(want)
        assert all(s.alive for s in settled.values())
