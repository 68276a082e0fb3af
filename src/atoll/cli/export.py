"""`atoll export`: all that an account has in a region, as Terraform or as a script of AWS CLI commands."""

import os
import sys
from pathlib import Path

from atoll.cli import private, worlds
from atoll.cli.failure import Failure
from atoll.model.names import DEFAULT_ACCOUNT

FILES = {"terraform": "main.tf", "cli": "make.sh"}
WRONG = 2


def export(style: str, *, account: str | None, region: str | None, directory: Path | None, imports: bool) -> None:
    """Print the export, or write it into a directory."""
    if style not in FILES:
        raise Failure(f"{style!r} is not a format", "use one of: " + ", ".join(FILES), WRONG)
    if account is not None and not (len(account) == 12 and account.isdigit()):
        raise Failure(f"{account!r} is not an account", "give its 12 digits", WRONG)
    if imports and style != "terraform":
        raise Failure("import blocks are Terraform's", "use --format terraform", WRONG)
    who = private.whose()
    mine, where = account or who["account"] or DEFAULT_ACCOUNT, region or who["region"]
    from atoll.recipe.configuration import configuration
    from atoll.recipe.script import script
    from atoll.recipe.survey import survey

    found = survey(worlds.open_world(worlds.LIVE), account=mine, region=where)
    if style == "terraform":
        text = configuration(found, account=mine, region=where, imports=imports)
    else:
        text = script(found, account=mine, region=where)
    if directory is None:
        sys.stdout.write(text)
    else:
        _write(directory / FILES[style], text, executable=style == "cli")


def _write(path: Path, text: str, *, executable: bool) -> None:
    """Write a whole file or none, and never over one that is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.chmod(0o755 if executable else 0o644)
        os.link(part, path)
    except FileExistsError:
        raise Failure(f"{path} is there already", "name another directory with -o, or remove it") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", "name another directory with -o") from None
    finally:
        part.unlink(missing_ok=True)
    print(f"Wrote {path}.", file=sys.stderr)
