"""The signs of things on the map: paths in a square of 20 pixels, drawn as lines."""

from collections.abc import Mapping

ICONS: Mapping[str, str] = {
    # A machine: a box with a foot.
    "instance": "M2 3h16v10H2zM10 13v4M6 17h8",
    "nat-instance": "M2 3h16v10H2zM10 13v4M6 17h8M6 8h8M11 5.5L14 8l-3 2.5",
    # A pile of discs: data.
    "cache": "M3 5c0-3.5 14-3.5 14 0v10c0 3.5-14 3.5-14 0zM3 5c0 3.5 14 3.5 14 0M3 10c0 3.5 14 3.5 14 0",
    # Many become one, and go out.
    "nat": "M2 5h4l4 5h8M2 15h4l4-5M15 7l3 3-3 3",
    # One becomes many.
    "balancer": "M2 10h5l4-5h6M7 10h10M7 10l4 5h6M15 3l2 2-2 2M15 13l2 2-2 2",
    # A plug.
    "endpoint": "M7 2v5M13 2v5M4 7h12v3c0 3-3 5-6 5s-6-2-6-5zM10 15v4",
    "gateway-endpoint": "M7 2v5M13 2v5M4 7h12v3c0 3-3 5-6 5s-6-2-6-5zM10 15v4",
    # A card with contacts.
    "interface": "M2 4h16v9H2zM5 13v3M9 13v3M13 13v3",
    # A door in a wall.
    "igw": "M2 18h16M5 18V5c0-4 10-4 10 0v13M12 11v1",
    "eigw": "M2 18h16M5 18V5c0-4 10-4 10 0v13M8 11h7M12 8l3 3-3 3",
    # Two that hold each other.
    "peering": "M8 6a5 5 0 1 0 0 8M12 6a5 5 0 1 1 0 8M7 10h6",
    "client": "M3 4h14v9H3zM1 17h18",
    "cloud": "M6 16a4 4 0 0 1-.5-7.9A5 5 0 0 1 15 8a4 4 0 0 1 0 8z",
    # An open lock, and a closed one.
    "public": "M3 9h12v9H3zM6 9V5a3 3 0 0 1 6-1",
    "private": "M3 9h12v9H3zM6 9V5a3 3 0 0 1 6 0v4",
    "yes": "M4 11l4 4 8-10",
    "no": "M4 4l12 12M16 4L4 16",
}
