"""The newest things that the loops said, for whoever asks how they are: a bounded copy of the log."""

import json
import logging
from collections import deque
from datetime import UTC, datetime
from typing import Any

EVENTS_MAX = 500
FIELDS_BYTES_MAX = 2_000  # of one event


class Recent(logging.Handler):
    """Keeps the newest events of the loops."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(logging.INFO)
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an event."""
        fields = dict(getattr(record, "fields", {}))
        because = str(fields.pop("because", ""))
        if record.exc_info and record.exc_info[1] is not None:
            because = because or f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        text = json.dumps(fields, default=str, ensure_ascii=False)[:FIELDS_BYTES_MAX] if fields else ""
        self._events.append(
            {
                "at": datetime.fromtimestamp(record.created, UTC),
                "is_bad": record.levelno >= logging.WARNING,
                "event": record.getMessage(),
                "because": because,
                "fields": text,
            }
        )

    def events(self) -> list[dict[str, Any]]:
        """Return what was kept, the oldest first."""
        return list(self._events)


RECENT = Recent()  # the process has one log, and so one memory of it
