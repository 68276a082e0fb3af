"""Where an installation keeps its sockets.  Imports next to nothing: every start waits for it."""

import hashlib
import os
import stat
from pathlib import Path


def run_dir(state_dir: Path) -> Path:
    """Return where an installation keeps its sockets: short, and gone after a reboot."""
    name = _name(state_dir)
    if os.geteuid() == 0:
        return Path("/run") / name
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / name if runtime and os.access(runtime, os.W_OK) else Path(f"/tmp/{name}-{os.getuid()}")


def is_run_dir(directory: Path, state_dir: Path) -> bool:
    """Tell whether an installation keeps its sockets there in some environment, by the name."""
    return directory.name in (_name(state_dir), f"{_name(state_dir)}-{os.getuid()}")


def _name(state_dir: Path) -> str:
    return "atoll-" + hashlib.blake2s(str(state_dir.resolve()).encode(), digest_size=4).hexdigest()


def make_private(directory: Path) -> None:
    """Make a directory that is ours alone; below /tmp somebody else may have been there first."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{directory} belongs to somebody else, or is open to others: remove it")
