"""`atoll profile`: a profile `atoll` in ~/.aws/config and ~/.aws/credentials, and nothing else of these files.

The files belong to a person: each is written whole or not at all, keeps its rights, its links and every byte that is
not ours, and has a copy beside it from before the first change.
"""

import os
import re
import tempfile
from pathlib import Path

from atoll.cli import private
from atoll.cli.failure import Failure

NAME = "atoll"
BACKUP = ".before-atoll"
# Our section: its head and the settings right below; a comment or an empty line is somebody else's.
MINE = re.compile(rf"^\[[ \t]*(?:profile[ \t]+)?{NAME}[ \t]*\][^\n]*(?:\n[ \t]*\w[^\n]*)*\n?", re.M)


def install() -> None:
    """Write the profile; one that is there already is brought up to date."""
    config = {"endpoint_url": private.endpoint(), "region": private.region()}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    changed = [_put(_config(), f"[profile {NAME}]", config), _put(_credentials(), f"[{NAME}]", keys)]
    if not any(changed):
        print(f"The profile {NAME} is there already, and leads to {private.endpoint()}.")
        return
    print(f"Installed: aws --profile {NAME} ec2 describe-vpcs   (or export AWS_PROFILE={NAME})")


def remove() -> None:
    """Take the profile out of both files."""
    changed = [_write(path, text, without(text)) for path in (_config(), _credentials()) if (text := _read(path))]
    print(f"Removed the profile {NAME}." if any(changed) else f"There is no profile {NAME}.")


def without(text: str) -> str:
    """Return a file's text without the section, and without the empty line that came with it."""
    while mine := MINE.search(text):
        before, after = text[: mine.start()], text[mine.end() :]
        text = (before.removesuffix("\n") if before.endswith("\n\n") and not after else before) + after
    return text


def with_section(text: str, head: str, values: dict[str, str]) -> str:
    """Return a file's text with the section at its end; as it is, if it says so already."""
    body = "\n".join([head, *(f"{name} = {value}" for name, value in values.items()), ""])
    if body in text:
        return text
    rest = without(text)
    if rest and not rest.endswith("\n"):
        rest += "\n"
    return rest + ("\n" if rest else "") + body


def _put(path: Path, head: str, values: dict[str, str]) -> bool:
    text = _read(path)
    return _write(path, text, with_section(text, head, values))


def _config() -> Path:
    return Path(os.environ.get("AWS_CONFIG_FILE") or Path.home() / ".aws" / "config")


def _credentials() -> Path:
    return Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", "nothing was changed; mend its rights") from None


def _write(path: Path, before: str, after: str) -> bool:
    """Replace a file by its new text, through the links that lead to it; returns whether it had to change."""
    if before == after:
        return False
    real = Path(os.path.realpath(path))
    part = ""
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
        backup = real.with_name(real.name + BACKUP)
        if before and not backup.exists():
            _new(backup, before, mode)
        descriptor, part = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        with open(descriptor, "wb") as file:
            file.write(after.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, mode)
        os.replace(part, real)
    except OSError as error:
        if part:
            Path(part).unlink(missing_ok=True)
        raise Failure(f"{path} cannot be written: {error.strerror}", "it is as it was; mend its rights") from None
    return True


def _new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
