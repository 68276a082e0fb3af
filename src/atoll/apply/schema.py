"""What a file of `atoll apply` may say, as JSON schema: for editors, and for `document.py`, which checks with it.

Only these words of JSON schema are used: type, properties, required, additionalProperties, items, enum, pattern,
minimum, maximum, minItems, maxProperties, description.
"""

from typing import Any

Schema = dict[str, Any]

NAME = r"^[A-Za-z][A-Za-z0-9-]{0,39}$"
RANGE = r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/\d{1,2}$"
ADDRESS = r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$"
PORT = r"^\d{1,5}(-\d{1,5})?$"
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}


def _object(properties: dict[str, Any], *, required: tuple[str, ...] = (), says: str = "") -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
        "description": says}  # fmt: skip


def _named(of: Schema, says: str) -> Schema:
    """Return a map from names to things."""
    return {"type": "object", "additionalProperties": of, "propertyNames": {"pattern": NAME}, "description": says}


def _list(of: Schema, says: str, least: int = 0) -> Schema:
    return {"type": "array", "items": of, "minItems": least, "description": says}


def _number(least: int, most: int, says: str) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": says}


def _text(says: str, pattern: str | None = None) -> Schema:
    return {**TEXT, "description": says, **({"pattern": pattern} if pattern else {})}


def _flag(says: str) -> Schema:
    return {**FLAG, "description": says}


TAGS = _named(TEXT, "Tags beside Name.")
SUBNET = _object(
    {
        "cidr": _text("Its range.", RANGE),
        "zone": _text("The last letter of its zone: a, b ...  Else a.", "^[a-z]$"),
        "public": _flag("Routed to the internet gateway; instances get public addresses."),
        "nat": _text("The instance or NAT gateway through which it reaches the internet."),
    },
    required=("cidr",),
)
VPC = _object(
    {
        "cidr": _text("Its range.", RANGE),
        "dns_hostnames": _flag("Give instances public DNS names; else no."),
        "subnets": _named(SUBNET, "Subnets by name."),
        "nat_gateways": _named(
            _object({"subnet": _text("A public subnet.")}, required=("subnet",)), "NAT gateways by name."
        ),
        "tags": TAGS,
    },
    required=("cidr",),
)
RULE = _object(
    {
        "from": _text("Of ingress: a security group of this file, or a range."),
        "to": _text("Of egress: the same."),
        "port": {"type": ["integer", "string"], "pattern": PORT, "minimum": 0, "maximum": 65535,
            "description": "A port or a range: 6379 or 6379-6380; without it, all."},
        "protocol": {"enum": ["tcp", "udp", "icmp", "all"], "description": "tcp if there is a port, else all."},
        "description": TEXT,
    }
)  # fmt: skip
GROUP = _object(
    {
        "vpc": _text("Where; may be left out if the file has one VPC."),
        "description": TEXT,
        "ingress": _list(RULE, "What may come in; nothing if it is left out."),
        "egress": _list(RULE, "What may go out; everything if it is left out."),
        "tags": TAGS,
    }
)
INSTANCE = _object(
    {
        "subnet": _text("A subnet of this file."),
        "groups": _list(TEXT, "Security groups of this file.", 1),
        "type": _text("t3.micro unless told."),
        "image": _text("An image's id, or the beginning of its name; else Amazon Linux 2."),
        "address": _text("A private address; else any.", ADDRESS),
        "elastic_ip": _flag("With an Elastic IP of its own."),
        "forwards": _flag("It forwards packets of others (a NAT instance): no source/destination check."),
        "key": _text("A key pair that is there."),
        "user_data": _text("A script that runs at the first boot."),
        "tags": TAGS,
    },
    required=("subnet", "groups"),
)
CACHE = _object(
    {
        "engine": {"enum": ["valkey", "redis", "memcached"]},
        "serverless": _flag("A serverless cache: no nodes to choose."),
        "subnets": _list(TEXT, "Subnets of this file.", 1),
        "groups": _list(TEXT, "Security groups of this file.", 1),
        "nodes": _number(1, 40, "Of Memcached: how many; 1."),
        "shards": _number(1, 90, "Of Valkey and Redis OSS: cluster mode with so many shards; else without."),
        "replicas": _number(0, 5, "Of each shard; 0."),
        "node_type": _text("cache.t3.micro unless told."),
        "version": {"type": ["string", "number"], "description": "Of the engine; else the newest."},
        "port": _number(1024, 65535, "6379, or 11211."),
        "tls": _flag("Encryption in transit."),
        "automatic_failover": _flag("Yes if there are replicas."),
        "parameters": {"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean"]},
            "description": "Parameters of the engine that are not its defaults."},
        "snapshot_days": _number(0, 35, "How long daily snapshots are kept; 0: there are none."),
        "tags": TAGS,
    },
    required=("engine", "subnets"),
)  # fmt: skip
PEERING = _object(
    {"from": _text("A VPC of this file."), "to": _text("Another."), "routes": _flag("In all tables of both; yes.")},
    required=("from", "to"),
)
ENDPOINT = _object(
    {
        "service": _text("A service by its last word, such as s3 or elasticache, or in full."),
        "vpc": _text("Where; may be left out if the file has one VPC."),
        "subnets": _list(TEXT, "Of an interface endpoint; without them it is a gateway endpoint.", 1),
        "groups": _list(TEXT, "Security groups of an interface endpoint.", 1),
        "tags": TAGS,
    },
    required=("service",),
)
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "atoll apply",
    **_object(
        {
            "name": _text("What this file is called: what it makes is tagged with it.  Else the file's name.", NAME),
            "region": _text("Where; else AWS_REGION."),
            "vpcs": _named(VPC, "VPCs by name."),
            "security_groups": _named(GROUP, "Security groups by name."),
            "instances": _named(INSTANCE, "Instances by name."),
            "caches": _named(CACHE, "Caches of all kinds by name."),
            "peering": _named(PEERING, "Peering connections by name."),
            "endpoints": _named(ENDPOINT, "VPC endpoints by name."),
        },
        says="VPCs, instances and caches, by names instead of ids.",
    ),
}
