"""Managed prefix lists: create, change, restore, delete.  What names them is in `prefix_list_use.py`.

A change is in force when its call answers; the answer itself speaks of a change in progress and of the version
before it, as AWS's does.
Source: VPC User Guide, "Consolidate and manage network CIDR blocks with managed prefix lists".
"""

from collections.abc import Sequence
from ipaddress import IPv6Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.cidr import read_cidr
from atoll.ec2.kinds import find
from atoll.ec2.prefix_list_use import check_ranges, crowded, users
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.ip import Net
from atoll.model.names import arn
from atoll.model.prefix_list import (
    MODIFIED,
    RESTORED,
    PrefixList,
    PrefixListEntry,
    PrefixListVersion,
    managed,
)
from atoll.model.world import Tx, World

NAME_CHARS_MAX = DESCRIPTION_CHARS_MAX = 255
CHANGES_MAX = 100  # EC2 API Reference: ranges added, or removed, by one call
VERSIONS_MAX = 1000  # VPC User Guide, "Amazon VPC quotas": one more, and the oldest goes

FAMILIES = ("IPv4", "IPv6")
BAD_FAMILY = Err("InvalidParameterValue", "Invalid AddressFamily: {family}. It must be IPv4 or IPv6.")
BAD_NAME = Err("InvalidParameterValue", "Invalid PrefixListName: it takes 1 to 255 characters.")
RESERVED_NAME = Err("InvalidParameterValue", "The prefix list name cannot start with com.amazonaws.")
BAD_SIZE = Err("InvalidParameterValue", "Invalid MaxEntries: {size}. It must be between 1 and {limit}.")
BAD_ENTRY = Err("InvalidParameterValue", "The CIDR {cidr} is not a valid {family} CIDR block.")
BAD_DESCRIPTION = Err("InvalidParameterValue", "The description of {cidr} is longer than 255 characters.")
MANY = Err("InvalidParameterValue", "Request cannot contain more than 100 entry additions or removals.")
REPEATED = Err("InvalidParameterValue", "Request cannot contain Cidr {cidr} more than once.")
BOTH_WAYS = Err(
    "InvalidParameterValue",
    "Request cannot contain Cidr {cidr} in both AddPrefixListEntries and RemovePrefixListEntries",
)
SIZE_AND_ENTRIES = Err(
    "InvalidParameterCombination",
    "You cannot modify the entries and the maximum entries for the prefix list in the same request.",
)
FULL = Err("PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list.")
THERE = Err("InvalidRequest", "The request received was invalid. The prefix list has {cidr} already.")
NOT_THERE = Err("InvalidPrefixListModification", "The CIDR {cidr} does not exist.")
WRONG_VERSION = Err("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
NO_VERSION = Err("PrefixListVersionNotFound", "The prefix list {id} has no version {version}.")
NOT_YOURS = Err("OperationNotPermitted", "The prefix list {id} is managed by AWS: it cannot be changed.")


@operation("ec2", "CreateManagedPrefixList")
def create_managed_prefix_list(
    tx: Tx,
    *,
    prefix_list_name: str,
    max_entries: int,
    address_family: str,
    entries: Sequence[Shape] = (),
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a prefix list, perhaps with ranges."""
    _check_name(prefix_list_name)
    if address_family not in FAMILIES:
        raise BAD_FAMILY(family=address_family)
    _check_size(max_entries)
    tags = tags_for("prefix-list", tag_specifications)
    quotas.check(tx.world.count(PrefixList), quotas.PREFIX_LISTS_MAX, quotas.PREFIX_LIST_LIMIT)
    wanted = _entries(entries, address_family)
    if len(wanted) > max_entries:
        raise FULL()
    made = tx.make(
        PrefixList, tx.new_id("pl"), name=prefix_list_name, family=address_family, max_entries=max_entries,
        entries=tuple(wanted), tags=tags,
    )  # fmt: skip
    _keep(tx, made)
    return {"PrefixList": render(made) | {"State": "create-in-progress"}}


@operation("ec2", "ModifyManagedPrefixList", network=True)
def modify_managed_prefix_list(
    tx: Tx,
    *,
    prefix_list_id: str,
    current_version: int | None = None,
    prefix_list_name: str | None = None,
    add_entries: Sequence[Shape] = (),
    remove_entries: Sequence[Shape] = (),
    max_entries: int | None = None,
) -> Shape:
    """Change what a list is called, how many ranges it may have, or its ranges: those make a new version."""
    old = _mine(tx.world, prefix_list_id)
    is_entries = bool(add_entries or remove_entries)
    if not is_entries and max_entries is None and prefix_list_name is None:
        raise errors.MISSING(name="prefixListName, maxEntries, addEntry or removeEntry")
    if is_entries and max_entries is not None:
        raise SIZE_AND_ENTRIES()
    if current_version is not None and current_version != old.version:
        raise WRONG_VERSION()
    new = old.but(state=MODIFIED, message=None)
    if prefix_list_name is not None:
        _check_name(prefix_list_name)
        new = new.but(name=prefix_list_name)
    if max_entries is not None:
        new = _resized(tx.world, old, new, max_entries)
    if is_entries:
        new = new.but(entries=_changed(old, add_entries, remove_entries), version=old.version + 1)
        check_ranges(tx.world, new)
        _keep(tx, new)
    tx.put(new)
    return {"PrefixList": render(new) | {"State": "modify-in-progress", "Version": old.version}}


@operation("ec2", "RestoreManagedPrefixListVersion", network=True)
def restore_managed_prefix_list_version(
    tx: Tx, *, prefix_list_id: str, previous_version: int, current_version: int
) -> Shape:
    """Give a list the ranges of an earlier version, as a new version."""
    old = _mine(tx.world, prefix_list_id)
    if current_version != old.version:
        raise WRONG_VERSION()
    entries = entries_of(tx.world, old, previous_version)
    if len(entries) > old.max_entries:
        raise FULL()
    new = old.but(entries=entries, version=old.version + 1, state=RESTORED, message=None)
    check_ranges(tx.world, new)
    _keep(tx, new)
    tx.put(new)
    return {"PrefixList": render(new) | {"State": "restore-in-progress", "Version": old.version}}


@operation("ec2", "DeleteManagedPrefixList")
def delete_managed_prefix_list(tx: Tx, *, prefix_list_id: str) -> Shape:
    """Delete a list that nothing names; one that is named stays, and its state tells."""
    old = _mine(tx.world, prefix_list_id)
    answer = {"PrefixList": render(old) | {"State": "delete-in-progress"}}
    if found := users(tx.world, old.id):
        message = f"The prefix list is referenced by {', '.join(found[:10])}."
        tx.put(old.but(state="delete-failed", message=message))
        return answer
    for version in tx.all(PrefixListVersion, prefix_list_id=old.id):
        tx.delete(version)
    tx.delete(old)
    return answer


def entries_of(world: World, listed: PrefixList, version: int | None) -> tuple[PrefixListEntry, ...]:
    """Return the ranges of a version, by default of the last one; raises NO_VERSION."""
    if version in (None, listed.version):
        return listed.entries
    kept = world.get(PrefixListVersion, f"{listed.id}/{version}")
    if kept is None:
        raise NO_VERSION(id=listed.id, version=version)
    return kept.entries


def render(p: PrefixList) -> Shape:
    """Return a list as AWS shows it; of AWS's own it shows neither size nor version."""
    shape: Shape = {
        "PrefixListId": p.id,
        "AddressFamily": p.family,
        "State": p.state,
        "StateMessage": p.message,
        "PrefixListArn": arn("ec2", p.region, p.account.lower(), f"prefix-list/{p.id}"),
        "PrefixListName": p.name,
        "OwnerId": p.account,
        "Tags": render_tags(p),
    }
    return shape if p.is_aws_managed else shape | {"MaxEntries": p.max_entries, "Version": p.version}


def _mine(world: World, id: str) -> PrefixList:
    """Return a list that the caller may change; raises NOT_YOURS for one of AWS's, or its NotFound error."""
    assert world.caller, "only a caller changes a list"
    if any(one.id == id for one in managed(world.caller.region)):
        raise NOT_YOURS(id=id)
    return find(world, PrefixList, id)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise BAD_NAME()
    if name.startswith("com.amazonaws"):
        raise RESERVED_NAME()


def _check_size(size: int) -> None:
    if not 1 <= size <= quotas.PREFIX_LIST_ENTRIES_MAX:
        raise BAD_SIZE(size=size, limit=quotas.PREFIX_LIST_ENTRIES_MAX)


def _resized(world: World, old: PrefixList, new: PrefixList, size: int) -> PrefixList:
    """Return a list with another size; it keeps the old one if what names it would break a quota, and says so."""
    _check_size(size)
    if size < len(old.entries):
        raise FULL()
    new = new.but(max_entries=size)
    if found := crowded(world, new):
        message = f"The following resources do not support the new maximum size: {', '.join(found[:10])}."
        return old.but(name=new.name, state="modify-failed", message=message)
    return new


def _entries(shapes: Sequence[Shape], family: str) -> list[PrefixListEntry]:
    """Read ranges; raises the error of the first that is wrong."""
    if len(shapes) > CHANGES_MAX:
        raise MANY()
    found: dict[Net, PrefixListEntry] = {}
    for shape in shapes:
        cidr, description = _range(shape.get("Cidr") or "", family), shape.get("Description")
        if cidr in found:
            raise REPEATED(cidr=cidr)
        if description and len(description) > DESCRIPTION_CHARS_MAX:
            raise BAD_DESCRIPTION(cidr=cidr)
        found[cidr] = PrefixListEntry(cidr=cidr, description=description or None)
    return list(found.values())


def _range(text: str, family: str) -> Net:
    """Read a range, its host bits cleared."""
    if family == "IPv6":
        try:
            return IPv6Network(text, strict=False)
        except ValueError:
            raise BAD_ENTRY(cidr=text, family=family) from None
    cidr = read_cidr(text)
    if cidr is None:
        raise BAD_ENTRY(cidr=text, family=family)
    return cidr


def _changed(old: PrefixList, add: Sequence[Shape], remove: Sequence[Shape]) -> tuple[PrefixListEntry, ...]:
    come, gone = _entries(add, old.family), {e.cidr for e in _entries(remove, old.family)}
    has = {e.cidr for e in old.entries}
    for cidr in gone:
        if cidr not in has:
            raise NOT_THERE(cidr=cidr)
    for entry in come:
        if entry.cidr in gone:
            raise BOTH_WAYS(cidr=entry.cidr)
        if entry.cidr in has:
            raise THERE(cidr=entry.cidr)
    entries = (*(e for e in old.entries if e.cidr not in gone), *come)
    if len(entries) > old.max_entries:
        raise FULL()
    return entries


def _keep(tx: Tx, listed: PrefixList) -> None:
    """Keep a version, and forget the oldest if there are too many."""
    number = listed.version
    tx.make(
        PrefixListVersion, f"{listed.id}/{number}", prefix_list_id=listed.id, number=number, entries=listed.entries
    )
    oldest = tx.get(PrefixListVersion, f"{listed.id}/{number - VERSIONS_MAX}")
    if oldest is not None:
        tx.delete(oldest)
