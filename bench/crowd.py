"""Worlds of a size that nobody wants to call into being one by one: written into the store while no daemon runs.

A group with more rules than its quota can come about where the quota was raised, so speed must not depend on it.
"""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.kinds import KINDS
from atoll.model.names import mac_address
from atoll.model.subnet import Subnet
from atoll.model.world import Tx
from atoll.store.sqlite import Store
from bench.vpc import PORT

OWN_ADDRESSES = 256  # the first ones of a subnet are left to what comes through the API
OWN_NUMBERS = 1_000


def fill(state: Path, group_id: str, rules: int) -> None:
    """Give a group `rules` rules, each for one address that nobody has."""
    _write(state, lambda tx: tx.put(_filled(tx.world[SecurityGroup, group_id], rules)))


def populate(state: Path, subnet_id: str, group_id: str, interfaces: int) -> None:
    """Put `interfaces` interfaces into a subnet, all with one group."""

    def put(tx: Tx) -> None:
        subnet = tx.world[Subnet, subnet_id]
        for i in range(interfaces):
            tx.put(_interface(subnet, group_id, i))

    _write(state, put)


def _write(state: Path, change: Callable[[Tx], Any]) -> None:
    store = Store(state / "atoll.db", KINDS)
    try:
        store.write(change, what="bench")
    finally:
        store.close()


def _interface(subnet: Subnet, group_id: str, i: int) -> Interface:
    address = subnet.cidr.network_address + OWN_ADDRESSES + i
    return Interface(
        id=f"eni-{subnet.id[-6:]}{i:011x}",
        account=subnet.account,
        region=subnet.region,
        vpc_id=subnet.vpc_id,
        subnet_id=subnet.id,
        zone=subnet.zone,
        number=OWN_NUMBERS + i,
        mac=mac_address(f"{subnet.id}/{address}"),
        private_ips=(address,),
        group_ids=(group_id,),
    )


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
