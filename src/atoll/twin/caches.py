"""Caches: real engines in the place of the nodes, at their addresses, with their groups, roles and slots.

Their data, passwords and users are not described by AWS, and so are not here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from atoll.cache.families import ENGINES, Build, builds, default_groups, family, numbers, short_version
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.shards import parse_slots
from atoll.cache.slots import slots_of
from atoll.model.cache import CacheCluster, CacheNode, CacheSubnetGroup, NodeGroup, ReplicationGroup
from atoll.model.group import SecurityGroup
from atoll.model.interface import Attachment, Interface
from atoll.model.names import endpoint_hash, key, mac_address
from atoll.model.parameter import CacheParameterGroup
from atoll.model.subnet import Subnet
from atoll.twin.draft import Draft
from atoll.twin.row import BadRecording, Row

OWNER = "amazon-elasticache"
_NODE_TYPE = "cache.t3.micro"  # in the place of a type that is not known here
_PORTS = {"memcached": 11211}
_SLOTS = 16384
_RESERVED_FIRST, _RESERVED_LAST = 4, 1
# sessions-001.a1b2c3.0001.use1...  pages.a1b2c3.cfg...  master.sessions.a1b2c3...  sessions-001.sessions.a1b2c3...
_CODE = re.compile(
    r"(?:^|\.)([a-z0-9]{6})\.(?:(?:ng\.)?[0-9]{4}\.|cfg\.|clustercfg\.)?[a-z0-9]+\.cache\.amazonaws\.com$"
)


def subnet_groups(draft: Draft) -> None:
    """Rebuild cache subnet groups."""
    for row in draft.recording.rows("describe-cache-subnet-groups"):
        name = row.text("CacheSubnetGroupName").lower()
        ids = [one.id("SubnetIdentifier", "subnet") for one in row.rows("Subnets")]
        subnets = [draft.need(row, "Subnets", Subnet, id) for id in ids]
        if not subnets:
            raise row.wrong("Subnets", "the group has no subnet")
        draft.make(
            row, CacheSubnetGroup, key(draft.account, draft.region, name), name=name, vpc_id=subnets[0].vpc_id,
            description=row.text("CacheSubnetGroupDescription", ""), subnet_ids=tuple(one.id for one in subnets),
        )  # fmt: skip


def caches(draft: Draft) -> None:
    """Rebuild clusters with their nodes, and the replication groups that they are in."""
    groups = [row for row in draft.recording.rows("describe-replication-groups") if not _is_ending(row, "Status")]
    sharded = {row.text("ReplicationGroupId").lower() for row in groups if row.flag("ClusterEnabled")}
    for row in draft.recording.rows("describe-cache-clusters"):
        if not _is_ending(row, "CacheClusterStatus"):
            _cluster(draft, row, sharded)
    for row in groups:
        _group(draft, row)
    for row in draft.recording.rows("describe-serverless-caches"):
        why = "a serverless cache: its interfaces are there as stand-ins; make one here to try it"
        draft.note("left out", row.text("ServerlessCacheName"), why)


def _is_ending(row: Row, member: str) -> bool:
    return row.text(member, "available") in ("deleting", "deleted", "create-failed", "restore-failed")


def _cluster(draft: Draft, row: Row, sharded: set[str]) -> None:
    name, engine = row.text("CacheClusterId").lower(), row.text("Engine")
    group = row.text("ReplicationGroupId", "").lower()
    among = key(draft.account, draft.region, row.text("CacheSubnetGroupName", "").lower())
    subnets = draft.get(CacheSubnetGroup, among)
    if subnets is None:
        raise row.wrong("CacheSubnetGroupName", "its group is not in describe-cache-subnet-groups.json")
    build, type = _build(draft, row, engine), row.text("CacheNodeType")
    if type not in NODE_TYPES:
        draft.note("approximated", name, f"its node type {type[:40]} is not known here: it is a {_NODE_TYPE}")
        type = _NODE_TYPE
    carried = tuple(
        draft.need(one, "SecurityGroupId", SecurityGroup, one.id("SecurityGroupId", "sg")).id
        for one in row.rows("SecurityGroups")
    )
    nodes = _nodes(draft, row, name, subnets, carried)
    tls, zones = row.flag("TransitEncryptionEnabled"), {node.zone for node in nodes}
    if row.flag("AuthTokenEnabled"):
        draft.note("approximated", name, "its AUTH token is not known: it asks for none")
    draft.make(
        row, CacheCluster, key(draft.account, draft.region, name), name=name, engine=engine,
        engine_version=build.version, node_type=type, status="creating", nodes=nodes, port=_port(row, engine),
        vpc_id=subnets.vpc_id, subnet_group=subnets.name, created=row.time("CacheClusterCreateTime", draft.now),
        parameter_group=_parameters(draft, row, build, is_sharded=group in sharded),
        maintenance_window=row.text("PreferredMaintenanceWindow", "sun:05:00-sun:06:00"), security_group_ids=carried,
        group_id=key(draft.account, draft.region, group) if group else None, sharded=group in sharded,
        snapshot_window=row.maybe("SnapshotWindow"), snapshot_retention=row.number("SnapshotRetentionLimit", 0),
        auto_minor_upgrade=row.flag("AutoMinorVersionUpgrade", default=True), tls=tls,
        tls_mode=row.text("TransitEncryptionMode", "required"), at_rest=row.flag("AtRestEncryptionEnabled"),
        az_mode="cross-az" if len(zones) > 1 else "single-az", endpoint_code=_code(draft, row.rows("CacheNodes")),
    )  # fmt: skip


def _build(draft: Draft, row: Row, engine: str) -> Build:
    """Return what runs in the place of a version: the same minor one, else the next one that this machine has."""
    if engine not in ENGINES:
        raise row.wrong("Engine", f"{engine[:40]!r} is none of {', '.join(ENGINES)}")
    asked, here = row.text("EngineVersion", ""), builds(draft.world, engine)
    if not here:
        raise row.wrong("Engine", f"this machine has no {engine}: `atoll doctor` says how to get it, or use --paper")
    same = [build for build in here if short_version(build.version) == short_version(asked)]
    exact = [build for build in same if build.version == asked]
    newer = [build for build in here if numbers(build.version) > numbers(asked)]
    build = (exact or same[-1:] or newer or here[-1:])[0]
    if short_version(build.version) != short_version(asked):
        name = row.text("CacheClusterId")
        draft.note("approximated", name, f"{engine} {asked[:20]} is not on this machine: {build.version} runs")
    return build


def _port(row: Row, engine: str) -> int:
    ends = [row.row("ConfigurationEndpoint"), *(node.row("Endpoint") for node in row.rows("CacheNodes"))]
    port = next((end.number("Port", 0) for end in ends if end.has("Port")), _PORTS.get(engine, 6379))
    if not 0 < port <= 65535:
        raise row.wrong("CacheNodes", f"{port} is no port")
    return port


def _parameters(draft: Draft, row: Row, build: Build, *, is_sharded: bool) -> str:
    """Return the name of a parameter group: a default one of the engine that runs, or the user's own."""
    name = row.row("CacheParameterGroup").text("CacheParameterGroupName", "default.").lower()
    if name.startswith("default."):
        known = {group.name: group.family for group in default_groups(draft.world)}
        fits = known.get(name) == build.family
        return name if fits else f"default.{build.family}{'.cluster.on' if is_sharded else ''}"
    id = key(draft.account, draft.region, name)
    if draft.get(CacheParameterGroup, id) is None:
        said = draft.recording.rows("describe-cache-parameter-groups")
        mine = next((one for one in said if one.text("CacheParameterGroupName").lower() == name), row)
        values = (("cluster-enabled", "yes"),) if is_sharded else ()
        draft.make(
            mine, CacheParameterGroup, id, name=name, family=build.family, description=mine.text("Description", ""),
            values=values,
        )  # fmt: skip
        draft.note("approximated", name, f"a parameter group with the values of default.{build.family}")
        if mine is not row and mine.text("CacheParameterGroupFamily", "") != family(build.engine, build.version):
            draft.note("approximated", name, f"its family is {build.family}, as the engine that runs here")
    return name


def _nodes(
    draft: Draft, row: Row, name: str, group: CacheSubnetGroup, carried: tuple[str, ...]
) -> tuple[CacheNode, ...]:
    """Return a cluster's nodes, each with its interface.  Raises BadRecording."""
    rows = [one for one in row.rows("CacheNodes") if one.text("CacheNodeStatus", "available") != "deleting"]
    if not rows:
        why = "no node is listed: aws elasticache describe-cache-clusters --show-cache-node-info"
        raise row.wrong("CacheNodes", why)
    free = [
        one for one in draft.all(Interface)
        if one.attachment and one.attachment.instance_owner == OWNER
        and one.description.lower() == f"elasticache {name}"
    ]  # fmt: skip
    free.sort(key=lambda one: one.address)
    if len({one.zone for one in free}) < len(free) and len(rows) > 1:
        why = "AWS does not tell which node of a zone has which address: the lower id has the lower one"
        draft.note("approximated", name, why)
    nodes = []
    for one in sorted(rows, key=lambda node: node.text("CacheNodeId")):
        zone = one.text("CustomerAvailabilityZone", row.text("PreferredAvailabilityZone", ""))
        at = next((it for it in free if it.zone == zone), free[0] if free else None)
        if at is None:
            at = _stand(draft, row, name, zone, group, carried)
        else:
            free.remove(at)
        node = CacheNode(
            id=one.text("CacheNodeId"), interface_id=at.id, zone=at.zone, status="creating",
            created=one.time("CacheNodeCreateTime", draft.now),
        )  # fmt: skip
        nodes.append(node)
    return tuple(nodes)


def _stand(
    draft: Draft, row: Row, name: str, zone: str, group: CacheSubnetGroup, carried: Sequence[str]
) -> Interface:
    """Make the interface of a node that none was described of.  Raises BadRecording if there is no room."""
    subnets = [subnet for id in group.subnet_ids if (subnet := draft.get(Subnet, id)) is not None]
    subnet = next((one for one in subnets if one.zone == zone), subnets[0])
    used = {ip for one in draft.all(Interface) if one.subnet_id == subnet.id for ip in one.private_ips}
    room = range(_RESERVED_FIRST, subnet.cidr.num_addresses - _RESERVED_LAST)
    address = next((ip for n in room if (ip := subnet.cidr[n]) not in used), None)
    if address is None:
        raise BadRecording(f"{row.place}: there is no free address in {subnet.id} for a node of {name}")
    draft.note("approximated", name, f"no interface of a node was described: it is at {address}, a free address")
    plug = Attachment(
        id=draft.new_id("ela-attach", f"{name} {address}"), instance_owner=OWNER, time=draft.now, device_index=1,
        delete_on_termination=False,
    )  # fmt: skip
    return draft.make(
        row, Interface, draft.new_id("eni", f"{name} {address}"), vpc_id=subnet.vpc_id, subnet_id=subnet.id,
        zone=subnet.zone, number=draft.number(Interface, subnet.vpc_id), mac=mac_address(f"{subnet.id}/{address}"),
        private_ips=(address,), group_ids=tuple(carried), description=f"ElastiCache {name}", created=draft.now,
        attachment=plug, requester_id=OWNER, requester_managed=True, host=draft.host(subnet.zone),
    )  # fmt: skip


def _group(draft: Draft, row: Row) -> None:
    name, is_sharded = row.text("ReplicationGroupId").lower(), row.flag("ClusterEnabled")
    id = key(draft.account, draft.region, name)
    shards = tuple(_shard(draft, one, id, is_sharded=is_sharded) for one in row.rows("NodeGroups"))
    if not shards:
        raise row.wrong("NodeGroups", "the group has no shard")
    if not is_sharded:
        shards = (replace(shards[0], id="0001", slots=()),)
    elif sorted(slot for shard in shards for slot in slots_of(shard.slots)) != list(range(_SLOTS)):
        raise row.wrong("NodeGroups", "their Slots are not 0 to 16383, each once")
    if row.has("UserGroupIds"):
        draft.note("approximated", name, "its users are not known: everybody may use it without a password")
    first = draft.get(CacheCluster, shards[0].primary_id)
    assert first, "a shard names clusters that are there"
    draft.make(
        row, ReplicationGroup, id, name=name, description=row.text("Description", ""), status="creating",
        engine=first.engine, node_type=first.node_type, node_groups=shards, port=first.port,
        created=row.time("ReplicationGroupCreateTime", draft.now),
        automatic_failover=_switch(row, "AutomaticFailover"), multi_az=_switch(row, "MultiAZ"),
        snapshot_window=row.maybe("SnapshotWindow"), snapshot_retention=row.number("SnapshotRetentionLimit", 0),
        tls=first.tls, tls_mode=first.tls_mode, at_rest=row.flag("AtRestEncryptionEnabled"),
        auto_minor_upgrade=row.flag("AutoMinorVersionUpgrade", default=True), kms_key_id=row.maybe("KmsKeyId"),
        cluster_mode=row.text("ClusterMode", "enabled" if is_sharded else "disabled"),
        endpoint_code=first.endpoint_code,
    )  # fmt: skip


def _code(draft: Draft, nodes: Iterable[Row]) -> str | None:
    """Return the part of its names by which AWS tells accounts apart; None: it is what Atoll would give."""
    names = [node.row("Endpoint").text("Address", "") for node in nodes]
    found = next((match[1] for name in names if (match := _CODE.search(name))), None)
    return None if found == endpoint_hash(draft.account, draft.region) else found


def _switch(row: Row, member: str) -> str:
    return "enabled" if row.text(member, "disabled") in ("enabled", "enabling") else "disabled"


def _shard(draft: Draft, row: Row, group_id: str, *, is_sharded: bool) -> NodeGroup:
    members, primary = [], None
    for one in row.rows("NodeGroupMembers"):
        name = one.text("CacheClusterId").lower()
        cluster = draft.need(one, "CacheClusterId", CacheCluster, key(draft.account, draft.region, name))
        if cluster.group_id != group_id:
            raise one.wrong("CacheClusterId", f"describe-cache-clusters.json has {name} in another group")
        members.append(cluster.id)
        primary = cluster.id if one.text("CurrentRole", "") == "primary" else primary
    if not members:
        raise row.wrong("NodeGroupMembers", "the shard has no member")
    slots: tuple[tuple[int, int], ...] = ()
    if is_sharded:
        try:
            slots = parse_slots(row.text("Slots"))
        except ValueError as error:
            raise row.wrong("Slots", str(error)) from None
    return NodeGroup(
        id=row.text("NodeGroupId"), member_ids=tuple(sorted(members)), primary_id=primary or min(members), slots=slots
    )
