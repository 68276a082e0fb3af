"""What `atoll learn` and its subcommands take; what they do is in `learn`.

`atoll learn NAME` opens a lesson: any word that is no subcommand is a lesson's name.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

Language = Annotated[
    str | None, typer.Option("--lang", metavar="en|ko|zh", help="The language of the texts [LC_ALL, LANG].")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Name = Annotated[str | None, typer.Argument(metavar="[LESSON]", help="A lesson; else the one that was last open.")]


class Lessons(TyperGroup):
    """A group whose unknown subcommands are names of lessons."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # click's own types, which typer has a copy of
        """Open a lesson if the word is no subcommand."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = ["open", *args]
        return super().resolve_command(ctx, args)


learn = typer.Typer(
    cls=Lessons,
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Take a lesson, or mend a lab: step by step, checked on the real state.  atoll learn NAME opens one.",
)


@learn.callback()
def lessons(context: typer.Context, lang: Language = None, json: Json = False) -> None:
    """List the lessons, with how far you are."""
    if context.invoked_subcommand is None:
        from atoll.cli.learn import listed

        listed(lang, as_json=json)


@learn.command(name="open")
def open_lesson(
    name: Annotated[str, typer.Argument(metavar="LESSON", help="A lesson: `atoll learn` lists them.")],
    lang: Language = None,
    json: Json = False,
) -> None:
    """Open a lesson, in a world of its own, and show the step that is next; `atoll learn NAME` is the same."""
    from atoll.cli.learn import opened

    opened(name, lang, as_json=json)


@learn.command()
def check(
    name: Name = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on looking, until the lesson is done or Ctrl-C.")
    ] = False,
    lang: Language = None,
    json: Json = False,
) -> None:
    """Check the step that is next: exit code 0 if it is done, 1 if not."""
    from atoll.cli.learn import checked, watched

    raise typer.Exit((watched if watch else checked)(name, lang, as_json=json))


@learn.command()
def hint(name: Name = None, lang: Language = None, json: Json = False) -> None:
    """Reveal one more hint."""
    from atoll.cli.learn import hinted

    hinted(name, lang, as_json=json)


@learn.command()
def solve(
    name: Name = None,
    whole: Annotated[bool, typer.Option("--all", help="Every step that is left, not only the next.")] = False,
    lang: Language = None,
    json: Json = False,
) -> None:
    """Do the step that is next: run its commands, saying what they do."""
    from atoll.cli.learn_solve import solved

    raise typer.Exit(solved(name, lang, whole=whole, as_json=json))


@learn.command()
def reset(name: Name = None, lang: Language = None, json: Json = False) -> None:
    """Build the lesson's world anew, and begin with the first step."""
    from atoll.cli.learn import restarted

    restarted(name, lang, as_json=json)


@learn.command()
def close(name: Name = None) -> None:
    """Remove the lesson's world, and how far you were."""
    from atoll.cli.learn import closed

    closed(name)


@learn.command()
def env(name: Name = None, shell: Annotated[str, typer.Option(help="sh, bash, zsh, fish or json.")] = "sh") -> None:
    """Print the variables that lead AWS tools, and atoll, into the lesson's world: eval "$(atoll learn env NAME)"."""
    from atoll.cli.learn import environment

    environment(name, shell)
