"""What names a prefix list, routes and rules, and whether it can: a list weighs as much as it may have ranges."""

from collections.abc import Iterable, Iterator

from atoll.ec2.kinds import find
from atoll.ec2.route_target import check_destination
from atoll.model import quota
from atoll.model.group import Rule, SecurityGroup
from atoll.model.ip import Net
from atoll.model.prefix_list import PrefixList, managed, prefix_list
from atoll.model.quota import allowed
from atoll.model.route import Route, RouteTable
from atoll.model.vpc import Vpc
from atoll.model.world import World


def users(world: World, id: str) -> list[str]:
    """Return the caller's route tables and groups that name a list."""
    tables = [t.id for t in world.all(RouteTable) if any(r.prefix_list_id == id for r in t.routes)]
    return tables + [g.id for g in world.all(SecurityGroup) if any(r.prefix_list_id == id for r in g.rules)]


def route_weight(world: World, region: str, routes: Iterable[Route], instead: PrefixList | None = None) -> int:
    """Return how many routes these count as; `instead` is a list as it would be."""
    return sum(_weight(world, region, route.prefix_list_id, instead) for route in routes)


def rule_weight(
    world: World, region: str, rules: Iterable[Rule], *, version: int, instead: PrefixList | None = None
) -> int:
    """Return how many rules of an IP version these count as: ranges by version, groups in both."""
    return sum(_weight(world, region, r.prefix_list_id, instead) for r in rules if _counts(world, region, r, version))


def crowded(world: World, listed: PrefixList) -> list[str]:
    """Return the tables and groups that would have too many routes or rules, were a list of this size."""
    found = []
    for id in users(world, listed.id):
        table, group = world.get(RouteTable, id), world.get(SecurityGroup, id)
        if table and route_weight(world, listed.region, table.routes, listed) > allowed(world, quota.ROUTES):
            found.append(id)
        if group and any(_is_full(world, group, listed, egress=egress) for egress in (True, False)):
            found.append(id)
    return found


def check_ranges(world: World, listed: PrefixList) -> None:
    """Raise the error of a route that names a list, if it could not lead to one of the list's ranges."""
    for table in world.all(RouteTable):
        for route in table.routes:
            if route.prefix_list_id == listed.id:
                check_list(world, table, listed, route.target)


def check_list(world: World, table: RouteTable, listed: PrefixList, target: str) -> None:
    """Raise the error of a list's range that may not have such a target in a table.

    A range of the VPC may: its local route comes before it.
    """
    vpc = world[Vpc, table.vpc_id]
    local: tuple[Net, ...] = (*vpc.cidrs, *vpc.cidrs6)
    for network in networks(listed):
        if network not in local:
            check_destination(world, table, network, target)


def find_list(world: World, id: str) -> PrefixList:
    """Return a list that the caller may name: his own, or one of AWS's; raises its Malformed or NotFound error."""
    assert world.caller, "only a caller names a list"
    return next((one for one in managed(world.caller.region) if one.id == id), None) or find(world, PrefixList, id)


def networks(listed: PrefixList) -> Iterator[Net]:
    """Yield a list's ranges that routes may lead to."""
    yield from listed.networks


def _is_full(world: World, group: SecurityGroup, listed: PrefixList, *, egress: bool) -> bool:
    rules = [r for r in group.rules if r.egress is egress]
    version = 6 if listed.family == "IPv6" else 4
    return rule_weight(world, group.region, rules, version=version, instead=listed) > allowed(world, quota.RULES)


def _counts(world: World, region: str, rule: Rule, version: int) -> bool:
    if rule.prefix_list_id is not None:
        listed = prefix_list(world, region, rule.prefix_list_id)
        return listed is not None and listed.family == f"IPv{version}"
    return rule.cidr is None or rule.cidr.version == version


def _weight(world: World, region: str, id: str | None, instead: PrefixList | None) -> int:
    if id is None:
        return 1
    listed = instead if instead and instead.id == id else prefix_list(world, region, id)
    return listed.max_entries if listed else 0
