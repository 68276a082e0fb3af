"""How a command fails: one sentence, the next step, an exit code.  Never a traceback for a caller's mistake."""

import sys
from collections.abc import Callable

from atoll.cli.show import plain

REFUSED = 1  # the answer is no: not delivered, a check failed, the machine refused
NOT_RUNNING = 2  # there is no daemon at the endpoint; also click's code for wrong usage
NO_KERNEL = 3  # this kernel allows neither root nor rootless mode


class Failure(Exception):
    """What a person is told on standard error.  `code` is the exit code."""

    def __init__(self, message: str, next_step: str, code: int = REFUSED) -> None:
        """Keep the sentence apart from the step that follows it."""
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code

    def told(self) -> str:
        """Return what a person is told."""
        return f"error: {self.message}\nnext:  {self.next_step}"

    def show(self) -> None:
        """Print it to standard error."""
        print(plain(self.told()), file=sys.stderr)


def exit_code(command: Callable[[], None]) -> int:
    """Run a command and return its exit code; a failure is one sentence and the next step."""
    try:
        command()
    except Failure as failure:
        failure.show()
        return failure.code
    return 0
