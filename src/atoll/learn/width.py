"""What opens too much: a repair that works because it lets everybody in is no repair."""

from collections.abc import Iterable

from atoll.learn.view import Not
from atoll.model.acl import NetworkAcl
from atoll.model.group import Rule, SecurityGroup

PORTS_MAX = 100  # of one rule: more are no longer chosen
OPEN = 0  # the length of a prefix that everybody has


def groups_are_narrow(groups: Iterable[SecurityGroup]) -> None:
    """Check that no rule lets in the whole world, or every port.  Raises Not."""
    for group in groups:
        for rule in group.rules:
            if not rule.egress:
                _is_narrow(group, rule)


def acl_is_narrow(acl: NetworkAcl) -> None:
    """Check that no entry allows every protocol, to or from the whole world.  Raises Not."""
    for entry in acl.entries:
        if entry.allow and entry.cidr.prefixlen == OPEN:
            raise Not("too-wide-acl", number=entry.number, cidr=entry.cidr, acl=acl.id)
        if entry.allow and entry.protocol == -1:
            raise Not("all-traffic-acl", number=entry.number, acl=acl.id)


def _is_narrow(group: SecurityGroup, rule: Rule) -> None:
    if rule.cidr is not None and rule.cidr.prefixlen == OPEN:
        raise Not("too-wide", group=group.name, rule=rule.id, cidr=rule.cidr)
    every_port = rule.protocol == "-1" or rule.to_port - rule.from_port >= PORTS_MAX
    if every_port and rule.group_id != group.id:
        raise Not("too-many-ports", group=group.name, rule=rule.id)
