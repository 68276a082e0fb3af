"""Compare tracer, plan and real packets on as many random worlds as you like, and print what was compared.

    python -m tests.network.by_hand --worlds 1000 --packets 100 --seed 0

`--worlds`: the tracer and the plan, for new flows and for flows that were open before a change.  `--packets`: the
tracer and real packets of TCP, UDP and ICMP, and open TCP connections under a change; needs root.  Ends with 1 if
there was a difference, after printing its world's seed: the same seed makes the same world.
"""

import argparse
import random
import sys
import time
from collections import Counter

from tests.network.changes import change, differences, goes_on, open_flows
from tests.network.compare import booted, disagreements
from tests.network.worlds import random_probes, random_world

PROBES = 60
TOLD = 10  # differences that are printed
PROGRESS_SECONDS = 10.0


class Tally:
    """What was compared, and what differed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.differences = 0
        self._told = time.monotonic()

    def note(self, seed: int, differences: list[str], **counts: int) -> None:
        self.counts.update(counts)
        self.differences += len(differences)
        for difference in differences[:TOLD]:
            print(f"world {seed}: {difference}")
        if time.monotonic() > self._told + PROGRESS_SECONDS:
            self._told = time.monotonic()
            print(f"... world {seed}: {self}", file=sys.stderr)

    def __str__(self) -> str:
        return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in self.counts.items())


def by_plan(seeds: range, tally: Tally) -> None:
    """Compare the tracer with the plan."""
    for seed in seeds:
        dice = random.Random(seed)
        world = random_world(dice)
        probes = random_probes(world, dice, PROBES)
        found = list(disagreements(world, probes))
        state = dice.getstate()
        open_before = open_flows(booted(world), probes)
        fates: list[bool] = []
        if changed := change(booted(world), dice, open_before):
            fates = [goes_on(booted(world), changed[0], probe) for probe, _ in open_before.values()]
        dice.setstate(state)
        found += differences(world, dice, probes)
        tally.note(
            seed,
            found,
            worlds=1,
            new_flows=len(probes),
            open_flows=len(fates),
            that_a_change_ended=fates.count(False),
        )


def by_packets(seeds: range, tally: Tally) -> None:
    """Compare the tracer with the kernel."""
    from tests.kernel.ground import Ground, internet_of_our_own
    from tests.kernel.test_changes import compare_changes
    from tests.kernel.test_differential import compare_packets

    for seed in seeds:
        with internet_of_our_own() as directory:
            ground = Ground(directory)
            try:
                sent, wrong = compare_packets(ground, seed)
            finally:
                ground.close()
        with internet_of_our_own() as directory:
            ground = Ground(directory)
            try:
                went_on, ended, others = compare_changes(ground, seed)
            finally:
                ground.close()
        tally.note(
            seed,
            wrong + others,
            worlds=1,
            new_flows=sent,
            open_connections=went_on + ended,
            that_a_change_ended=ended,
        )


def main() -> int:
    """Run both, print the numbers, and tell whether they agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--packets", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    differ = 0
    for name, run, count in (("tracer and plan", by_plan, given.worlds), ("real packets", by_packets, given.packets)):
        if count:
            begun, tally = time.monotonic(), Tally()
            run(range(given.seed, given.seed + count), tally)
            seconds = time.monotonic() - begun
            print(f"{name}: {tally}; {tally.differences} differences; {seconds:.0f} s")
            differ += tally.differences
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
