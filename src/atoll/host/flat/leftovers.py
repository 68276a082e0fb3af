"""What a daemon on the flat host leaves running when it ends without a purge."""

from pathlib import Path

from atoll.host.flat.processes import Processes

SECONDS_MAX = 10.0


def end(run_dir: Path) -> None:
    """End it.  Raises HostError."""
    if (run_dir / "processes").is_dir():
        Processes(run_dir / "processes").end_all(SECONDS_MAX)
