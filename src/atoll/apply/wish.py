"""What a file wishes for: checked names, ranges and references, with AWS's defaults filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from atoll.apply.document import Document, Path, Trouble, Wrong, nearest

OWNER = "atoll:apply"  # the tag of what a file has made


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A file, checked: maps from names to what they are to be."""

    name: str
    region: str | None
    vpcs: Mapping[str, Mapping[str, Any]]
    subnets: Mapping[str, Mapping[str, Any]]  # with `vpc`
    nat_gateways: Mapping[str, Mapping[str, Any]]  # with `vpc`
    groups: Mapping[str, Mapping[str, Any]]
    instances: Mapping[str, Mapping[str, Any]]
    caches: Mapping[str, Mapping[str, Any]]
    peering: Mapping[str, Mapping[str, Any]]
    endpoints: Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class _Checks:
    document: Document
    troubles: list[Trouble] = field(default_factory=list)

    def wrong(self, path: Path, message: str) -> None:
        self.troubles.append(self.document.trouble(path, message))

    def known(self, path: Path, name: str, names: Mapping[str, Any], what: str) -> bool:
        if name in names:
            return True
        there = f"; there is {', '.join(names)}" if names else f"; the file has no {what}"
        self.wrong(path, f"there is no {what} {name!r}{nearest(name, names) or there}")
        return False

    def network(self, path: Path, text: str) -> IPv4Network | None:
        try:
            return IPv4Network(text)
        except ValueError as error:
            self.wrong(path, f"{text} is not a range: {error}")
            return None


def wish(document: Document, *, name: str) -> Wish:
    """Check what a document refers to; `name` is the file's own.  Raises Wrong, with all that is wrong."""
    value, checks = document.value, _Checks(document)
    vpcs = value.get("vpcs", {})
    subnets, gateways = dict[str, Any](), dict[str, Any]()
    for vpc, said in vpcs.items():
        _vpc(checks, vpc, said, subnets, gateways)
    groups = _in_vpcs(checks, "security_groups", value.get("security_groups", {}), vpcs)
    made = Wish(
        name=value.get("name", name), region=value.get("region"), vpcs=vpcs, subnets=subnets, nat_gateways=gateways,
        groups=groups, instances=value.get("instances", {}), caches=value.get("caches", {}),
        peering=value.get("peering", {}), endpoints=_in_vpcs(checks, "endpoints", value.get("endpoints", {}), vpcs),
    )  # fmt: skip
    _check_subnets(checks, made)
    _check_groups(checks, made)
    for kind, things in (("instances", made.instances), ("caches", made.caches), ("endpoints", made.endpoints)):
        for one, said in things.items():
            _check_place(checks, made, (kind, one), said)
    for one, said in made.caches.items():
        _check_cache(checks, ("caches", one), said)
    for one, said in made.peering.items():
        _check_peering(checks, made, ("peering", one), said)
    if checks.troubles:
        raise Wrong(checks.troubles)
    return made


def _vpc(
    checks: _Checks, vpc: str, said: Mapping[str, Any], subnets: dict[str, Any], gateways: dict[str, Any]
) -> None:
    path = ("vpcs", vpc)
    network = checks.network((*path, "cidr"), said["cidr"])
    if network is not None and not 16 <= network.prefixlen <= 28:
        checks.wrong((*path, "cidr"), f"the range of a VPC is /16 to /28, not /{network.prefixlen}")
    taken: dict[str, IPv4Network] = {}
    for name, subnet in said.get("subnets", {}).items():
        at = (*path, "subnets", name)
        if name in subnets:
            checks.wrong(at, f"there is another subnet {name!r}, in {subnets[name]['vpc']}: give it another name")
        inner = checks.network((*at, "cidr"), subnet["cidr"])
        if inner is not None and network is not None and not inner.subnet_of(network):
            checks.wrong((*at, "cidr"), f"{inner} is not inside {network}")
        for other, range in taken.items():
            if inner is not None and inner.overlaps(range):
                checks.wrong((*at, "cidr"), f"{inner} overlaps that of {other}")
        if inner is not None:
            taken[name] = inner
        if subnet.get("public") and subnet.get("nat"):
            checks.wrong((*at, "nat"), "a public subnet needs no NAT")
        subnets[name] = {**subnet, "vpc": vpc, "path": at}
    for name, gateway in said.get("nat_gateways", {}).items():
        gateways[name] = {**gateway, "vpc": vpc, "path": (*path, "nat_gateways", name)}


def _in_vpcs(checks: _Checks, kind: str, things: Mapping[str, Any], vpcs: Mapping[str, Any]) -> dict[str, Any]:
    """Return things with the VPC that each is in."""
    found = {}
    for name, said in things.items():
        vpc = said.get("vpc") or (next(iter(vpcs)) if len(vpcs) == 1 else None)
        if vpc is None:
            checks.wrong((kind, name), f"{name} needs vpc: the file has {len(vpcs)} VPCs")
        elif checks.known((kind, name, "vpc"), vpc, vpcs, "VPC"):
            found[name] = {**said, "vpc": vpc}
    return found


def _check_subnets(checks: _Checks, made: Wish) -> None:
    for gateway in made.nat_gateways.values():
        path = (*gateway["path"], "subnet")
        if checks.known(path, gateway["subnet"], made.subnets, "subnet"):
            subnet = made.subnets[gateway["subnet"]]
            if not subnet.get("public"):
                checks.wrong(path, f"{gateway['subnet']} is not public: a NAT gateway needs the internet gateway")
    ways = {**made.nat_gateways, **made.instances}
    for subnet in made.subnets.values():
        path = (*subnet["path"], "nat")
        if (nat := subnet.get("nat")) and checks.known(path, nat, ways, "instance or NAT gateway"):
            instance = made.instances.get(nat)
            if nat not in made.nat_gateways and instance is not None and not instance.get("forwards"):
                checks.wrong(path, f"{nat} forwards nothing: it needs `forwards: true`")


def _check_groups(checks: _Checks, made: Wish) -> None:
    for name, group in made.groups.items():
        for way, member in (("ingress", "from"), ("egress", "to")):
            for n, rule in enumerate(group.get(way, [])):
                path = ("security_groups", name, way, n)
                other = "to" if member == "from" else "from"
                if other in rule or member not in rule:
                    checks.wrong(path, f"a rule of {way} says `{member}`")
                    continue
                source = rule[member]
                if "/" in source or source[0].isdigit():
                    _range(checks, (*path, member), source)
                else:
                    checks.known((*path, member), source, made.groups, "security group")
                _ports(checks, path, rule)


def _range(checks: _Checks, path: Path, text: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        checks.wrong(path, f"{text} is not a range: {error}")


def _ports(checks: _Checks, path: Path, rule: Mapping[str, Any]) -> None:
    protocol = rule.get("protocol", "tcp" if "port" in rule else "all")
    if protocol in ("tcp", "udp") and "port" not in rule:
        return
    if "port" in rule:
        if protocol not in ("tcp", "udp"):
            checks.wrong((*path, "port"), f"{protocol} has no ports")
        low, _, high = str(rule["port"]).partition("-")
        if not int(low) <= int(high or low) <= 65535:
            checks.wrong((*path, "port"), f"{rule['port']} is not a range of ports")


def _check_place(checks: _Checks, made: Wish, path: Path, said: Mapping[str, Any]) -> None:
    """Check that subnets and groups are there, and in one VPC."""
    places = said.get("subnets", [said["subnet"]] if "subnet" in said else [])
    member = "subnets" if "subnets" in said else "subnet"
    vpcs = {said["vpc"]} if "vpc" in said else set()
    for n, subnet in enumerate(places):
        at = (*path, member, n) if member == "subnets" else (*path, member)
        if checks.known(at, subnet, made.subnets, "subnet"):
            vpcs.add(made.subnets[subnet]["vpc"])
    for n, group in enumerate(said.get("groups", [])):
        at = (*path, "groups", n)
        if checks.known(at, group, made.groups, "security group"):
            vpcs.add(made.groups[group]["vpc"])
    if len(vpcs) > 1:
        checks.wrong(path, f"{path[-1]} is in several VPCs: {', '.join(sorted(vpcs))}")
    if (address := said.get("address")) and said.get("subnet") in made.subnets:
        try:
            inside = IPv4Address(address) in IPv4Network(made.subnets[said["subnet"]]["cidr"])
        except ValueError:
            inside = False
        if not inside:
            checks.wrong((*path, "address"), f"{address} is not in {said['subnet']}")


def _check_cache(checks: _Checks, path: Path, said: Mapping[str, Any]) -> None:
    memcached, serverless = said["engine"] == "memcached", said.get("serverless", False)
    never = ("nodes", "shards", "replicas", "node_type", "port", "tls", "automatic_failover", "parameters")
    for member in never if serverless else ("shards", "replicas", "automatic_failover", "snapshot_days"):
        if member in said and (serverless or memcached):
            what = "a serverless cache" if serverless else "Memcached"
            checks.wrong((*path, member), f"{what} has no {member}")
    if "nodes" in said and not memcached and not serverless:
        checks.wrong((*path, "nodes"), f"{said['engine']} has shards and replicas, not nodes")


def _check_peering(checks: _Checks, made: Wish, path: Path, said: Mapping[str, Any]) -> None:
    ends = [e for e in ("from", "to") if checks.known((*path, e), said[e], made.vpcs, "VPC")]
    if len(ends) == 2:
        one, other = (IPv4Network(made.vpcs[said[e]]["cidr"], strict=False) for e in ends)
        if one.overlaps(other):
            checks.wrong(path, f"{said['from']} and {said['to']} overlap: {one}, {other}")


def rules(group: Mapping[str, Any]) -> Iterator[tuple[bool, str, int, int, str, str]]:
    """Yield the rules of a group: whether of egress, protocol, ports, source or target, description."""
    for way in ("ingress", "egress"):
        egress = way == "egress"
        for rule in group.get(way, [{"to": "0.0.0.0/0"}] if egress else []):
            protocol = rule.get("protocol", "tcp" if "port" in rule else "all")
            low, _, high = str(rule.get("port", "0-65535" if protocol in ("tcp", "udp") else "-1")).partition("-")
            ports = (-1, -1) if protocol in ("icmp", "all") else (int(low), int(high or low))
            source = rule["to" if egress else "from"]
            yield egress, "-1" if protocol == "all" else protocol, *ports, source, rule.get("description", "")
