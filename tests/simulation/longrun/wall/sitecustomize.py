"""A clock on the wall that somebody sets: a daemon that has this on its PYTHONPATH reads the time a file further.

The kernel knows one wall clock for all its namespaces, and setting it would set the machine's.  Every clock that a
daemon reads in Python is set here instead, before anything else is imported; monotonic time goes on as it does.
"""

import datetime as dates
import os
import time

FILE = os.environ.get("ATOLL_LONGRUN_WALL", "")
_now, _date = time.time, dates.datetime


def ahead() -> float:
    """Return how far ahead the clock is, in seconds."""
    try:
        with open(FILE, encoding="ascii") as file:
            return float(file.read() or 0)
    except OSError:  # nobody has set it
        return 0.0


class Datetime(_date):
    """A time of the wall."""

    @classmethod
    def now(cls, tz: dates.tzinfo | None = None) -> "Datetime":
        """Return what the clock shows."""
        return cls.fromtimestamp(time.time(), tz)


if FILE:
    time.time = lambda: _now() + ahead()
    dates.datetime = Datetime  # type: ignore[misc]
