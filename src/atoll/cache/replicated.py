"""How much of another engine's data one has, by what both say of themselves in INFO."""

from collections.abc import Mapping

Said = Mapping[str, str]  # the fields of INFO


def follows(said: Said) -> bool:
    """Tell whether a replica has copied everything and hears of every change."""
    return said.get("role") == "slave" and said.get("master_link_status") == "up"


def offset_of(said: Said) -> int:
    """Return how much of its history an engine has; -1: it does not say."""
    return int(said.get("master_repl_offset" if said.get("role") == "master" else "slave_repl_offset", "-1"))


def end_of(said: Said) -> tuple[str, int]:
    """Return which history an engine has, and how much of it: all that another one has to have."""
    return said.get("master_replid", ""), offset_of(said)


def has_all(said: Said, history: str, offset: int) -> bool:
    """Tell whether an engine has a history up to an offset, whether or not it still hears who wrote it."""
    return bool(history) and said.get("master_replid") == history and offset_of(said) >= offset
