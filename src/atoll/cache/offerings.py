"""Offers of reserved nodes: every node type and engine, for one year or three, in three ways of paying.

Nothing costs money here, so every price is zero: an offer says what AWS offers, and not what AWS asks.

Source: ElastiCache User Guide, "Reserved nodes".
"""

from dataclasses import dataclass
from functools import cache
from uuid import UUID, uuid5

from atoll.cache.families import ENGINES
from atoll.cache.node_types import NODE_TYPES

YEAR_SECONDS = 31_536_000
TERMS = (1, 3)  # years
PAYMENTS = ("All Upfront", "No Upfront", "Partial Upfront")
_NAMESPACE = UUID("438012d3-4052-4cc7-b2e3-8d3372e0e706")


@dataclass(frozen=True, slots=True)
class Offering:
    """What can be reserved; its id is the same on every machine."""

    id: str
    node_type: str
    product: str  # an engine
    payment: str
    years: int

    @property
    def seconds(self) -> int:
        """How long a reservation lasts."""
        return self.years * YEAR_SECONDS


@cache
def offerings() -> dict[str, Offering]:
    """Return all offers, by their ids."""
    found = {}
    for node_type in NODE_TYPES:
        for product in ENGINES:
            for years in TERMS:
                for payment in PAYMENTS:
                    id = str(uuid5(_NAMESPACE, f"{node_type} {product} {years} {payment}"))
                    found[id] = Offering(id, node_type, product, payment, years)
    return found
