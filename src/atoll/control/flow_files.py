"""The files of flow logs: where CloudWatch Logs and S3 would have what a log delivers.

    ACCOUNT/REGION/cloud-watch-logs/GROUP/ENI-all.log       a line a record (log_files.py)
    s3/BUCKET/PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/    an object a window, with a line that names the fields
    recent/LOG                                              the newest records of a log, to be shown again

A window is written whole or, for S3, not at all; nothing grows for ever.
"""

import gzip
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from atoll.control.log_files import LogFiles, append, append_text
from atoll.ec2.flow_log_target import bucket_of
from atoll.model.flow_log import FlowLog
from atoll.model.names import digest
from atoll.network.flow_format import fields_of

OBJECTS_MAX = 1_440  # of a log in a bucket: a day of minutes
RECENT_BYTES_MAX = 1 << 20
RECENT_LINES = 2_000  # that are kept when there are too many
Record = tuple[str, str]  # interface, line


class FlowFiles:
    """The files of all flow logs, in one directory."""

    def __init__(self, directory: Path) -> None:
        """Use a directory; it is made when there is something to write."""
        self.directory = directory
        self._looked = directory / "looked"

    def place(self, log: FlowLog) -> Path:
        """Return the directory in which the records of a log come to be."""
        if log.log_group is not None:
            return LogFiles(self.directory).group(log.account, log.region, log.log_group)
        bucket, prefix = bucket_of(log.destination or "")
        keys = ("aws-account-id=", "aws-service=", "aws-region=") if log.hive_partitions else ("", "", "")
        named = (f"{key}{value}" for key, value in zip(keys, (log.account, "vpcflowlogs", log.region), strict=True))
        return self.directory.joinpath("s3", bucket, prefix, "AWSLogs", *named)

    def deliver(self, log: FlowLog, records: Sequence[Record], end: datetime) -> None:
        """Write the records of a window.  Raises OSError."""
        if not records:
            return
        if log.log_group is not None:
            self._append(log, records)
        else:
            self._put(log, records, end)
        recent = self.directory / "recent" / log.id
        recent.parent.mkdir(parents=True, exist_ok=True)
        append_text(recent, "".join(f"{interface} {line}\n" for interface, line in records))
        if recent.stat().st_size > RECENT_BYTES_MAX:
            _replace(recent, "\n".join((*recent.read_text().splitlines()[-RECENT_LINES:], "")).encode())

    def recent(self, log: FlowLog) -> list[Record]:
        """Return the newest records of a log, the oldest of them first."""
        try:
            found = (self.directory / "recent" / log.id).read_text().splitlines()[-RECENT_LINES:]
        except OSError:
            return []
        return [(interface, line) for interface, _, line in (text.partition(" ") for text in found)]

    def forget(self, log_id: str) -> None:
        """Forget what is kept for showing; what was delivered stays."""
        (self.directory / "recent" / log_id).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def looked(self) -> float | None:
        """Return when the counters were last read, as Unix time; `None`: never."""
        try:
            return self._looked.stat().st_mtime
        except OSError:
            return None

    def note_look(self, at: float) -> None:
        """Note that the counters were read.  Raises OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._looked.touch()
        os.utime(self._looked, (at, at))

    def _append(self, log: FlowLog, records: Sequence[Record]) -> None:
        assert log.log_group is not None, "it goes to a log group"
        streams: dict[str, list[str]] = {}
        for interface, line in records:
            streams.setdefault(interface, []).append(line)
        files = LogFiles(self.directory)
        for interface, lines in streams.items():
            name = f"{interface}-{log.traffic.lower()}"
            append(files.stream(log.account, log.region, log.log_group, name), lines)

    def _put(self, log: FlowLog, records: Sequence[Record], end: datetime) -> None:
        at = end.astimezone(UTC)
        folders = [f"{at:%Y}", f"{at:%m}", f"{at:%d}", *([f"{at:%H}"] if log.hour_partitions else [])]
        if log.hive_partitions:
            names = ("year", "month", "day", "hour")
            folders = [f"{name}={folder}" for name, folder in zip(names, folders, strict=False)]
        text = "".join(f"{line}\n" for line in (" ".join(fields_of(log.format)), *(line for _, line in records)))
        begun = f"{log.account}_vpcflowlogs_{log.region}_{log.id}_"
        place = self.place(log).joinpath(*folders)
        place.mkdir(parents=True, exist_ok=True)
        name = f"{begun}{at:%Y%m%dT%H%MZ}_{digest(f'{at.isoformat()} {text}', 8)}.log.gz"
        _replace(place / name, gzip.compress(text.encode()))
        objects = sorted(self.place(log).rglob(f"{begun}*.log.gz"), key=lambda path: path.name)
        for old in objects[:-OBJECTS_MAX]:
            old.unlink(missing_ok=True)
            with suppress(OSError):  # the folder of the day, of the month ... with its last object
                for folder in list(old.relative_to(self.place(log)).parents)[:-1]:
                    (self.place(log) / folder).rmdir()


def _replace(path: Path, raw: bytes) -> None:
    made = path.with_name(f".{path.name}.new")
    try:
        made.write_bytes(raw)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
