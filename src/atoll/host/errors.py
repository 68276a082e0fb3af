"""How the machine refuses.  A file of its own: a program that only enters a place loads nothing of the World."""


class HostError(Exception):
    """The machine refused.  The loop tries again; the resource's status says why."""

    def __init__(self, message: str, step: str = "") -> None:
        """Keep what was tried (`step`) beside what went wrong."""
        super().__init__(f"{step}: {message}" if step else message)
        self.step = step
