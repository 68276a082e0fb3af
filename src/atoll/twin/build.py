"""From a recording to resources: in the order in which they refer to each other."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from atoll.model.account import Territory
from atoll.model.names import key
from atoll.model.world import World
from atoll.twin import caches, groups, interfaces, machines, networks, tables
from atoll.twin.arrive import without
from atoll.twin.commands import COMMANDS
from atoll.twin.draft import Draft, Twin
from atoll.twin.recording import Recording, read
from atoll.twin.row import BadRecording, shown

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
STEPS = (
    networks.dhcp_options, networks.vpcs, networks.subnets, networks.acls, networks.check_each_vpc, networks.gateways,
    groups.prefix_lists, groups.groups, tables.peerings, groups.rules, machines.instances, interfaces.interfaces,
    interfaces.addresses, interfaces.nat_gateways, tables.tables, interfaces.endpoints, interfaces.balancers,
    machines.routers, caches.subnet_groups, caches.caches,
)  # fmt: skip


def build(files: Mapping[str, bytes], world: World, now: datetime, *, account: str | None = None) -> Twin:
    """Return the resources that files describe; `account`: whose they are to be, instead of the recorded one's.

    Raises BadRecording, which says the file and the place in it.
    """
    recording = read(files)
    whose = account or _account(recording)
    if not _ACCOUNT.fullmatch(whose):
        raise BadRecording(f"{shown(whose)} is no account: its 12 digits are needed (--account)")
    region = _region(recording)
    draft = Draft(recording=recording, world=without(world, whose, region), account=whose, region=region, now=now)
    for step in STEPS:
        step(draft)
    for command in COMMANDS:
        if not command.each and command.service != "sts" and not recording.has(command.verb):
            why = f"the file is not there: nothing that `aws {command.service} {command.verb}` lists is here"
            draft.note("left out", f"{command.verb}.json", why)
    for name in recording.strange:
        draft.note("left out", name[:120], "no command of `atoll import --commands` fills a file of this name")
    id = key(draft.account, draft.region, "")
    draft.made[Territory, id] = Territory(id=id, account=draft.account, region=draft.region, opened=now)
    return Twin(draft.account, draft.region, tuple(draft.made.values()), tuple(draft.notes))


def counted(twin: Twin) -> dict[str, int]:
    """Count the resources by kind."""
    return dict(sorted(Counter(type(r).__name__ for r in twin.resources if not isinstance(r, Territory)).items()))


def _account(recording: Recording) -> str:
    """Return the account that was described: as it said itself, else as most VPCs say."""
    for row in recording.rows("get-caller-identity"):
        return row.text("Account")
    owners = Counter(row.text("OwnerId", "") for row in recording.rows("describe-vpcs"))
    return max(owners, key=lambda one: owners[one], default="")


def _region(recording: Recording) -> str:
    for row in recording.rows("describe-availability-zones"):
        if row.has("RegionName"):
            return _checked_region(row.text("RegionName"))
    for row in recording.rows("describe-subnets"):
        return _checked_region(row.text("AvailabilityZone"))
    raise BadRecording("describe-subnets.json: there is no subnet, so nothing says which region it is")


def _checked_region(text: str) -> str:
    found = _REGION.match(text)
    if found is None:
        raise BadRecording(f"{shown(text)} is no region, and no zone of one")
    return found[0]
