"""Write the manual page and the shell completions from the command line's own words.

python packaging/written.py            # write them
python packaging/written.py --check    # exit 1 if one is stale
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from atoll.cli.completion_scripts import SCRIPTS
from atoll.cli.main import app

HERE = Path(__file__).parent
COMPLETIONS = {"bash": "atoll.bash", "zsh": "_atoll", "fish": "atoll.fish"}
# zsh loads the file at the first Tab, as a function: it must answer that one, too.
FIRST_TAB = '[[ $funcstack[1] = _atoll ]] && _atoll "$@"\n'
HEAD = r""".TH ATOLL 1 "" "Atoll" "User Commands"
.SH NAME
atoll \- Amazon ElastiCache and the Amazon VPC around it, on this machine
.SH SYNOPSIS
.B atoll
.RI [ options ]
.I command
.RI [ arguments ]
.SH DESCRIPTION
"""
TAIL = r""".SH EXIT STATUS
.TP
.B 0
Done; delivered; every check passed.
.TP
.B 1
Refused: not delivered, a check failed, the machine said no.
.TP
.B 2
Atoll is not running, or the command was used wrongly.
.TP
.B 3
This kernel allows neither root nor rootless mode.
.SH ENVIRONMENT
.TP
.B ATOLL_ENDPOINT
Where Atoll listens, instead of what its state says; http://127.0.0.1:4566 if none runs.
.TP
.B ATOLL_STATE
Where the state is kept, instead of /var/lib/atoll (root) or $XDG_STATE_HOME/atoll.
.TP
.B ATOLL_ENGINES
A directory with other cache engines.
.TP
.BR AWS_ACCESS_KEY_ID ", " AWS_REGION
The account (if it is 12 digits) and the region, as for any AWS tool.
.SH SEE ALSO
.BR aws (1),
.BR valkey-cli (1),
.BR redis-cli (1)
"""


def manual() -> str:
    """Return the manual page."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="atoll")
    parts = [HEAD, _text(root.help or ""), "\n", *_options(root, context), ".SH COMMANDS\n"]
    parts += [part for name, command, inner in _commands(root, context) for part in _command(name, command, inner)]
    return "".join([*parts, TAIL])


def _commands(group: Any, context: typer.Context) -> Iterator[tuple[str, Any, typer.Context]]:
    """Yield every command, with those of its group's after it."""
    for name in sorted(getattr(group, "commands", {})):
        command = group.commands[name]
        inner = typer.Context(command, info_name=name, parent=context)
        if command.hidden:
            continue
        if not hasattr(command, "commands"):
            yield inner.command_path, command, inner
        yield from _commands(command, inner)


def _command(name: str, command: Any, context: typer.Context) -> Iterator[str]:
    """Yield a command's section; how its arguments are written is ours to say, as versions of click differ."""
    arguments = [p for p in command.get_params(context) if p.param_type_name == "argument"]
    words = [_named(argument) for argument in arguments]
    yield f".SS {_text(' '.join([name, '[options]', *words]))}\n{_text(command.help or '')}\n"
    yield from _options(command, context)


def _named(argument: Any) -> str:
    name = (argument.metavar or argument.name or "").strip("[]").upper()
    more = f"{name} ..." if argument.nargs == -1 else name
    return more if argument.required else f"[{more}]"


def _options(command: Any, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            flags = _named(parameter)
        elif parameter.name in ("help", "install_completion", "show_completion"):
            continue
        else:
            takes = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar or parameter.name.upper()}"
            flags = ", ".join(sorted(parameter.opts, key=len)) + takes
        about = getattr(parameter, "help", None)
        yield f".TP\n.B {_text(flags)}\n{_text(about or 'See the command.')}\n"


def _text(text: str) -> str:
    """Return text for roff: no blank line, nothing that is a request or an escape."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    safe = (line.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq") for line in lines if line)
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in safe)


def main() -> int:
    """Write, or check."""
    wanted = {HERE / "atoll.1": manual()}
    for shell, name in COMPLETIONS.items():
        wanted[HERE / "completions" / name] = SCRIPTS[shell] + (FIRST_TAB if shell == "zsh" else "")
    if sys.argv[1:] == ["--check"]:
        stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        for path in stale:
            print(f"{path.relative_to(HERE.parent)} is stale: make docs")
        return 1 if stale else 0
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
