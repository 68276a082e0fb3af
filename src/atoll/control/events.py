"""Logs of the loops: events with fields, one for each thing that happened, as a line of JSON or of plain text."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from atoll.control.pulse import did

_log = logging.getLogger("atoll")


def log(event: str, **fields: object) -> None:
    """Log what happened; every refusal and repair says `because`."""
    did(
        event,
        ", ".join(str(value) for name, value in fields.items() if name != "because"),
        str(fields.get("because", "")),
    )
    _log.info(event, extra={"fields": fields})


def log_mistake(where: str) -> None:
    """Log the exception that is being handled: a mistake of ours, after which the loop goes on all the same."""
    did(where, because=repr(sys.exception()))
    _log.exception(where)


@contextmanager
def going_on(where: str, told: str = "", *known: type[Exception], **fields: object) -> Iterator[None]:
    """Do one thing of many: whatever goes wrong with it is logged, and everything else goes on.

    `known` errors are the machine's: an event `told` with `fields`.  Any other is a mistake of ours about this one
    thing, and no reason to leave all others undone; the log has its trace.
    """
    try:
        yield
    except known as error:
        log(told, **fields, because=str(error))
    except Exception:  # a mistake of ours about one thing must not end the loop
        log_mistake(where)


class Lines(logging.Formatter):
    """A line per event: time, event, fields as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {})
        text = f"{at} {record.levelname.lower()} {record.getMessage()}"
        if fields:
            text += " " + _printable(json.dumps(fields, default=str, ensure_ascii=False))
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def _printable(text: str) -> str:
    """Write what a terminal would obey as JSON escapes it: paths and names are anybody's, and a log is looked at."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
