"""The files of this repository, as git knows them; a checkout without git is walked."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OURS = {".git", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__"}


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Return the committed (or about to be committed) files, all or by suffix."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    return tuple(path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes))


def sources() -> tuple[Path, ...]:
    """Return the product's Python files."""
    return tuple(path for path in files(".py") if path.is_relative_to(ROOT / "src"))


def name(path: Path) -> str:
    """Return a path as a test's id."""
    return str(path.relative_to(ROOT))
