"""When what a line tells of happened: the timestamp of an event, read from the line itself.

Files of log groups are lines and nothing else.  Known are the records of caches' logs (cache/logs.py) and flow logs.
"""

import re
from datetime import UTC, datetime
from itertools import combinations

_FORMS = (
    (re.compile(r'"Timestamp": (\d{10}),'), None),  # the slow log as JSON
    (re.compile(r'"Time": "(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d{3}) UTC"'), "%d-%m-%Y %H:%M:%S.%f"),
    (re.compile(r"^[^ ]+/\d{4}:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) UTC"), "%d %b %Y %H:%M:%S.%f"),
    (re.compile(r"^[^ ,]+,\d{4},(\d{10}),"), None),  # the slow log as text
)
_TEN_DIGITS = re.compile(r"(?<!\S)\d{10}(?!\S)")
_FLOW_SECONDS_MAX = 3_600  # between a flow log's `start` and `end`, and more


def time_of(line: str) -> int:
    """Return when a line's event happened, in milliseconds of Unix time; 0: it does not say."""
    for pattern, form in _FORMS:
        if found := pattern.search(line):
            if form is None:
                return int(found[1]) * 1000
            return int(datetime.strptime(found[1], form).replace(tzinfo=UTC).timestamp() * 1000)
    return _time_of_flow(line) * 1000


def _time_of_flow(line: str) -> int:
    """Return `start` of a flow log's record, or the only time it has; its packets and bytes may look like one."""
    numbers = [int(found) for found in _TEN_DIGITS.findall(line)]
    windows = (sorted(pair) for pair in combinations(numbers, 2))
    return next((start for start, end in windows if end - start <= _FLOW_SECONDS_MAX), (numbers or [0])[0])
