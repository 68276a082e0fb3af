"""Wait for what an API says."""

import time
from collections.abc import Callable
from typing import TypeVar

from atoll.testing.daemon import AtollError

T = TypeVar("T")

SECONDS_MAX = 60.0  # for one cache or instance, on a machine that does other things too
PAUSES = (0.005, 0.01, 0.02, 0.05)  # seconds between looks; the last one repeats


def until(look: Callable[[], T | None], what: str, seconds_max: float = SECONDS_MAX) -> T:
    """Look until there is something, and return it.  Raises AtollError when it does not come."""
    end, number = time.monotonic() + seconds_max, 0
    while (found := look()) is None:
        if time.monotonic() > end:
            raise AtollError(f"{what} did not come within {seconds_max:.0f} s\nnext:  `atoll status` shows why")
        time.sleep(PAUSES[min(number, len(PAUSES) - 1)])
        number += 1
    return found
