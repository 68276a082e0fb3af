"""Managed prefix lists, as callers see them: their own, and those of AWS's services."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import find
from atoll.ec2.prefix_list import entries_of, render
from atoll.ec2.prefix_list_use import find_list, users
from atoll.model.prefix_list import PrefixList, managed
from atoll.model.world import World

PAGE_MAX, USERS_MAX = 100, 255  # EC2 API Reference: of lists and of ranges, and of what names a list
FILTERS: Table = {"owner-id": "account", "prefix-list-id": "id", "prefix-list-name": "name"}
SERVICE_FILTERS: Table = {"prefix-list-id": "id", "prefix-list-name": "name"}


@operation("ec2", "DescribeManagedPrefixLists")
def describe_managed_prefix_lists(
    world: World,
    *,
    prefix_list_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List prefix lists, AWS's own among them."""
    if prefix_list_ids and max_results is not None:
        raise errors.BOTH(one="prefixListIds", other="maxResults")
    lists = _chosen(world, prefix_list_ids, [*_managed(world), *world.all(PrefixList)])
    found = select(world, lists, filters, FILTERS)
    page, token = page_ec2(found, lambda p: p.id, max_results, next_token, low=1, high=PAGE_MAX)
    return {"PrefixLists": [render(p) for p in page], "NextToken": token}


@operation("ec2", "DescribePrefixLists")
def describe_prefix_lists(
    world: World,
    *,
    prefix_list_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the services that have a gateway endpoint, with their ranges."""
    lists = _chosen(world, prefix_list_ids, _managed(world))
    found = select(world, lists, filters, SERVICE_FILTERS)
    page, token = page_ec2(found, lambda p: p.id, max_results, next_token)
    shown = [{"PrefixListId": p.id, "PrefixListName": p.name, "Cidrs": [str(n) for n in p.networks]} for p in page]
    return {"PrefixLists": shown, "NextToken": token}


@operation("ec2", "GetManagedPrefixListEntries")
def get_managed_prefix_list_entries(
    world: World,
    *,
    prefix_list_id: str,
    target_version: int | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the ranges of a list, as they are or as they were in a version."""
    entries = entries_of(world, find_list(world, prefix_list_id), target_version)
    page, token = page_ec2(entries, lambda e: str(e.cidr), max_results, next_token, low=1, high=PAGE_MAX)
    return {"Entries": [{"Cidr": str(e.cidr), "Description": e.description} for e in page], "NextToken": token}


@operation("ec2", "GetManagedPrefixListAssociations")
def get_managed_prefix_list_associations(
    world: World, *, prefix_list_id: str, max_results: int | None = None, next_token: str | None = None
) -> Shape:
    """List the caller's route tables and groups that name a list."""
    listed = find_list(world, prefix_list_id)
    page, token = page_ec2(users(world, listed.id), str, max_results, next_token, high=USERS_MAX)
    assert world.caller, "only a caller asks"
    owner = world.caller.account
    return {"PrefixListAssociations": [{"ResourceId": i, "ResourceOwner": owner} for i in page], "NextToken": token}


def _managed(world: World) -> tuple[PrefixList, ...]:
    assert world.caller, "only a caller asks"
    return managed(world.caller.region)


def _chosen(world: World, ids: Sequence[str], lists: Sequence[PrefixList]) -> Sequence[PrefixList]:
    """Return the lists with these ids, or all; raises the error of an id that is none of them."""
    if not ids:
        return lists
    known = {one.id: one for one in lists}
    return [known.get(id) or find(world, PrefixList, id) for id in dict.fromkeys(ids)]
