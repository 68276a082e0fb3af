"""What every resource has in common.  A resource is a fact: frozen, comparable, printable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A thing that an account owns in a region.

    `id` is unique among all resources of its kind, in all accounts and regions.  A kind whose names are unique
    only within an account and region (ElastiCache) makes its id with `names.key`.
    """

    id: str
    account: str
    region: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> tuple[str, str]:
        """The account and region that the resource belongs to: nobody else sees it."""
        return self.account, self.region

    def but(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; resources are never edited in place."""
        return replace(self, **changes)


def unlike(old: Mapping[str, Resource], new: Mapping[str, Resource]) -> Iterator[Resource]:
    """Yield the resources that only one of two tables has, or buckets; costs 40 ns for each that both have."""
    if old is not new:
        yield from (resource for id, resource in new.items() if old.get(id) is not resource)
        yield from (resource for id, resource in old.items() if new.get(id) is not resource)
