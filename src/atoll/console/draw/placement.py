"""Where nodes would be: a box for each zone, two in a row; in it a box for each subnet, in that the nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLUMN, GAP, PAD = 250, 12, 10
HEAD, SUBNET_HEAD, NODE, NODE_GAP = 30, 22, 30, 6
ACROSS = 2  # zones in a row
NODES_MAX = 8  # of a subnet; the others are counted
NAME_MAX = 22  # characters that have room


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A node and where it is."""

    name: str
    role: str  # "primary", "replica" or ""
    zone: str
    subnet: str
    address: str


def placement(nodes: Sequence[Placed], label: str) -> str:
    """Return the picture as SVG; its label tells all of it in words."""
    zones = sorted({node.zone for node in nodes})
    parts, y = [], 0
    for first in range(0, len(zones), ACROSS):
        row = zones[first : first + ACROSS]
        tall = max(_height([n for n in nodes if n.zone == zone]) for zone in row)
        parts += [
            _zone(place * (COLUMN + GAP), y, tall, zone, [n for n in nodes if n.zone == zone])
            for place, zone in enumerate(row)
        ]
        y += tall + GAP
    width = min(max(len(zones), 1), ACROSS) * (COLUMN + GAP) - GAP
    said = f"{label}: " + ", ".join(f"{n.name} {n.role} {n.zone} {n.subnet} {n.address}" for n in nodes)
    return (
        f'<svg class="placement" viewBox="0 0 {width} {max(y - GAP, 0)}" role="img" '
        f'aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )


def _height(nodes: Sequence[Placed]) -> int:
    return HEAD + sum(tall + PAD for _, tall in _subnets(0, 0, nodes))


def _subnets(x: int, y: int, nodes: Sequence[Placed]) -> list[tuple[str, int]]:
    found = []
    for subnet in sorted({node.subnet for node in nodes}):
        found.append(_subnet(x, y, subnet, [n for n in nodes if n.subnet == subnet]))
        y += found[-1][1] + PAD
    return found


def _zone(x: int, y: int, tall: int, zone: str, nodes: Sequence[Placed]) -> str:
    return (
        f'<rect class="zone" x="{x + 0.5}" y="{y + 0.5}" width="{COLUMN - 1}" height="{tall - 1}" rx="8"/>'
        f'<text class="zone-name" x="{x + PAD}" y="{y + 20}">{escape(zone)}</text>'
        + "".join(text for text, _ in _subnets(x + PAD, y + HEAD, nodes))
    )


def _subnet(x: int, y: int, subnet: str, nodes: Sequence[Placed]) -> tuple[str, int]:
    shown = nodes[:NODES_MAX] if len(nodes) > NODES_MAX else nodes
    more = len(nodes) - len(shown)
    width = COLUMN - 2 * PAD
    tall = SUBNET_HEAD + len(shown) * (NODE + NODE_GAP) + (18 if more else 0) + 4
    id, _, cidr = subnet.partition(" ")
    parts = [
        f'<rect class="subnet" x="{x}" y="{y}" width="{width}" height="{tall}" rx="6"/>',
        f'<text class="subnet-name" x="{x + 8}" y="{y + 15}">{escape(cidr or id)}<title>{escape(id)}</title></text>',
    ]
    parts += [_node(x + 8, y + SUBNET_HEAD + n * (NODE + NODE_GAP), node) for n, node in enumerate(shown)]
    if more:
        parts.append(f'<text class="more" x="{x + 8}" y="{y + tall - 8}">+ {more}</text>')
    return "".join(parts), tall


def _node(x: int, y: int, node: Placed) -> str:
    name = node.name if len(node.name) <= NAME_MAX else f"{node.name[: NAME_MAX - 1]}…"
    return (
        f'<g class="node {node.role}"><title>{escape(f"{node.name} {node.role} {node.address}")}</title>'
        f'<rect x="{x}" y="{y}" width="{COLUMN - 2 * PAD - 16}" height="{NODE}" rx="5"/>'
        f'<text class="node-name" x="{x + 9}" y="{y + 13}">{escape(name)}</text>'
        f'<text class="node-address" x="{x + 9}" y="{y + 25}">{escape(node.address)}</text></g>'
    )
