"""A security group with more rules than the quota allows: written into the store while no daemon runs.

A World of this size can come about where the quota was raised, so speed must not depend on it.
"""

from ipaddress import IPv4Network
from pathlib import Path

from atoll.model.group import Rule, SecurityGroup
from atoll.model.kinds import KINDS
from atoll.store.sqlite import Store
from bench.vpc import PORT


def fill(state: Path, group_id: str, rules: int) -> None:
    """Give a group `rules` rules, each for one address that nobody has."""
    store = Store(state / "atoll.db", KINDS)
    try:
        store.write(lambda tx: tx.put(_filled(tx.world[SecurityGroup, group_id], rules)), what="bench")
    finally:
        store.close()


def _filled(group: SecurityGroup, rules: int) -> SecurityGroup:
    many = tuple(
        Rule(
            id=f"sgr-{i:017x}",
            egress=False,
            protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            cidr=IPv4Network((0xAC100000 + 4 * i, 32)),  # 172.16.0.0 and every fourth address after it
        )
        for i in range(rules)
    )
    return group.but(rules=group.rules + many)
