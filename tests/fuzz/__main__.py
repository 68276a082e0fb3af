"""`python -m tests.fuzz`: throw requests at Atoll, and say what came of them."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.api.paper import Paper
from tests.fuzz import sockets, written
from tests.fuzz.run import REPORTED_MAX, ROUND, Runner, Tally
from tests.guest.metadata import rich


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--requests", type=int, default=48_000, help=f"at least so many, in rounds of {ROUND}")
    asked.add_argument("--seed", type=int, help="of the first round; another each time if none is given")
    asked.add_argument("--only", default="", help='operations whose "service:Name" holds this text')
    asked.add_argument("--sweep", action="store_true", help="put each nasty value into each parameter instead")
    asked.add_argument("--all", action="store_true", help="sweep, and throw generated requests: as the tests do")
    asked.add_argument("--write-docs", action="store_true", help="put the figures into docs/reliability.md")
    asked.add_argument("--sockets", type=int, metavar="VISITS", help="throw garbage at the sockets of guests instead")
    options = asked.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    if options.sockets:
        return _besiege(options.sockets, f"{seed}")
    runner = Runner(options.only)
    if options.sweep or options.all:
        runner.sweep(seed)
    if not options.sweep:
        runner.run(seed, options.requests)
    _say(runner.tally)
    if options.write_docs:
        written.write(runner.tally, seed)
    return bool(runner.tally.violations)


def _besiege(visits: int, seed: str) -> int:
    """Throw as much at each house; what falls, falls with a trace and the number of the visits."""
    for name in sockets.HOUSES:
        paper = Paper()
        with tempfile.TemporaryDirectory() as directory:
            ec2 = paper.client("ec2")
            vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
            answered = sockets.run(name, rich(paper, ec2, vpc=vpc, subnet=subnet), Path(directory), visits, seed)
        print(f"{name}: stands; {visits} visits, of which {answered} were answered", flush=True)
    return 0


def _say(tally: Tally) -> None:
    for violation in tally.violations[:REPORTED_MAX]:
        print(violation)
    print(f"{len(tally.violations)} violations; {tally.requests} requests in {tally.seconds:.1f} s of processor time")
    print(dict(tally.kinds), dict(sorted(tally.statuses.items())))
    print(f"operations done at least once: {tally.share():.0%}; memory grew by {tally.grown_mb:.1f} MB")
    print(f"slowest: {tally.slowest[0]:.3f} s, {tally.slowest[1][:300]}")
    print("never done:", *tally.never())
    print("most time:", *(f"{op[1]} {took // 1000} ms/{tally.asked[op]}" for op, took in tally.took.most_common(12)))


if __name__ == "__main__":
    sys.exit(main())
