"""What became of load balancers and targets, recorded: the network is seen to obey, a check passed or failed.

As in `transitions`, an operation may have come in between the look and the record; each function tells whether it
recorded.
"""

from collections.abc import Callable
from dataclasses import replace

from atoll.model.balancer import LoadBalancer, Target, TargetGroup
from atoll.model.lifecycle import LOAD_BALANCER, TARGET
from atoll.model.world import Tx

FAILED = "Target.FailedHealthChecks", "Health checks failed"
CHECKING = "Elb.InitialHealthChecking", "Initial health checks in progress"


def in_force(tx: Tx, seen: LoadBalancer) -> bool:
    """Record that the network carries a balancer."""
    balancer = tx.get(LoadBalancer, seen.id)
    if balancer is None or balancer.nodes != seen.nodes or not LOAD_BALANCER.allows(balancer.state, "in-force"):
        return False
    tx.put(balancer.but(state=LOAD_BALANCER.after(balancer.state, "in-force")))
    return True


def checked(tx: Tx, group_id: str, key: tuple[str, int], *, passed: bool) -> bool:
    """Record that as many checks of a target passed, or failed, as its group asks for."""
    event = "passed" if passed else "failed"
    reason, description = (None, None) if passed else FAILED

    def change(target: Target) -> Target | None:
        if not TARGET.allows(target.state, event):
            return target
        return replace(target, state=TARGET.after(target.state, event), reason=reason, description=description)

    return _change(tx, group_id, key, change)


def begun(tx: Tx, group_id: str, key: tuple[str, int]) -> bool:
    """Record that the first check of a new target is on its way."""

    def change(target: Target) -> Target | None:
        return replace(target, reason=CHECKING[0], description=CHECKING[1]) if target.state == "initial" else target

    return _change(tx, group_id, key, change)


def drained(tx: Tx, group_id: str, key: tuple[str, int]) -> bool:
    """Forget a target whose time to drain is over."""
    return _change(tx, group_id, key, lambda t: None if t.leaves and t.leaves <= tx.now else t)


def _change(tx: Tx, group_id: str, key: tuple[str, int], change: Callable[[Target], Target | None]) -> bool:
    group = tx.get(TargetGroup, group_id)
    if group is None or all(target.key != key for target in group.targets):
        return False
    targets = tuple(after for t in group.targets if (after := change(t) if t.key == key else t))
    if targets == group.targets:
        return False
    tx.put(group.but(targets=targets))
    return True
