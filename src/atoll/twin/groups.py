"""Security groups with their rules, and the prefix lists that rules and routes name."""

from collections.abc import Iterator

from atoll.model.digits import is_number
from atoll.model.group import Rule, SecurityGroup
from atoll.model.peering import Peering
from atoll.model.prefix_list import AWS, WEIGHT, PrefixList, PrefixListEntry, PrefixListVersion, managed
from atoll.model.vpc import Vpc
from atoll.twin.draft import Draft
from atoll.twin.row import Row

_SOURCES = {
    "IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId", "UserIdGroupPairs": "GroupId",
}  # fmt: skip
_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}


def prefix_lists(draft: Draft) -> None:
    """Rebuild prefix lists with their entries; AWS's own that are here already stay as they are."""
    entries = draft.recording.parts.get("get-managed-prefix-list-entries", {})
    ours = {one.id for one in managed(draft.region)}
    for row in draft.recording.rows("describe-managed-prefix-lists"):
        id = row.id("PrefixListId", "pl")
        if id in ours or row.text("State", "").startswith("delete-"):
            continue
        is_aws = row.text("OwnerId", "") == AWS
        if id not in entries:
            if not is_aws:
                why = f"its entries are missing: aws ec2 get-managed-prefix-list-entries --prefix-list-id {id}"
                raise row.wrong("PrefixListId", f"{why} --output json > get-managed-prefix-list-entries-{id}.json")
            draft.note("left out", id, f"{row.text('PrefixListName', '')[:80]} of AWS: its entries were not recorded")
            continue
        held = tuple(
            PrefixListEntry(cidr=one.net("Cidr"), description=one.maybe("Description")) for one in entries[id]
        )
        version = row.number("Version", 1)
        listed = draft.make(
            row, PrefixList, id, account=AWS if is_aws else draft.account, name=row.text("PrefixListName"),
            family=row.text("AddressFamily", "IPv4"), entries=held, version=version, tags=row.tags(),
            max_entries=row.number("MaxEntries", WEIGHT if is_aws else len(held)),
        )  # fmt: skip
        if not is_aws:
            draft.make(
                row, PrefixListVersion, f"{id}/{version}", prefix_list_id=id, number=version, entries=listed.entries
            )


def list_of(draft: Draft, id: str) -> PrefixList | None:
    """Return a prefix list that was described, or that is here anyway; None: there is none."""
    return draft.get(PrefixList, id) or next((one for one in managed(draft.region) if one.id == id), None)


def groups(draft: Draft) -> None:
    """Rebuild security groups; their rules come after all of them are there, for rules name groups."""
    for row in draft.recording.rows("describe-security-groups"):
        if not row.has("VpcId"):
            draft.note("left out", row.text("GroupId"), "a group of EC2-Classic, which is gone")
            continue
        draft.make(
            row, SecurityGroup, row.id("GroupId", "sg"),
            vpc_id=draft.need(row, "VpcId", Vpc, row.id("VpcId", "vpc")).id, name=row.text("GroupName"),
            description=row.text("Description", ""), tags=row.tags(),
        )  # fmt: skip


def rules(draft: Draft) -> None:
    """Give the groups their rules: as single rules if those were recorded, else out of the groups' permissions."""
    single: dict[str, list[Row]] = {}
    for row in draft.recording.rows("describe-security-group-rules"):
        single.setdefault(row.id("GroupId", "sg"), []).append(row)
    for row in draft.recording.rows("describe-security-groups"):
        group = draft.get(SecurityGroup, row.maybe("GroupId"))
        if group is None:
            continue
        found: list[Rule | None] = [_single(draft, group, one) for one in single.get(group.id, ())]
        if not found:
            found = [
                rule
                for member, egress in (("IpPermissions", False), ("IpPermissionsEgress", True))
                for permission in row.rows(member)
                for rule in _permission(draft, group, permission, egress=egress)
            ]
        draft.put(group.but(rules=tuple(rule for rule in found if rule is not None)))


def _single(draft: Draft, group: SecurityGroup, row: Row) -> Rule | None:
    pair = row.row("ReferencedGroupInfo")
    protocol, first, last = _ports(row)
    rule = Rule(
        id=row.id("SecurityGroupRuleId", "sgr"), egress=row.flag("IsEgress"), protocol=protocol, from_port=first,
        to_port=last, description=row.maybe("Description"), tags=row.tags(),
        cidr=row.net("CidrIpv4") if row.has("CidrIpv4") else row.net("CidrIpv6") if row.has("CidrIpv6") else None,
        prefix_list_id=row.maybe_id("PrefixListId", "pl"), group_id=pair.maybe_id("GroupId", "sg"),
    )  # fmt: skip
    return _checked(draft, group, rule, pair, row)


def _permission(draft: Draft, group: SecurityGroup, row: Row, *, egress: bool) -> Iterator[Rule | None]:
    protocol, first, last = _ports(row)
    for member, source in _SOURCES.items():
        for one in row.rows(member):
            text = one.text(source)
            unique = f"{group.id} {egress} {protocol} {first} {last} {text}"
            rule = Rule(
                id=draft.new_id("sgr", unique), egress=egress, protocol=protocol, from_port=first, to_port=last,
                description=one.maybe("Description"), cidr=one.net(source) if source.startswith("Cidr") else None,
                prefix_list_id=one.id(source, "pl") if source == "PrefixListId" else None,
                group_id=one.id(source, "sg") if source == "GroupId" else None,
            )  # fmt: skip
            yield _checked(draft, group, rule, one, one)


def _ports(row: Row) -> tuple[str, int, int]:
    """Return a rule's protocol, and its ports as the model has them.  Raises BadRecording."""
    text = row.text("IpProtocol").lower()
    protocol = _NAMES.get(text, text)
    if protocol not in ("tcp", "udp", "icmp", "icmpv6", "-1") and not (is_number(protocol, 255)):
        raise row.wrong("IpProtocol", f"{text[:20]!r} is no protocol")
    if protocol in ("tcp", "udp"):
        first, last = row.number("FromPort", 0), row.number("ToPort", 65535)
        if first == -1:
            first, last = 0, 65535
        if not 0 <= first <= last <= 65535:
            raise row.wrong("FromPort", f"{first} to {last} are no ports")
        return protocol, first, last
    if protocol in ("icmp", "icmpv6"):
        return protocol, row.number("FromPort", -1), row.number("ToPort", -1)
    return protocol, -1, -1


def _checked(draft: Draft, group: SecurityGroup, rule: Rule, pair: Row, row: Row) -> Rule | None:
    """Return a rule whose source is known; one whose source is not is left out: it lets nobody in that is here."""
    if rule.prefix_list_id:
        if list_of(draft, rule.prefix_list_id) is not None:
            return rule
        why = f"it names {rule.prefix_list_id}, which was not recorded: {group.id} lacks it"
        draft.note("left out", rule.id, why)
        return None
    if not rule.group_id:
        if rule.cidr is None:
            raise row.wrong("IpProtocol", "the rule has no source")
        return rule
    named = draft.get(SecurityGroup, rule.group_id) or draft.world.seen_by(None).get(SecurityGroup, rule.group_id)
    if named is None:
        why = f"it names {rule.group_id}, which was not recorded: who carries that group is not let in by {group.id}"
        draft.note("left out", rule.id, why)
        return None
    beyond = named.vpc_id if named.vpc_id != group.vpc_id else None
    peering = pair.maybe_id("VpcPeeringConnectionId", "pcx") or _peering(draft, group.vpc_id, beyond)
    return Rule(
        id=rule.id, egress=rule.egress, protocol=rule.protocol, from_port=rule.from_port, to_port=rule.to_port,
        description=rule.description, tags=rule.tags, group_id=named.id, group_account=named.account,
        group_vpc_id=beyond, peering_id=peering if beyond else None,
    )  # fmt: skip


def _peering(draft: Draft, vpc_id: str, beyond: str | None) -> str | None:
    return next((p.id for p in draft.all(Peering) if beyond and p.has(vpc_id) and p.has(beyond)), None)
