"""(c) A rule change, from the call to its effect on packets, with 10 rules in the group and with 10,000.

ModifySecurityGroupRules changes one rule so that it lets the client in, and back: no quota stands in its way.

A client in another subnet connects as soon as the call has returned: if the packet were dropped it would wait for
TCP's retransmission, a second, and the figure would tell.
"""

import subprocess
import time
from collections.abc import Callable

from bench import crowd
from bench.ground import Atoll, Room, end, one, running
from bench.probe import Probe, probing
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, Vpc, allow, build, group, instance

FEW, MANY = 10, 10_000


def measure(rounds: int) -> list[Row]:
    """Open and shut both groups `rounds` times, in turn."""
    with running() as atoll:
        api, vpc = atoll.api, build(atoll.api)
        client_id = instance(api, vpc.public, group(api, vpc, "client"))
        groups = {count: _group(atoll, vpc, count) for count in (FEW, MANY)}
        servers = {count: instance(api, vpc.private, group_id) for count, group_id in groups.items()}
        atoll.down(purge=False)
        crowd.fill(atoll.state, groups[MANY], MANY - FEW)
        atoll.up()
        client, rooms = atoll.room(client_id), {count: atoll.room(id) for count, id in servers.items()}
        engines = [_serve(atoll, room) for room in rooms.values()]
        try:
            with probing(client) as probe:
                series = _series(atoll, client, rooms, groups, probe, rounds)
        finally:
            end(engines)
    asked = []
    for count in (FEW, MANY):
        target = "<= 2 ms" if count == FEW else "small"
        effect = f"call to effect, {count:,} rules"
        asked.append(Asked(series=effect, unit="ms", baseline="DescribeVpcs", target=target))
        asked.append(Asked(series=effect, unit="ms", baseline="`nft -f -`"))
    asked.append(Asked(series="the same call back, 10 rules", unit="ms", baseline="DescribeVpcs"))
    asked.append(Asked(series=f"call to effect, {MANY:,} rules", unit="ms", baseline=f"call to effect, {FEW} rules"))
    return rows("rule change", series, asked)


def _series(
    atoll: Atoll, client: Room, rooms: dict[int, Room], groups: dict[int, str], probe: Probe, rounds: int
) -> dict[str, list[float]]:
    rules = {count: _first_rule(atoll, group_id) for count, group_id in groups.items()}
    backs: dict[int, list[float]] = {count: [] for count in groups}

    def change(count: int) -> float:
        begun = time.monotonic()
        _modify(atoll, groups[count], rules[count], f"{client.address}/32")
        probe.ask(rooms[count].address, PORT, "valkey")
        seconds = probe.answered() - begun
        backs[count].append(_timed(lambda: _modify(atoll, groups[count], rules[count], "192.0.2.0/24")))
        return seconds * 1e3

    measures: dict[str, Callable[[], float]] = {
        "DescribeVpcs": lambda: _timed(lambda: atoll.api.ec2("DescribeVpcs")),
        "`nft -f -`": lambda: _timed(lambda: _nft(client)),
    }
    for count in groups:
        measures[f"call to effect, {count:,} rules"] = lambda c=count: change(c)
    interleave(measures, 2)
    backs = {count: [] for count in groups}
    series = interleave(measures, rounds)
    return series | {f"the same call back, {count:,} rules": times for count, times in backs.items()}


def _first_rule(atoll: Atoll, group_id: str) -> str:
    found = atoll.api.ec2(
        "DescribeSecurityGroupRules", **{"Filter.1.Name": "group-id", "Filter.1.Value.1": group_id, "MaxResults": 5}
    )
    return next(
        one(rule, "securityGroupRuleId")
        for rule in found.findall("./securityGroupRuleSet/item")
        if one(rule, "isEgress") == "false"
    )


def _modify(atoll: Atoll, group_id: str, rule_id: str, cidr: str) -> None:
    first = "SecurityGroupRule.1."
    what = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "CidrIpv4": cidr}
    new = {f"{first}SecurityGroupRule.{key}": value for key, value in what.items()}
    atoll.api.ec2("ModifySecurityGroupRules", GroupId=group_id, **{f"{first}SecurityGroupRuleId": rule_id}, **new)


def _group(atoll: Atoll, vpc: Vpc, count: int) -> str:
    made = group(atoll.api, vpc, f"with-{count}")
    for i in range(FEW - 1):
        allow(atoll.api, made, f"192.168.{i}.0/24")
    return made


def _serve(atoll: Atoll, room: Room) -> "subprocess.Popen[str]":
    listening = ("--port", str(PORT), "--bind", "0.0.0.0", "--protected-mode", "no")
    return room.start(atoll.engine("valkey"), *listening, "--save", "", stdout=subprocess.DEVNULL, cwd="/tmp")


def _nft(room: Room) -> None:
    """Do with a process what Atoll does with messages: a table with a set of one element, come and gone."""
    lines = ("add table ip bench", "add set ip bench s { type ipv4_addr; }", "add element ip bench s { 10.0.0.9 }")
    room.run("nft", "-f", "-", text="\n".join((*lines, "delete table ip bench", "")))


def _timed(act: Callable[[], object]) -> float:
    begun = time.monotonic()
    act()
    return (time.monotonic() - begun) * 1e3
