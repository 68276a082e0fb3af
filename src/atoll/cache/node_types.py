"""Node types: how much memory and how many threads a cache node has.

Source: ElastiCache User Guide, "Redis OSS node-type specific parameters", "Memcached node-type specific parameters".
The m7g and r7g rows are taken to equal m6g and r6g.
"""

import re
from dataclasses import dataclass

MIB = 1024 * 1024
GB = 1024 * MIB
RESERVE_PERCENT = 25  # reserved-memory-percent: of the memory of Redis OSS and Valkey, what is not for data
SERVERLESS_VCPUS = 2
_SERVERLESS = re.compile(r"serverless\.(\d+)GB")
MEMCACHED_OVERHEAD_MIB = 100  # memcached_connections_overhead: what Memcached keeps for connections, of its memory


@dataclass(frozen=True, slots=True)
class NodeType:
    """A node type."""

    name: str  # cache.t3.micro
    vcpus: int
    memory_bytes: int  # the `maxmemory` parameter of Redis OSS and Valkey, before the reserve
    memcached_mib: int  # the `max_cache_memory` parameter of Memcached
    threads: int  # of Memcached


# size: vCPUs, maxmemory bytes, Memcached MiB
_M = {
    "large": (2, 6854542746, 6537), "xlarge": (4, 13891921715, 13248), "2xlarge": (8, 27966669210, 26671),
    "4xlarge": (16, 56116178125, 53516), "8xlarge": (32, 111325552312, 107000),
    "12xlarge": (48, 168715971994, 160900), "16xlarge": (64, 225000375228, 214577),
    "24xlarge": (96, 337500562842, 321865),
}  # fmt: skip
_R = {
    "large": (2, 14037181030, 13387), "xlarge": (4, 28261849702, 26953), "2xlarge": (8, 56711183565, 54084),
    "4xlarge": (16, 113609865216, 108347), "8xlarge": (32, 225000375228, 214577),
    "12xlarge": (48, 341206346547, 325400), "16xlarge": (64, 450000750456, 429154),
    "24xlarge": (96, 682485973811, 650869),
}  # fmt: skip
_M4 = {
    "large": (2, 6892593152, 6573), "xlarge": (4, 11496376320, 11496), "2xlarge": (8, 31889126359, 30412),
    "4xlarge": (16, 65257290629, 62234), "10xlarge": (40, 166047614239, 158355),
}  # fmt: skip
_R4 = {
    "large": (2, 13201781556, 12590), "xlarge": (4, 26898228839, 25652), "2xlarge": (8, 54197537997, 51686),
    "4xlarge": (16, 108858546586, 103815), "8xlarge": (32, 218255432090, 208144),
    "16xlarge": (64, 437021573120, 416776),
}  # fmt: skip
_T = {"micro": (2, 536870912, 512), "small": (2, 1471026299, 1402), "medium": (2, 3317862236, 3164)}
_T2 = {"micro": (1, 581959680, 555), "small": (1, 1665138688, 1588), "medium": (2, 3461349376, 3301)}

_X86 = ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge")
_ARM = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
_LINES: tuple[tuple[str, dict[str, tuple[int, int, int]], tuple[str, ...]], ...] = (
    ("t4g", _T, tuple(_T)), ("t3", _T, tuple(_T)), ("t2", _T2, tuple(_T2)),
    ("m7g", _M, _ARM), ("m6g", _M, _ARM), ("m5", _M, _X86), ("m4", _M4, tuple(_M4)),
    ("r7g", _R, _ARM), ("r6g", _R, _ARM), ("r5", _R, _X86), ("r4", _R4, tuple(_R4)),
)  # fmt: skip


class _Types(dict[str, NodeType]):
    """The node types that users may ask for; what is behind a serverless cache is found, too, and not listed."""

    def __missing__(self, name: str) -> NodeType:
        if not (found := _SERVERLESS.fullmatch(name)):
            raise KeyError(name)
        data = int(found[1]) * GB
        memory = data * 100 // (100 - RESERVE_PERCENT) + 1
        return NodeType(name, SERVERLESS_VCPUS, memory, data // MIB + MEMCACHED_OVERHEAD_MIB, SERVERLESS_VCPUS)


def serverless_type(gigabytes: int) -> str:
    """Return the type of the nodes behind a serverless cache that holds so much data."""
    return f"serverless.{gigabytes}GB"


NODE_TYPES = _Types(
    {
        name: NodeType(name, vcpus, memory, mib, vcpus)
        for line, sizes, offered in _LINES
        for size in offered
        for name, (vcpus, memory, mib) in ((f"cache.{line}.{size}", sizes[size]),)
    }
)

# AWS lists these but creates no new nodes of them.
PREVIOUS_GENERATIONS = frozenset({"t1", "m1", "m2", "m3", "c1", "r3"})
# Nodes that keep part of their data on a disk: they need data tiering, which does not exist here.
TIERED = frozenset({"r6gd"})


def line_of(name: str) -> str:
    """Return the line of a node type's name: `t3` of `cache.t3.micro`; empty when the name is malformed."""
    parts = name.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "cache" else ""
