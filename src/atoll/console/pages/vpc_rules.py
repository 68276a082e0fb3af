"""The rule editor of a security group: rows to add and remove, and what that would do, before it is saved."""

import asyncio
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.inside import Given
from atoll.console.ask import Answered, Ask
from atoll.console.pages.vpc_groups import ports, rules_of, source
from atoll.console.parts import one
from atoll.console.preview import CHANGES_SHOWN, change_world, preview
from atoll.console.site import act, page
from atoll.network.reach.matrix import TooMuch, spelt

# What people choose -> protocol and ports; "custom" asks for both.
KINDS = {
    "custom-tcp": ("tcp", ""), "custom-udp": ("udp", ""), "all": ("-1", ""), "ping": ("icmp", "8--1"),
    "ssh": ("tcp", "22"), "http": ("tcp", "80"), "https": ("tcp", "443"), "redis": ("tcp", "6379"),
    "memcached": ("tcp", "11211"), "all-tcp": ("tcp", "0-65535"), "all-udp": ("udp", "0-65535"),
    "all-icmp": ("icmp", "-1--1"),
}  # fmt: skip
NAMES = {
    "ssh": "SSH (22)", "http": "HTTP (80)", "https": "HTTPS (443)", "redis": "Valkey, Redis (6379)",
    "memcached": "Memcached (11211)",
}  # fmt: skip
ROW = ("kind", "ports", "peer", "description")
_checking = asyncio.Lock()  # one at a time: each uses a processor for a while


@page("/vpc/groups/{id}/rules/{way}")
async def rules(ask: Ask) -> Answered:
    """Show the rules that there are, and rows for new ones."""
    id, egress = ask.parts["id"], ask.parts["way"] == "out"
    it = one((await ask.aws("ec2", "DescribeSecurityGroups", GroupIds=[id]))["SecurityGroups"])
    others = await ask.aws_all("ec2", "DescribeSecurityGroups", "SecurityGroups")
    rows = [row for row in ask.form.rows(*ROW) if any(row[name] for name in ROW[1:])]
    return ask.view(
        "vpc/rules.html",
        id=id,
        way="out" if egress else "in",
        egress=egress,
        group=it,
        others=[(g["GroupId"], f"{g['GroupId']} ({g['GroupName']})") for g in others if g["VpcId"] == it["VpcId"]],
        found=await rules_of(ask, id, egress=egress),
        kinds=[(kind, NAMES.get(kind) or ask.t(f"vpc.kind_{kind.replace('-', '_')}")) for kind in KINDS],
        rows=[*rows, {"kind": "custom-tcp", "ports": "", "peer": "", "description": ""}],
        removed=ask.form.all("remove"),
        ports=ports,
        source=source,
    )


@act("/vpc/groups/{id}/rules/{way}", back="/vpc/groups/{id}/rules/{way}")
async def save(ask: Ask) -> Answered:
    """Add what is new, then remove what was ticked: if a new rule is refused, nothing has changed."""
    id = ask.parts["id"]
    for action, given in _calls(ask):
        await ask.aws("ec2", action, **given)
    return ask.go(f"/vpc/groups/{id}", "vpc.done_changed", id=id)


@act("/vpc/groups/{id}/rules/{way}/check", back="/vpc/groups/{id}/rules/{way}")
async def check(ask: Ask) -> Answered:
    """Say what saving would do; changes nothing."""
    calls, id = _calls(ask), ask.parts["id"]
    values: dict[str, Any] = {"refused": None, "preview": None, "calls": calls, "too_much": False}
    if calls:
        try:
            before, after = ask.service.world, change_world(ask, calls)
            async with _checking:
                values["preview"] = await asyncio.to_thread(preview, before, after, id)
        except AwsError as error:
            values["refused"] = error
        except TooMuch:
            values["too_much"] = True
    return ask.view("vpc/check.html", **values, shown=CHANGES_SHOWN, spelt=spelt, spell=_spell)


def _calls(ask: Ask) -> list[tuple[str, Given]]:
    """Return the calls that a filled-in editor asks for."""
    id, way = ask.parts["id"], "Egress" if ask.parts["way"] == "out" else "Ingress"
    found: list[tuple[str, Given]] = []
    if permissions := [_permission(row) for row in ask.form.rows(*ROW) if row["peer"]]:
        found.append((f"AuthorizeSecurityGroup{way}", {"GroupId": id, "IpPermissions": permissions}))
    if gone := ask.form.all("remove"):
        found.append((f"RevokeSecurityGroup{way}", {"GroupId": id, "SecurityGroupRuleIds": gone}))
    return found


def _permission(row: dict[str, str]) -> dict[str, Any]:
    protocol, usual = KINDS.get(row["kind"], ("tcp", ""))
    said: dict[str, Any] = {"IpProtocol": protocol}
    if text := row["ports"] if row["kind"].startswith("custom") else usual:
        low, _, high = text.replace(" ", "").partition("-")
        said |= {"FromPort": low, "ToPort": high or low} if low else {"FromPort": -1, "ToPort": -1}
    about = {"Description": row["description"]} if row["description"] else {}
    return said | _peer(row["peer"], about)


def _peer(text: str, about: dict[str, str]) -> dict[str, Any]:
    if text.startswith("sg-"):
        return {"UserIdGroupPairs": [{"GroupId": text.partition(" ")[0], **about}]}
    if text.startswith("pl-"):
        return {"PrefixListIds": [{"PrefixListId": text, **about}]}
    if ":" in text:
        return {"Ipv6Ranges": [{"CidrIpv6": text if "/" in text else f"{text}/128", **about}]}
    return {"IpRanges": [{"CidrIp": text if "/" in text else f"{text}/32", **about}]}


def _spell(rule: Any) -> str:
    """Write a rule of the World in a few words."""
    peer = rule.cidr or rule.group_id or rule.prefix_list_id
    if rule.from_port < 0:
        return f"{'all' if rule.protocol == '-1' else rule.protocol} {peer}"
    low, high = rule.from_port, rule.to_port
    return f"{rule.protocol} {low if low == high else f'{low}-{high}'} {peer}"
