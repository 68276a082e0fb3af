"""The CloudWatch Logs API, over groups in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from atoll.logs import shelf
from atoll.logs.shelf import Stream
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, refusal

T = 1_764_000_000


class Kept:
    """What was delivered, in memory."""

    def __init__(self):
        self._groups = {
            "/caches/slow": {},
            "flows": {"eni-1-all": [f"2 {n} eni-1 {T + n} {T + 60} OK" for n in range(3)]},
        }
        for node in ("0001", "0002"):
            name = f"elasticache/redis/mem/{node}/slow-log"
            self._groups["/caches/slow"][name] = [f"mem,{node},{T + n},5,GET,10.0.0.4:1,app{n}" for n in range(5)]

    def _of(self, account, region):
        return self._groups if (account, region) == (ACCOUNT, REGION) else {}

    def groups(self, account, region):
        return dict.fromkeys(self._of(account, region), float(T))

    def streams(self, account, region, group):
        return sorted(Stream(name, 100, T + 9.0) for name in self._of(account, region).get(group, ()))

    def lines(self, account, region, group, stream):
        return self._of(account, region)[group][stream]


@pytest.fixture
def logs(paper):
    shelf.read_with(Kept())
    yield paper.client("logs")
    shelf.read_with(shelf._Nothing())


def names(logs, **filters):
    return [group["logGroupName"] for group in logs.describe_log_groups(**filters)["logGroups"]]


def stamps(answer):
    return [event["timestamp"] // 1000 - T for event in answer["events"]]


def test_groups_are_those_that_were_delivered_to_and_those_that_were_made(logs, paper):
    logs.create_log_group(logGroupName="mine")

    assert names(logs) == ["/caches/slow", "flows", "mine"]
    assert names(logs, logGroupNamePrefix="/caches") == ["/caches/slow"]
    assert names(logs, logGroupNamePattern="LOW") == ["/caches/slow", "flows"]
    assert names(paper.client("logs", account=OTHER_ACCOUNT)) == []
    first = logs.describe_log_groups(limit=1)
    assert names(logs, limit=2, nextToken=first["nextToken"]) == ["flows", "mine"]
    assert first["logGroups"][0]["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/caches/slow:*"


def test_a_group_is_made_once_and_deleted_with_what_is_in_it(logs):
    for name in ("mine", "flows"):
        if name == "mine":
            logs.create_log_group(logGroupName=name)
        assert refusal(logs.create_log_group, logGroupName=name)[0] == "ResourceAlreadyExistsException"
        logs.delete_log_group(logGroupName=name)
        gone = "ResourceNotFoundException", "The specified log group does not exist."
        assert refusal(logs.delete_log_group, logGroupName=name) == gone
        assert refusal(logs.describe_log_streams, logGroupName=name) == gone
    assert names(logs) == ["/caches/slow"]
    assert refusal(logs.create_log_group, logGroupName="no blanks")[0] == "InvalidParameterException"


def test_streams_say_when_they_begin_and_end(logs):
    first, second = logs.describe_log_streams(logGroupName="/caches/slow")["logStreams"]

    assert (first["logStreamName"], second["logStreamName"][-13:]) == (
        "elasticache/redis/mem/0001/slow-log",
        "0002/slow-log",
    )
    assert (first["firstEventTimestamp"], first["lastEventTimestamp"]) == (T * 1000, (T + 4) * 1000)
    prefixed = logs.describe_log_streams(
        logGroupName="/caches/slow", logStreamNamePrefix="elasticache/redis/mem/0002"
    )
    assert prefixed["logStreams"] == [second]


def test_the_newest_events_come_first_unless_the_head_is_asked_for(logs):
    stream = {"logGroupName": "/caches/slow", "logStreamName": "elasticache/redis/mem/0001/slow-log"}

    newest = logs.get_log_events(**stream, limit=2)
    assert stamps(newest) == [3, 4]
    assert stamps(logs.get_log_events(**stream, limit=2, nextToken=newest["nextBackwardToken"])) == [1, 2]
    after = logs.get_log_events(**stream, limit=2, nextToken=newest["nextForwardToken"])
    assert (stamps(after), after["nextForwardToken"]) == ([], newest["nextForwardToken"]), (
        "nothing new: the same token"
    )
    assert stamps(logs.get_log_events(**stream, limit=2, startFromHead=True)) == [0, 1]
    assert stamps(logs.get_log_events(**stream, startTime=(T + 1) * 1000, endTime=(T + 3) * 1000)) == [1, 2]
    assert refusal(logs.get_log_events, **stream, nextToken="x")[0] == "InvalidParameterException"


def test_events_of_all_streams_are_filtered_in_the_order_of_their_times(logs):
    group = {"logGroupName": "/caches/slow"}

    assert stamps(logs.filter_log_events(**group)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert stamps(logs.filter_log_events(**group, filterPattern='"GET" app2')) == [2, 2]
    assert stamps(logs.filter_log_events(**group, filterPattern="?app1 ?app3 -0002")) == [1, 3]
    assert stamps(logs.filter_log_events(**group, logStreamNamePrefix="elasticache/redis/mem/0002", limit=2)) == [
        0,
        1,
    ]
    pages = logs.get_paginator("filter_log_events").paginate(**group, PaginationConfig={"PageSize": 3})
    events = [event for page in pages for event in page["events"]]
    assert len({event["eventId"] for event in events}) == len(events) == 10
    assert refusal(logs.filter_log_events, **group, filterPattern="{ $.Id = 1 }")[1] == (
        "A filterPattern that begins with { is not supported here."
    )


def test_a_group_is_found_by_its_arn_too(logs):
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:flows"
    assert stamps(logs.filter_log_events(logGroupIdentifier=arn)) == [0, 1, 2]


def test_groups_have_tags_also_those_that_came_by_themselves(logs):
    logs.create_log_group(logGroupName="mine", tags={"team": "a", "stage": "test"})
    for name in ("mine", "flows"):
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
        logs.tag_resource(resourceArn=arn, tags={"team": "b"})
        logs.untag_resource(resourceArn=arn, tagKeys=["stage"])
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "b"}
    assert names(logs) == ["/caches/slow", "flows", "mine"]
    gone = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:gone"
    assert refusal(logs.list_tags_for_resource, resourceArn=gone)[0] == "ResourceNotFoundException"


def test_a_group_that_is_being_deleted_cannot_be_made_yet(logs):
    logs.delete_log_group(logGroupName="flows")

    assert refusal(logs.create_log_group, logGroupName="flows")[0] == "OperationAbortedException"


def test_a_group_keeps_its_events_as_long_as_it_is_told(logs, paper):
    stream = {"logGroupName": "/caches/slow", "logStreamName": "elasticache/redis/mem/0001/slow-log"}
    begun = datetime.fromtimestamp(T, UTC)

    logs.put_retention_policy(logGroupName="/caches/slow", retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/caches")["logGroups"]
    assert group["retentionInDays"] == 7
    paper.clock = begun + timedelta(days=7, seconds=3)  # and each question is a second later
    assert stamps(logs.get_log_events(**stream)) == [4]
    paper.clock = begun + timedelta(days=7, seconds=2)
    assert stamps(logs.filter_log_events(logGroupName="/caches/slow")) == [3, 3, 4, 4]
    paper.clock = begun + timedelta(days=7, seconds=2)
    (first, _) = logs.describe_log_streams(logGroupName="/caches/slow")["logStreams"]
    assert first["firstEventTimestamp"] == (T + 3) * 1000

    logs.delete_retention_policy(logGroupName="/caches/slow")
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix="/caches")["logGroups"][0]
    assert stamps(logs.get_log_events(**stream)) == [0, 1, 2, 3, 4]


def test_an_event_that_does_not_say_when_it_was_is_kept(logs):
    shelf.shelf()._groups["flows"]["eni-2-all"] = ["eni-2 443 ACCEPT", "eni-2 22 REJECT"]  # of a format without times
    logs.put_retention_policy(logGroupName="flows", retentionInDays=1)

    events = logs.get_log_events(logGroupName="flows", logStreamName="eni-2-all")["events"]
    assert [event["message"] for event in events] == ["eni-2 443 ACCEPT", "eni-2 22 REJECT"]
    found = logs.filter_log_events(logGroupName="flows")["events"]
    assert {event["logStreamName"] for event in found} == {"eni-2-all"}, "all that the other tells of is too old"
    (stream,) = logs.describe_log_streams(logGroupName="flows", logStreamNamePrefix="eni-2")["logStreams"]
    assert stream["creationTime"] == stream["lastIngestionTime"]
    assert not {"firstEventTimestamp", "lastEventTimestamp"} & stream.keys()


def test_a_retention_is_one_of_awss_and_of_a_group_that_exists(logs):
    refused = refusal(logs.put_retention_policy, logGroupName="flows", retentionInDays=2)
    assert refused[0] == "InvalidParameterException"
    assert refused[1].startswith("Invalid retention value. Must be one of: [1, 3, 5, 7, 14, 30,")
    for call, more in ((logs.put_retention_policy, {"retentionInDays": 1}), (logs.delete_retention_policy, {})):
        assert refusal(call, logGroupName="gone", **more)[0] == "ResourceNotFoundException"


def test_a_group_is_of_the_standard_class(logs):
    logs.create_log_group(logGroupName="mine", logGroupClass="STANDARD")
    refused = refusal(logs.create_log_group, logGroupName="cheap", logGroupClass="INFREQUENT_ACCESS")
    assert refused[1] == "A logGroupClass of INFREQUENT_ACCESS is not supported here."
