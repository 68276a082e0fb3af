"""What the control loop may ask of a machine, and what a machine may answer."""


class HostError(Exception):
    """The machine refused.  The loop tries again; the resource's status says why."""

    def __init__(self, message: str, step: str = "") -> None:
        """Keep what was tried (`step`) beside what went wrong."""
        super().__init__(f"{step}: {message}" if step else message)
        self.step = step
