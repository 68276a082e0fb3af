"""What a failover can do, each with its reason; `cache/failover.py` chooses, `control/failover.py` acts."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Fence:
    """End a process for good, and wait for its end."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Write down who is to be primary."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Make a replica a primary."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Write down who is primary: from now on the names lead there."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Have a member follow the leader."""

    id: str
    leader_id: str
    because: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Have a leader hold back writes."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Demote:
    """Make a leader, whose writes are held back, a replica of the one that takes over."""

    id: str
    to: str
    because: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give a planned change up; the leader goes on."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Restore:
    """Start a lost primary again, without promotion: it copies from this replica, and then leads again."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Start a lost primary again, empty: nobody has the data."""

    because: str


@dataclass(frozen=True, slots=True)
class Reload:
    """Start a leader again that has copied from outside: as a primary, with the data that it saves before."""

    id: str
    because: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at once: something is about to happen."""

    because: str


Act: TypeAlias = (
    Fence | Choose | Promote | Publish | Follow | Pause | Demote | Abandon | Restore | Rebuild | Reload | Wait | None
)
