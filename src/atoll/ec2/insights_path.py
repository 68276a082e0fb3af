"""Paths of Network Insights: what somebody wants to know about.

Source: Reachability Analyzer guide, "How Reachability Analyzer works": its types of sources and destinations, as far
as Atoll has them.
"""

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.errors import BAD_ADDRESS, BAD_ID, BAD_VALUE, MISSING, UNSUPPORTED
from atoll.ec2.filters import Table, absent, listing
from atoll.ec2.kinds import BY_PREFIX, find
from atoll.ec2.peering import find_peering
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.endpoint import VpcEndpoint
from atoll.model.insight import InsightsAnalysis, InsightsPath
from atoll.model.names import arn
from atoll.model.world import Tx, World

ENDS = ("i", "eni", "igw", "pcx")
NO_ENDS_YET = ("tgw", "tgw-attach", "vgw", "vpce-svc", "cgw")  # AWS's analyzer takes them
HAS_ANALYSES = Err("AnalysisExistsForNetworkInsightsPath", "There are existing analyses for the path {id}.")
PORT_MAX = 65535

FILTERS: Table = {
    "destination": "destination",
    "protocol": "protocol",
    "source": "source",
    **{
        f"filter-at-{end}.{what}": absent
        for end in ("source", "destination")
        for what in ("source-address", "source-port-range", "destination-address", "destination-port-range")
    },
}


@operation("ec2", "CreateNetworkInsightsPath")
def create_network_insights_path(
    tx: Tx,
    *,
    source: str,
    protocol: str,
    destination: str | None = None,
    source_ip: str | None = None,
    destination_ip: str | None = None,
    destination_port: int | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a path between two resources, or from one to an address."""
    if destination is None and destination_ip is None:
        raise MISSING(name="Destination")
    if destination_port is not None and not 0 <= destination_port <= PORT_MAX:
        raise BAD_VALUE(value=destination_port, name="DestinationPort", why="It must be between 0 and 65535.")
    tags = tags_for("network-insights-path", tag_specifications)
    made = tx.make(
        InsightsPath,
        tx.new_id("nip"),
        source=_end(tx.world, source),
        destination=_target(tx.world, destination) if destination is not None else None,
        source_ip=_address("SourceIp", source_ip),
        destination_ip=_address("DestinationIp", destination_ip),
        protocol=protocol,
        port=destination_port,
        created=tx.now,
        tags=tags,
    )
    return {"NetworkInsightsPath": render(made)}


@operation("ec2", "DescribeNetworkInsightsPaths")
def describe_network_insights_paths(
    world: World,
    *,
    network_insights_path_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List paths."""
    found, token = listing(
        world, InsightsPath, FILTERS, ids=network_insights_path_ids, filters=filters, max_results=max_results,
        next_token=next_token, ids_name="networkInsightsPathIds", low=1,
    )  # fmt: skip
    return {"NetworkInsightsPaths": [render(path) for path in found], "NextToken": token}


@operation("ec2", "DeleteNetworkInsightsPath")
def delete_network_insights_path(tx: Tx, *, network_insights_path_id: str) -> Shape:
    """Delete a path that has no analyses."""
    path = find(tx.world, InsightsPath, network_insights_path_id)
    if tx.all(InsightsAnalysis, path_id=path.id):
        raise HAS_ANALYSES(id=path.id)
    tx.delete(path)
    return {"NetworkInsightsPathId": path.id}


def _end(world: World, named: str) -> str:
    """Return the id of a source or destination, given by its id or ARN; raises its NotFound and Malformed errors."""
    id = named.rpartition("/")[2] if named.startswith("arn:") else named
    prefix = id.rpartition("-")[0]
    if prefix in NO_ENDS_YET or prefix == "vpce":
        raise UNSUPPORTED(what=f"An Insights path from or to {id}")
    if prefix not in ENDS:
        raise BAD_ID(id=named)
    if prefix == "pcx":
        return find_peering(world, id).id
    return find(world, BY_PREFIX[prefix].kind, id).id


def _target(world: World, named: str) -> str:
    """Return the id of a destination: also an interface endpoint is one."""
    id = named.rpartition("/")[2] if named.startswith("arn:") else named
    if not id.startswith("vpce-0"):
        return _end(world, named)
    endpoint = find(world, VpcEndpoint, id)
    if not endpoint.feet:
        raise UNSUPPORTED(what=f"An Insights path to the gateway endpoint {id}")
    return endpoint.id


def _address(name: str, text: str | None) -> IPv4Address | None:
    try:
        return IPv4Address(text) if text is not None else None
    except AddressValueError:
        raise BAD_ADDRESS(value=text, name=name) from None


def render(p: InsightsPath) -> Shape:
    """Return a path as AWS shows it."""
    shape: Shape = {
        "NetworkInsightsPathId": p.id,
        "NetworkInsightsPathArn": arn("ec2", p.region, p.account, f"network-insights-path/{p.id}"),
        "CreatedDate": p.created,
        "Source": p.source,
        "SourceArn": _arn(p, p.source),
        "Protocol": p.protocol,
        "Tags": render_tags(p),
    }
    if p.destination is not None:
        shape |= {"Destination": p.destination, "DestinationArn": _arn(p, p.destination)}
    for name, value in (("SourceIp", p.source_ip), ("DestinationIp", p.destination_ip)):
        if value is not None:
            shape[name] = str(value)
    return shape | ({"DestinationPort": p.port} if p.port is not None else {})


def _arn(p: InsightsPath, id: str) -> str:
    prefix = id.rpartition("-")[0]
    type = "vpc-peering-connection" if prefix == "pcx" else BY_PREFIX[prefix].type
    return arn("ec2", p.region, p.account, f"{type}/{id}")
