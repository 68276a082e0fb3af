"""Whether packets from a place arrive at a cache, as `atoll why` answers it without a look into machines."""

from typing import Any

from atoll.admin import why
from atoll.console.ask import Ask
from atoll.console.caches.connect_target import Target
from atoll.network.places import PlaceError

Verdict = dict[str, Any]  # as /_atoll/why answers


def verdict(ask: Ask, source: str, target: Target) -> Verdict | None:
    """Return the answer; None if the place means nothing here."""
    world = ask.service.backend.world(ask.caller)
    asked = {
        "from": source,
        "to": f"{target.host}:{target.port}",
        "tls": target.tls,
        "auth": target.auth != "none",
    }
    try:
        return why.answer(world, asked, {}, real=False)
    except (PlaceError, why.Unclear):
        return None
