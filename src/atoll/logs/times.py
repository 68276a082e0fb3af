"""When what a line tells of happened: the timestamp of an event, read from the line itself.

Files of log groups are lines and nothing else.  Known are the records of caches' logs (cache/logs.py) and flow logs.
"""

import re
from datetime import UTC, datetime

_FORMS = (
    (re.compile(r'"Timestamp": (\d{10}),'), None),  # the slow log as JSON
    (re.compile(r'"Time": "(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d{3}) UTC"'), "%d-%m-%Y %H:%M:%S.%f"),
    (re.compile(r"^[^ ]+/\d{4}:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) UTC"), "%d %b %Y %H:%M:%S.%f"),
    (re.compile(r"^[^ ,]+,\d{4},(\d{10}),"), None),  # the slow log as text
    (re.compile(r"(?:^| )(\d{10})(?: |$)"), None),  # `start` of a flow log, the first of its times
)


def time_of(line: str) -> int:
    """Return when a line's event happened, in milliseconds of Unix time; 0: it does not say."""
    for pattern, form in _FORMS:
        if found := pattern.search(line):
            if form is None:
                return int(found[1]) * 1000
            return int(datetime.strptime(found[1], form).replace(tzinfo=UTC).timestamp() * 1000)
    return 0
