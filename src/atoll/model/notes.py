"""What a reader of a World looked at, kind by kind."""

from atoll.model.resource import Resource

Kind = type[Resource]


class Notes:
    """Which kinds a reader looked at: the first stamp of each, or that it was everything."""

    __slots__ = ("are_everything", "kinds")

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self.kinds: dict[Kind, object] = {}
        self.are_everything = False

    def note(self, kind: Kind, stamp: object) -> None:
        """A kind is looked at for the first time, in a table with this stamp."""
        self.kinds[kind] = stamp
