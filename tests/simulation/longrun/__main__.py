"""The long simulation by hand: stories until the time is over or something is wrong; see docs/reliability.md."""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.simulation.longrun import written
from tests.simulation.longrun.paper import Found, Story

STEPS = {"paper": 400, "real": 60, "rootless": 60}


def main() -> int:
    """Run, and return 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.longrun", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of both levels together")
    parser.add_argument("--seed", type=int, default=1, help="of the first story; the next ones follow")
    parser.add_argument("--steps", type=int, help="of each story: 400 on paper, 60 in the kernel")
    only = "only this one; rootless: the real one, as an ordinary user"
    parser.add_argument("--level", choices=tuple(STEPS), action="append", help=only)
    parser.add_argument("--once", action="store_true", help="one story of each level, and what happened in it")
    parser.add_argument("--write-docs", action="store_true", help="put the figures into docs/reliability.md")
    parser.add_argument("--keep-log", metavar="FILE", type=Path, help="of the newest story's daemon in the kernel")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    levels = given.level or ["paper", *(["real"] if os.geteuid() == 0 else [])]
    found: dict[str, list[Found]] = {}
    begun = time.monotonic()
    for number, level in enumerate(levels, 1):
        until = begun + given.minutes * 60 * number / len(levels)
        found[level] = list(
            _stories(level, given.seed, given.steps or STEPS[level], until, once=given.once, log=given.keep_log)
        )
    if given.write_docs:
        written.write(found, (time.monotonic() - begun) / 60, given.seed)
    return 1 if any(story.wrongs for stories in found.values() for story in stories) else 0


def _stories(level: str, seed: int, steps: int, until: float, *, once: bool, log: Path | None) -> Iterator[Found]:
    while True:
        begun = time.monotonic()
        story = _play(level, seed, steps, until - begun, log)
        took = time.monotonic() - begun
        print(f"{level} seed {seed}: {story.steps} steps in {took:.0f} s, {story.said()}", flush=True)
        if once or story.wrongs:
            print("\n".join(story.last))
        for wrong in story.wrongs[:5]:
            print(f"WRONG {wrong}")
        if story.wrongs:
            print(f"again: python -m tests.simulation.longrun --level {level} --seed {seed} --steps {steps} --once")
        yield story
        seed += 1
        if once or time.monotonic() >= until:
            return


def _play(level: str, seed: int, steps: int, seconds: float, log: Path | None) -> Found:
    if level != "paper":
        from tests.simulation.longrun.real import play

        return play(seed, steps, mode="root" if level == "real" else level, seconds=seconds, log=log)
    fast = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="atoll-longrun-", dir=fast) as directory:
        return Story(seed, Path(directory), steps).play()


if __name__ == "__main__":
    sys.exit(main())
