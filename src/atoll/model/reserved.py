"""Reserved cache nodes: a price for nodes that are used long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedNode(Resource):
    """A reservation; its World id is `names.key(account, region, name)`."""

    name: str  # ReservedCacheNodeId
    offering_id: str
    node_type: str
    product: str  # an engine
    offering_type: str  # "No Upfront", "Partial Upfront" or "All Upfront"
    seconds: int  # how long it lasts
    count: int
    start: datetime
    state: str = "payment-pending"  # then active, and retired in the end

    def state_at(self, now: datetime) -> str:
        """Return the state that it has when nothing has to be paid."""
        return "retired" if now >= self.start + timedelta(seconds=self.seconds) else "active"
