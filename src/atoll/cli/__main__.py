"""`python -m atoll.cli` is the command `atoll`, and so is the installed script."""

import sys
from functools import partial

from atoll.cli import quick
from atoll.cli.failure import exit_code


def main() -> int:
    """Run the command line."""
    if sys.argv[1:2] == ["__complete"]:
        from atoll.cli.complete import complete

        return complete(sys.argv[2:])
    if options := quick.read(sys.argv[1:]):
        from atoll.cli.up import up_as_asked

        return exit_code(partial(up_as_asked, detach=False, **options))
    from atoll.cli.main import main as every_command

    return every_command()


if __name__ == "__main__":
    sys.exit(main())
