"""AWS errors: a code, a message, a status.  The only exception an operation raises on purpose."""

from dataclasses import dataclass


class AwsError(Exception):
    """The caller's doing: answered as the service's error XML."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Keep what the wire needs."""
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Err:
    """One row of an error table.  Call it to get the exception: `raise VPC_NOT_FOUND(id=vpc_id)`."""

    code: str
    message: str
    status: int = 400

    def __call__(self, **detail: object) -> AwsError:
        """Make the exception, with the details in its message."""
        return AwsError(self.code, self.message.format(**detail), self.status)
