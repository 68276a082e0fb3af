"""The CloudWatch API: metrics are listed and summed up in periods, the rest is refused; in all protocols."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from atoll.aws.answer import answer
from atoll.aws.http import Request
from atoll.cloudwatch import samples
from atoll.cloudwatch.samples import Metric, Samples
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, code, now, refusal, session

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CACHES = "AWS/ElastiCache"
NODES = [{"Name": "CacheClusterId", "Value": "mem"}, {"Name": "CacheNodeId", "Value": "0001"}]
CLUSTER = NODES[:1]
ITEMS = {"Namespace": CACHES, "MetricName": "CurrItems", "Dimensions": NODES}


def metric(name, node="0001", *, account=ACCOUNT, cluster="mem", unit="Count"):
    dimensions = ("CacheClusterId", cluster), ("CacheNodeId", node)
    return Metric(account, REGION, CACHES, name, dimensions, unit)


@pytest.fixture
def kept():
    """Six minutes of two nodes: 1, 2, 3 ... items in the first, ten times as many in the second."""
    found = Samples()
    of = (("NatGatewayId", "nat-1"),)
    gateway = Metric(ACCOUNT, REGION, "AWS/NATGateway", "ActiveConnectionCount", of, "Count")
    for minute in range(6):
        values = {metric("CurrItems"): minute + 1.0, metric("CurrItems", "0002"): 10.0 * (minute + 1)}
        others = {metric("CurrItems", account=OTHER_ACCOUNT): 7.0, metric("UnusedMemory", unit="Bytes"): 9.0}
        found.add((NOON + timedelta(minutes=minute, seconds=20)).timestamp(), values | others | {gateway: 1.0})
    samples.read_from(found)
    yield found
    samples.read_from(Samples())


@pytest.fixture
def cw(paper, kept):  # noqa: ARG001
    return paper.client("cloudwatch")


def minutes(first, last):
    return {"StartTime": NOON + timedelta(minutes=first), "EndTime": NOON + timedelta(minutes=last)}


def statistics(cw, *names, period=60, of=ITEMS, over=(0, 6), **more):
    call = of | minutes(*over) | {"Period": period, "Statistics": list(names)} | more
    return cw.get_metric_statistics(**call)["Datapoints"]


def query(id="m", *, period=60, stat="Sum", of=ITEMS, **more):
    return {"Id": id, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}} | more


def values(cw, *queries, over=(0, 6), **more):
    results = cw.get_metric_data(MetricDataQueries=list(queries), **minutes(*over), **more)["MetricDataResults"]
    return {result["Id"]: result["Values"] for result in results}


def test_metrics_are_listed_of_each_node_and_of_the_cluster(cw):
    listed = cw.list_metrics(Namespace=CACHES, MetricName="CurrItems")["Metrics"]
    second = [CLUSTER[0], {"Name": "CacheNodeId", "Value": "0002"}]
    assert sorted((m["Dimensions"] for m in listed), key=str) == sorted((CLUSTER, NODES, second), key=str)
    assert {m["MetricName"] for m in listed} == {"CurrItems"}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 6),
        ({"Namespace": "AWS/NATGateway"}, 1),
        ({"Namespace": "AWS/EC2"}, 0),
        ({"MetricName": "UnusedMemory"}, 2),
        ({"Dimensions": [{"Name": "CacheNodeId"}]}, 3),
        ({"Dimensions": [{"Name": "CacheNodeId", "Value": "0002"}]}, 1),
        ({"Dimensions": [{"Name": "CacheClusterId", "Value": "other"}]}, 0),
        ({"RecentlyActive": "PT3H"}, 6),
    ],
)
def test_a_list_is_filtered(cw, asked, count):
    assert len(cw.list_metrics(**asked)["Metrics"]) == count


def test_a_long_list_comes_in_pages(cw, kept):
    kept.add(NOON.timestamp() + 400, {metric("CurrItems", cluster=f"c{n}"): 1.0 for n in range(300)})
    pages = [page["Metrics"] for page in cw.get_paginator("list_metrics").paginate()]
    names = [str(m) for page in pages for m in page]
    assert ([len(page) for page in pages], len(set(names))) == ([500, 106], 606)
    assert refusal(cw.list_metrics, NextToken="invented") == ("InvalidParameterValue", "Invalid nextToken")


def test_metrics_are_seen_by_their_account_in_their_region(paper, kept):  # noqa: ARG001
    theirs = paper.client("cloudwatch", account=OTHER_ACCOUNT)
    assert len(theirs.list_metrics()["Metrics"]) == 2
    assert [p["Sum"] for p in statistics(theirs, "Sum", period=360)] == [42.0]
    assert paper.client("cloudwatch", region="eu-west-1").list_metrics()["Metrics"] == []


def test_statistics_sum_up_each_period(cw):
    found = statistics(cw, "Average", "Sum", "Minimum", "Maximum", "SampleCount", period=180)
    assert found == [
        {"Timestamp": NOON, "Unit": "Count", "Average": 2.0, "Sum": 6.0, "Minimum": 1.0, "Maximum": 3.0,
         "SampleCount": 3.0},
        {"Timestamp": NOON + timedelta(minutes=3), "Unit": "Count", "Average": 5.0, "Sum": 15.0, "Minimum": 4.0,
         "Maximum": 6.0, "SampleCount": 3.0},
    ]  # fmt: skip


def test_a_cluster_is_all_of_its_nodes(cw):
    assert statistics(cw, "Sum", "SampleCount", period=360, of=ITEMS | {"Dimensions": CLUSTER}) == [
        {"Timestamp": NOON, "Unit": "Count", "Sum": 231.0, "SampleCount": 12.0}
    ]


def test_the_end_is_not_in_it(cw):
    assert [p["Sum"] for p in statistics(cw, "Sum", over=(1, 3))] == [2.0, 3.0]


def test_what_is_not_measured_has_no_points(cw):
    assert statistics(cw, "Sum", of=ITEMS | {"MetricName": "Nonsense"}) == []
    assert statistics(cw, "Sum", of=ITEMS | {"Dimensions": []}) == []
    assert statistics(cw, "Sum", Unit="Bytes") == []
    assert len(statistics(cw, "Sum", Unit="Count")) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Statistics": []}, ("InvalidParameterCombination", "At least one of the parameters Statistics")),
        ({"Period": 90}, ("InvalidParameterValue", "The parameter Period must be 1, 5, 10, 30 or a multiple of 60")),
        ({"Period": 0}, ("InvalidParameterValue", "The parameter Period must be")),
        (minutes(5, 5), ("InvalidParameterValue", "The parameter StartTime must be less than")),
        (minutes(0, 1441), ("InvalidParameterCombination", "You have requested up to 1,441 datapoints, which ")),
        ({"ExtendedStatistics": ["p99"]}, ("ValidationError", "Atoll does not support the parameter Extended")),
        ({"Statistics": ["Median"]}, ("ValidationError", "1 validation error detected: Value 'Median'")),
        ({"MetricName": None}, ("ValidationError", "1 validation error detected: Value null at 'MetricName'")),
    ],
)
def test_statistics_are_refused(cw, change, said):
    call = ITEMS | minutes(0, 6) | {"Period": 60, "Statistics": ["Sum"]} | change
    found = refusal(cw.get_metric_statistics, **call)
    assert (found[0], found[1][: len(said[1])]) == said


def test_an_error_is_the_one_that_boto3_knows(cw):
    with pytest.raises(cw.exceptions.InvalidParameterValueException):
        statistics(cw, "Sum", period=90)


def test_queries_are_answered_the_newest_first(cw):
    assert values(cw, query(), query("all", period=180, of=ITEMS | {"Dimensions": CLUSTER})) == {
        "m": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
        "all": [165.0, 66.0],
    }
    assert values(cw, query(stat="Maximum", period=180), ScanBy="TimestampAscending") == {"m": [3.0, 6.0]}


def test_a_result_is_labelled_and_complete(cw):
    (found,) = cw.get_metric_data(MetricDataQueries=[query(period=360)], **minutes(0, 6))["MetricDataResults"]
    assert found == {
        "Id": "m", "Label": "CurrItems", "Timestamps": [NOON], "Values": [21.0], "StatusCode": "Complete",
    }  # fmt: skip
    named = cw.get_metric_data(MetricDataQueries=[query(Label="items")], **minutes(0, 6))["MetricDataResults"]
    assert named[0]["Label"] == "items"


def test_a_query_whose_answer_is_not_wanted_has_none(cw):
    assert values(cw, query(), query("n", ReturnData=False)).keys() == {"m"}
    assert code(values, cw, query(ReturnData=False)) == "ValidationError"


@pytest.mark.parametrize("size", [1, 4, 6, 7, 12, 100])
def test_many_points_come_in_pages(cw, size):
    pages = cw.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query("a"), query("none", of=ITEMS | {"MetricName": "Nonsense"}), query("b", stat="Sum")],
        **minutes(0, 6),
        PaginationConfig={"PageSize": size},
    )
    found = {"a": [], "b": [], "none": []}
    for page in pages:
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= size
        for result in page["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
    assert found == {"a": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "b": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "none": []}


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([], "MetricDataQueries must have 1 to 500 queries, not 0"),
        ([query("M")], "The value M for parameter MetricDataQueries.Id is invalid"),
        ([query(), query()], "The values for parameter Id in MetricDataQueries are not unique: m"),
        ([{"Id": "m"}], "The query m has no MetricStat"),
        ([{"Id": "e", "Expression": "m1 + m2"}], "Atoll does not support metric math (Expression) of a query"),
        ([query(AccountId=ACCOUNT)], "Atoll does not support AccountId of a query"),
        ([query(Period=60)], "Atoll does not support a Period beside MetricStat of a query"),
        ([query(Label="${MAX}")], "Atoll does not support a dynamic Label of a query"),
        ([query(stat="p99")], "Atoll does not support the Stat p99 of the query m: it has Average, "),
    ],
)
def test_queries_are_refused(cw, queries, message):
    found = refusal(values, cw, *queries)
    assert (found[0], found[1][: len(message)]) == ("ValidationError", message)


def test_more_is_refused_by_name(cw):
    assert refusal(values, cw, query(), over=(6, 6))[1] == (
        "The parameter StartTime must be less than the parameter EndTime."
    )
    assert code(values, cw, query(period=90)) == "InvalidParameterValue"
    assert code(values, cw, query(), MaxDatapoints=0) == "ValidationError"
    assert code(values, cw, query(), NextToken="9-9") == "InvalidNextToken"
    assert "LabelOptions" in refusal(values, cw, query(), LabelOptions={"Timezone": "+0100"})[1]
    assert refusal(cw.put_metric_data, Namespace="mine", MetricData=[]) == (
        "InvalidAction", "Atoll does not support the operation PutMetricData.",
    )  # fmt: skip
    assert refusal(cw.list_dashboards)[1] == "Atoll does not support the operation ListDashboards."
    assert code(cw.list_metrics, Dimensions=[{"Name": "a"}] * 11) == "ValidationError"


# Older SDKs


@pytest.mark.parametrize("protocol", ["json", "query", "smithy-rpc-v2-cbor"])
def test_every_protocol_of_the_model_is_spoken(paper, kept, protocol):  # noqa: ARG001
    model = session.client("cloudwatch", region_name=REGION).meta.service_model
    operation = model.operation_model("GetMetricStatistics")

    def ask(period):
        call = ITEMS | minutes(0, 6) | {"Period": period, "Statistics": ["Sum"]}
        made = create_serializer(protocol).serialize_to_request(call, operation)
        body = made["body"] if isinstance(made["body"], bytes) else urlencode(made["body"]).encode()
        scope = f"{ACCOUNT}/20261120/{REGION}/monitoring/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
        headers = {k.lower(): v for k, v in made["headers"].items()} | {"host": "localhost", "authorization": signed}
        headers["x-amz-date"] = "20261120T120000Z"
        out = now(answer(Request("POST", made["url_path"], "", headers, body), paper.backend))
        heard = {"status_code": out.status, "body": out.body}
        heard["headers"] = {k.lower(): v for k, v in out.headers.items()}
        return out, create_parser(protocol).parse(heard, operation.output_shape)

    _, said = ask(180)
    points = [(p["Timestamp"], p["Sum"]) for p in said["Datapoints"]]
    assert points == [(NOON, 6.0), (NOON + timedelta(minutes=3), 15.0)]
    out, said = ask(90)
    assert (out.status, said["Error"]["Code"]) == (400, "InvalidParameterValue")
    if protocol == "json":
        assert json.loads(out.body)["__type"] == "InvalidParameterValueException"
