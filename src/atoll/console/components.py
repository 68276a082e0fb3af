"""What templates ask of a request: addresses, what was filled in, where an id leads, how good a status is."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from atoll.console.ask import Ask
from atoll.console.site import AREAS, HOMES, MENU, Entry

GOOD = frozenset({
    "available", "running", "active", "in-use", "associated", "attached", "completed", "ok", "healthy", "succeeded",
    "enabled", "in-sync", "blackhole-free", "passed",
})  # fmt: skip
BUSY = frozenset({
    "pending", "creating", "modifying", "stopping", "shutting-down", "deleting", "starting", "snapshotting",
    "rebooting cluster nodes", "pending-acceptance", "initiating-request", "provisioning", "attaching", "detaching",
    "associating", "disassociating", "initial", "enabling", "disabling", "pendingAcceptance",
})  # fmt: skip
BAD = frozenset({
    "failed", "impaired", "create-failed", "blackhole", "rejected", "unhealthy", "error", "incompatible-network",
    "expired", "restore-failed", "dead", "blocked",
})  # fmt: skip


def tone(word: str) -> str:
    """Return how good a status is: "good", "busy", "bad" or "calm"."""
    word = word.lower()
    return "good" if word in GOOD else "busy" if word in BUSY else "bad" if word in BAD else "calm"


def home_of(id: str) -> str:
    """Return the page of a resource by its id; "" if there is none."""
    prefix = id.rpartition("-")[0]
    pattern = HOMES.get(prefix)
    return pattern.format(id=id) if pattern else ""


def is_within(path: str, of: str) -> bool:
    """Tell whether a page is the one of a menu's line, or below it."""
    return path == of or (of != "/" and path.startswith(f"{of}/"))


def menu() -> list[tuple[str, list[Entry]]]:
    """Return the menu, area by area."""
    found = [(area, [entry for entry in MENU if entry.area == area]) for area in AREAS]
    return [(area, entries) for area, entries in found if entries]


def menu_path(path: str) -> str:
    """Return the line of the menu that a page is of: what another account or region has as well."""
    return next((entry.path for entry in MENU[::-1] if is_within(path, entry.path)), "/")


def of(ask: Ask) -> Mapping[str, Callable[..., Any]]:
    """Return the functions that depend on the request."""
    t, form, query = ask.t, ask.form, ask.query

    def here() -> str:
        pairs = {name: value for name, value in query.pairs() if name not in ("done", "id")}
        return ask.url(ask.path, **pairs)

    def filled(name: str, value: Any) -> Any:
        return form.get(name) if name in form else query.get(name) if name in query else value

    def filled_all(name: str, values: Collection[str]) -> Collection[str]:
        return form.all(name) if form.pairs() else query.all(name) if name in query else values

    def ticked(name: str, value: str, checked: bool) -> bool:
        return value in form.all(name) if form.pairs() else checked

    def done_text(name: str) -> bool:
        return name.partition(".")[2].startswith("done_") and t.has(name)

    return {
        "here": here, "filled": filled, "filled_all": filled_all, "ticked": ticked, "done_text": done_text,
    }  # fmt: skip
