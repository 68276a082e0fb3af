"""What each namespace must hold, indexed the ways the fabric asks."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from atoll.network.facts import (
    IPV6,
    Address,
    Chain,
    Container,
    DualStack,
    Element,
    Fact,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Table,
    Veth,
)
from atoll.network.plan import Change, Key

IPV6_VERSION = 6
HAS_IPV6 = Path("/proc/sys/net/ipv6").exists()  # a kernel may be started without
Facts: TypeAlias = Mapping[Fact, Key]


class Wanted:
    """The facts of the plan that is to be in force, by namespace."""

    def __init__(self) -> None:
        """Want nothing."""
        self.facts: dict[str, dict[Fact, Key]] = {}
        self.near: dict[str, dict[str, Veth]] = {}  # namespace -> link -> the pair that begins there
        self.far: dict[str, dict[str, Veth]] = {}  # ... that ends there
        self.guests: set[str] = set()

    @property
    def names(self) -> Collection[str]:
        """The namespaces."""
        return self.facts.keys()

    def note(self, delta: Mapping[str, Change]) -> None:
        """Want something else."""
        for name, change in delta.items():
            facts = self.facts.setdefault(name, {})
            for fact in change.removed:
                facts.pop(fact, None)
                if isinstance(fact, Veth):
                    self.near[name].pop(fact.name)
                    self.far[fact.peer_namespace].pop(fact.peer)
            facts.update(change.added)
            self._index(change.added)
            if not facts:
                del self.facts[name]
                self.guests.discard(name)

    def _index(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Veth):
                self.near.setdefault(fact.namespace, {})[fact.name] = fact
                self.far.setdefault(fact.peer_namespace, {})[fact.peer] = fact
            elif isinstance(fact, Namespace) and fact.is_guest:
                self.guests.add(fact.namespace)

    def of(self, name: str, *kinds: type[Fact]) -> dict[Fact, Key]:
        """Return a namespace's facts of some kinds."""
        return {f: key for f, key in self.facts.get(name, {}).items() if isinstance(f, kinds)}

    def links(self, name: str) -> dict[str, Veth]:
        """Return the pairs that begin in a namespace, by link."""
        return self.near.get(name, {})

    def far_links(self, name: str) -> dict[str, Veth]:
        """Return the pairs that end in a namespace, by link."""
        return self.far.get(name, {})


def without_ipv6(delta: Mapping[str, Change]) -> Mapping[str, Change]:
    """Return changes without what a kernel that has no IPv6 cannot do."""
    return {
        name: Change(
            {f: key for f, key in change.removed.items() if not _is_ipv6(f)},
            {f: key for f, key in change.added.items() if not _is_ipv6(f)},
        )
        for name, change in delta.items()
    }


def _is_ipv6(fact: Fact) -> bool:
    match fact:
        case DualStack():
            return True
        case Address(_, _, address) | Neighbour(_, _, address):
            return address.version == IPV6_VERSION
        case Route():
            return fact.network.version == IPV6_VERSION
        case PolicyRule():
            return fact.version == IPV6_VERSION
        case Table() | Container() | Element() | Chain():
            return fact.family == IPV6
    return False
