"""The create flow: its steps and fields, and the call that they make.  A function of the fields, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atoll.console.ask import Form
from atoll.model.digits import is_number

STEPS = ("engine", "size", "network", "security", "backups", "review")
SECRETS = ("auth_token",)  # asked for at the end, and in no address
# What is chosen until a person chooses otherwise.
USUAL = {
    "engine": "valkey", "kind": "nodes", "mode": "replicated", "node_type": "cache.t3.micro", "replicas": "1",
    "shards": "3", "nodes": "2", "multi_az": "yes", "failover": "yes", "spread": "yes", "tls": "no", "at_rest": "no",
    "access": "none", "retention": "0", "auto_minor": "yes", "slow_log": "no", "engine_log": "no",
}  # fmt: skip
NAMELESS = "new-cache"  # what the preview calls a cache without a name


@dataclass(frozen=True, slots=True)
class Order:
    """The call that makes a cache."""

    kind: str  # of the cache: "group", "cluster" or "serverless"
    action: str
    parameters: dict[str, Any]


class Fields:
    """The fields of the flow, with what is usual where nothing was chosen."""

    def __init__(self, form: Form) -> None:
        """Read them."""
        self._form = form

    def __getitem__(self, name: str) -> str:
        """Return the value of a field."""
        return self._form.get(name) or USUAL.get(name, "")

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._form.all(name)

    def is_on(self, name: str) -> bool:
        """Tell whether a field says yes."""
        return self[name] == "yes"

    @property
    def is_serverless(self) -> bool:
        """Tell whether there are no nodes to choose."""
        return self["kind"] == "serverless"

    @property
    def is_memcached(self) -> bool:
        """Tell whether there are no roles."""
        return self["engine"] == "memcached"

    @property
    def is_sharded(self) -> bool:
        """Tell whether cluster mode is chosen."""
        return self["mode"] == "sharded" and not self.is_memcached and not self.is_serverless


def step_of(form: Form) -> str:
    """Return the step that a person wants to see."""
    wanted = form.get("go") or form.get("step")
    return wanted if wanted in STEPS else STEPS[0]


def carried(form: Form, shown: Sequence[str]) -> list[tuple[str, str]]:
    """Return the fields that go with a step that does not show them."""
    return [
        (name, value)
        for name, value in form.pairs()
        if name not in (*shown, *SECRETS, "go", "step", "token", "preview")
    ]


def order_of(form: Form, name: str = "") -> Order:
    """Return the call; `name` stands in for a name that is not chosen yet."""
    fields = Fields(form)
    name = fields["name"] or name
    if fields.is_serverless:
        return Order("serverless", "CreateServerlessCache", _serverless(fields, form, name))
    if fields.is_memcached:
        return Order("cluster", "CreateCacheCluster", _memcached(fields, name))
    return Order("group", "CreateReplicationGroup", _group(fields, form, name))


def limits_of(form: Form) -> dict[str, Any] | None:
    """Return CacheUsageLimits; None: nothing was written."""
    limits: dict[str, Any] = {}
    if stored := form.given(Minimum="data_min", Maximum="data_max"):
        limits["DataStorage"] = {**stored, "Unit": "GB"}
    if units := form.given(Minimum="ecpu_min", Maximum="ecpu_max"):
        limits["ECPUPerSecond"] = units
    return limits or None


def tags_of(text: str) -> list[dict[str, str]]:
    """Return tags that are written a line each, `key=value`."""
    found = (line.partition("=") for line in text.splitlines() if line.strip())
    return [{"Key": key.strip(), "Value": value.strip()} for key, _, value in found]


def _shared(fields: Fields) -> dict[str, Any]:
    """Return what caches with nodes have in common."""
    return _without_empty({
        "Engine": fields["engine"],
        "EngineVersion": fields["version"],
        "CacheNodeType": fields["node_type"],
        "CacheParameterGroupName": fields["parameter_group"],
        "CacheSubnetGroupName": fields["subnet_group"],
        "SecurityGroupIds": fields.all("groups"),
        "Port": fields["port"],
        "PreferredMaintenanceWindow": fields["maintenance"],
        "AutoMinorVersionUpgrade": fields.is_on("auto_minor"),
        "Tags": tags_of(fields["tags"]),
    }) | ({"TransitEncryptionEnabled": True} if fields.is_on("tls") else {})  # fmt: skip


def _group(fields: Fields, form: Form, name: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"ReplicationGroupId": name, "ReplicationGroupDescription": fields["description"] or name}
    asked |= _shared(fields)
    if fields.is_sharded:
        asked |= {
            "ClusterMode": "enabled", "NumNodeGroups": fields["shards"], "ReplicasPerNodeGroup": fields["replicas"],
            "AutomaticFailoverEnabled": True, "MultiAZEnabled": fields.is_on("multi_az"),
        }  # fmt: skip
    else:
        replicas = int(fields["replicas"]) if is_number(fields["replicas"], 99) else 0
        asked |= {
            "NumCacheClusters": replicas + 1,
            "AutomaticFailoverEnabled": replicas > 0 and fields.is_on("failover"),
            "MultiAZEnabled": replicas > 0 and fields.is_on("failover") and fields.is_on("multi_az"),
        }
    if fields.is_on("at_rest"):
        asked["AtRestEncryptionEnabled"] = True
    if fields["access"] == "users" and fields["user_group"]:
        asked["UserGroupIds"] = [fields["user_group"]]
    if fields["access"] == "token" and form.get("auth_token"):
        asked["AuthToken"] = form.get("auth_token")
    logs = [_log(fields, kind) for kind in ("slow_log", "engine_log") if fields.is_on(kind)]
    return asked | _without_empty({
        "SnapshotName": fields["snapshot"],
        "SnapshotRetentionLimit": fields["retention"],
        "SnapshotWindow": fields["window"],
        "LogDeliveryConfigurations": logs,
    })  # fmt: skip


def _memcached(fields: Fields, name: str) -> dict[str, Any]:
    count = fields["nodes"]
    asked = {"CacheClusterId": name, "NumCacheNodes": count} | _shared(fields)
    if count != "1":
        asked["AZMode"] = "cross-az" if fields.is_on("spread") else "single-az"
    return asked


def _serverless(fields: Fields, form: Form, name: str) -> dict[str, Any]:
    restored = [fields["snapshot_arn"]] if fields["snapshot_arn"] else []
    server = {} if fields.is_memcached else {
        "UserGroupId": fields["user_group"] if fields["access"] == "users" else "",
        "SnapshotRetentionLimit": fields["retention"],
        "DailySnapshotTime": fields["window"],
        "SnapshotArnsToRestore": restored,
    }  # fmt: skip
    return _without_empty({
        "ServerlessCacheName": name,
        "Engine": fields["engine"],
        "Description": fields["description"],
        "MajorEngineVersion": fields["version"],
        "CacheUsageLimits": limits_of(form),
        "SubnetIds": fields.all("subnets"),
        "SecurityGroupIds": fields.all("groups"),
        "Tags": tags_of(fields["tags"]),
        **server,
    })  # fmt: skip


def _log(fields: Fields, kind: str) -> dict[str, Any]:
    name = kind.replace("_", "-")
    group = fields[f"{kind}_group"] or f"/elasticache/{fields['name']}/{name}"
    return {
        "LogType": name,
        "DestinationType": "cloudwatch-logs",
        "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": group}},
        "LogFormat": "json",
    }


def _without_empty(asked: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in asked.items() if value not in ("", None, [])}
