"""Analyses of Network Insights: computed by the tracer as they are started, shown when the network has settled."""

import json
from collections.abc import Sequence
from datetime import datetime

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BOTH
from atoll.ec2.filters import Table, select
from atoll.ec2.insights_question import answer
from atoll.ec2.insights_render import analysis
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import InternetGateway
from atoll.model.insight import SUCCEEDED, InsightsAnalysis, InsightsPath
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.names import arn
from atoll.model.peering import seen as seen_peering
from atoll.model.world import Tx, World

FILTERS: Table = {
    "path-found": lambda _world, a: _found(a).get("NetworkPathFound"),
    "status": "status",
}


@operation("ec2", "StartNetworkInsightsAnalysis")
def start_network_insights_analysis(
    tx: Tx, *, network_insights_path_id: str, tag_specifications: Sequence[Shape] = ()
) -> Shape:
    """Find out about a path, as things are at this moment."""
    path = find(tx.world, InsightsPath, network_insights_path_id)
    tags = tags_for("network-insights-analysis", tag_specifications)
    gone = next((id for id in (path.source, path.destination) if id and not _is_there(tx.world, id)), None)
    made = tx.make(
        InsightsAnalysis,
        tx.new_id("nia"),
        path_id=path.id,
        started=tx.now,
        found="" if gone else json.dumps(analysis(tx.world, path, answer(tx.world, path))),
        message=f"The resource {gone} does not exist" if gone else None,
        tags=tags,
    )
    return {"NetworkInsightsAnalysis": render(made)}


def _is_there(world: World, id: str) -> bool:
    kinds = (Instance, Interface, InternetGateway, VpcEndpoint)
    return seen_peering(world, id) is not None or any(world.get(kind, id) is not None for kind in kinds)


@operation("ec2", "DescribeNetworkInsightsAnalyses")
def describe_network_insights_analyses(
    world: World,
    *,
    network_insights_analysis_ids: Sequence[str] = (),
    network_insights_path_id: str | None = None,
    analysis_start_time: datetime | None = None,
    analysis_end_time: datetime | None = None,
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List analyses: of a path, and started between two times, if these are given."""
    if network_insights_analysis_ids and max_results is not None:
        raise BOTH(one="networkInsightsAnalysisIds", other="maxResults")
    if network_insights_path_id is not None:
        find(world, InsightsPath, network_insights_path_id)
    ids = dict.fromkeys(network_insights_analysis_ids)
    items = [find(world, InsightsAnalysis, id) for id in ids] if ids else world.all(InsightsAnalysis)
    wanted = [
        a
        for a in select(world, items, filters, FILTERS)
        if network_insights_path_id in (None, a.path_id)
        and (analysis_start_time is None or a.started >= analysis_start_time)
        and (analysis_end_time is None or a.started <= analysis_end_time)
    ]
    found, token = page_ec2(wanted, lambda a: a.id, max_results, next_token, low=1)
    return {"NetworkInsightsAnalyses": [render(a) for a in found], "NextToken": token}


@operation("ec2", "DeleteNetworkInsightsAnalysis")
def delete_network_insights_analysis(tx: Tx, *, network_insights_analysis_id: str) -> Shape:
    """Delete an analysis."""
    found = find(tx.world, InsightsAnalysis, network_insights_analysis_id)
    tx.delete(found)
    return {"NetworkInsightsAnalysisId": found.id}


def render(a: InsightsAnalysis) -> Shape:
    """Return an analysis as AWS shows it: what was found, once it is done."""
    shape: Shape = {
        "NetworkInsightsAnalysisId": a.id,
        "NetworkInsightsAnalysisArn": arn("ec2", a.region, a.account, f"network-insights-analysis/{a.id}"),
        "NetworkInsightsPathId": a.path_id,
        "StartDate": a.started,
        "Status": a.status,
        "Tags": render_tags(a),
    }
    if a.status == "failed" and a.message:
        shape["StatusMessage"] = a.message
    return shape | _found(a)


def _found(a: InsightsAnalysis) -> Shape:
    found: Shape = json.loads(a.found) if a.found and a.status == SUCCEEDED else {}
    return found
