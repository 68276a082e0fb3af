"""The fields of flow log records, and the format of a log.

Source: VPC User Guide, "Flow log records".  The fields of versions 2 to 5 are here; those of later versions are about
ECS tasks, service links and encryption, which do not exist here.
"""

import re

VERSIONS: dict[int, tuple[str, ...]] = {
    2: (
        "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets",
        "bytes", "start", "end", "action", "log-status",
    ),
    3: ("vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr"),
    4: ("region", "az-id", "sublocation-type", "sublocation-id"),
    5: ("pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path"),
}  # fmt: skip
VERSION_OF = {field: version for version, fields in VERSIONS.items() for field in fields}
DEFAULT_FORMAT = " ".join(f"${{{field}}}" for field in VERSIONS[2])
_FIELD = re.compile(r"\$\{([^{}]*)\}")


class FormatError(ValueError):
    """A format that is none, or that has a field which is not known."""


def fields_of(format: str) -> tuple[str, ...]:
    """Return the fields that a format names, in its order.  Raises FormatError, which says what is wrong."""
    found = tuple(_FIELD.findall(format))
    if not found or _FIELD.sub("", format).strip():
        raise FormatError(f"Format '{format}' is not a list of fields such as ${{version}}")
    for field in found:
        if field not in VERSION_OF:
            raise FormatError(f"Unknown fields provided: {field}")
    return found


def version_of(fields: tuple[str, ...]) -> int:
    """Return what the field `version` says: 2 for the default format, else the highest version of a field."""
    return max(VERSION_OF[field] for field in fields)
