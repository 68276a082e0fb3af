"""The Service Quotas API: what holds, what AWS begins with, and requests for more; over AWS's JSON protocol."""

import contextlib
import json

import pytest

from atoll.admin import quotas as private
from atoll.aws.answer import answer
from atoll.aws.http import Request
from atoll.model import quota
from atoll.model.quota import LIMITS, SERVICES
from atoll.model.world import Caller
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, as_received, code, ids, now, refusal, session

VPCS = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}


@pytest.fixture
def sq(paper):
    return paper.client("service-quotas")


def value(sq, **which):
    return sq.get_service_quota(**(VPCS | which))["Quota"]["Value"]


def test_the_services_with_quotas_are_listed(sq):
    assert ids(sq.list_services()["Services"], "ServiceCode") == sorted(SERVICES)


def test_a_quota_is_shown_as_it_holds_and_as_aws_begins_with_it(sq):
    shown = sq.get_service_quota(**VPCS)["Quota"]
    assert shown == {
        "ServiceCode": "vpc", "ServiceName": "Amazon Virtual Private Cloud (Amazon VPC)",
        "QuotaArn": f"arn:aws:servicequotas:us-east-1:{ACCOUNT}:vpc/L-F678F1CE", "QuotaCode": "L-F678F1CE",
        "QuotaName": "VPCs per Region", "Value": 100.0, "Unit": "None", "Adjustable": True, "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }  # fmt: skip
    assert sq.get_aws_default_service_quota(**VPCS)["Quota"]["Value"] == 5.0


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_all_quotas_of_a_service_come_in_pages(sq, service):
    for listing in ("list_service_quotas", "list_aws_default_service_quotas"):
        pages = sq.get_paginator(listing).paginate(ServiceCode=service, PaginationConfig={"PageSize": 2})
        found = [q["QuotaCode"] for page in pages for q in page["Quotas"]]
        assert sorted(found) == sorted(limit.code for limit in LIMITS if limit.service == service)
    (one,) = sq.list_service_quotas(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quotas"]
    assert one["QuotaName"] == "VPCs per Region"
    assert sq.list_service_quotas(ServiceCode="vpc", QuotaAppliedAtLevel="RESOURCE")["Quotas"] == []


def test_a_request_for_more_is_approved_and_holds(ec2, sq, paper):
    caller = Caller(account=ACCOUNT, region=REGION, arn="")
    paper.write(lambda tx: private.put(tx, caller, {quota.VPCS: 1}))
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "VpcLimitExceeded"
    made = sq.request_service_quota_increase(**VPCS, DesiredValue=2, SupportCaseAllowed=True)["RequestedQuota"]
    assert (made["Status"], made["DesiredValue"], made["QuotaName"]) == ("APPROVED", 2.0, "VPCs per Region")
    assert json.loads(made["Requester"])["accountId"] == ACCOUNT
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert value(sq) == 2.0
    assert sq.get_requested_service_quota_change(RequestId=made["Id"])["RequestedQuota"] == made
    history = sq.list_requested_service_quota_change_history(ServiceCode="vpc")["RequestedQuotas"]
    assert history == [made]
    by_quota = sq.list_requested_service_quota_change_history_by_quota
    assert by_quota(**VPCS)["RequestedQuotas"] == [made]
    assert by_quota(**VPCS, Status="PENDING")["RequestedQuotas"] == []
    assert by_quota(ServiceCode="vpc", QuotaCode="L-407747CB")["RequestedQuotas"] == []
    assert sq.list_requested_service_quota_change_history(ServiceCode="ec2")["RequestedQuotas"] == []


def test_a_quota_is_of_one_account_in_one_region(paper, sq):
    sq.request_service_quota_increase(**VPCS, DesiredValue=150)
    assert value(paper.client("service-quotas", account=OTHER_ACCOUNT)) == 100.0
    assert value(paper.client("service-quotas", region="eu-west-1")) == 100.0


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"DesiredValue": 100}, "IllegalArgumentException"),
        ({"DesiredValue": 7}, "IllegalArgumentException"),
        ({"DesiredValue": 101.5}, "IllegalArgumentException"),
        ({"DesiredValue": 200, "ContextId": "x"}, "IllegalArgumentException"),
        ({"DesiredValue": 200, "QuotaCode": "L-407747CC"}, "NoSuchResourceException"),
        ({"DesiredValue": 200, "ServiceCode": "s3"}, "NoSuchResourceException"),
        ({"DesiredValue": 1001, "QuotaCode": "L-93826ACB"}, "IllegalArgumentException"),
        ({}, "ValidationException"),
        ({"DesiredValue": True}, "ValidationException"),
        ({"DesiredValue": 200, "SupportCaseAllowed": "yes"}, "ValidationException"),
    ],
)
def test_a_request_that_cannot_be_is_refused(sq, what, expected):
    assert code(sq.request_service_quota_increase, **(VPCS | what)) == expected


def test_other_refusals_have_their_codes_and_words(sq):
    assert refusal(sq.get_service_quota, ServiceCode="s3", QuotaCode="L-1") == (
        "NoSuchResourceException", "The request failed because the specified service does not exist.",
    )  # fmt: skip
    assert refusal(sq.get_service_quota, ServiceCode="vpc", QuotaCode="L-1") == (
        "NoSuchResourceException", "The request failed because the specified service quota does not exist.",
    )  # fmt: skip
    assert code(sq.get_requested_service_quota_change, RequestId="x") == "NoSuchResourceException"
    assert code(sq.list_service_quotas, ServiceCode="vpc", MaxResults=101) == "IllegalArgumentException"
    assert code(sq.list_service_quotas, ServiceCode="vpc", NextToken="x") == "InvalidPaginationTokenException"
    assert refusal(sq.list_tags_for_resource, ResourceARN="x") == (
        "UnknownOperationException", "Atoll does not support the operation ListTagsForResource.",
    )  # fmt: skip
    assert code(sq.list_service_quotas, ServiceCode="vpc", QuotaAppliedAtLevel="MOON") == "ValidationException"


# ---- the wire


def spoken(paper, target, body, **headers):
    """Send a signed JSON request as it is; returns status, headers and what the body says."""
    made = session.client(
        "service-quotas", region_name=REGION, endpoint_url="http://localhost:4566", aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )  # fmt: skip
    caught = {}
    made.meta.events.register("before-send", lambda request, **_: caught.update(request=request) or _Stop())
    with contextlib.suppress(AttributeError):
        made.list_services()
    whole = as_received(caught["request"])
    headers = {k: v for k, v in whole.headers.items() if k != "x-amz-target"} | headers
    if target is not None:
        headers["x-amz-target"] = target
    out = now(answer(Request(whole.method, whole.path, whole.query, headers, body), paper.backend))
    return out.status, out.headers, json.loads(out.body)


class _Stop:
    """Ends a call of botocore once its request is made."""


NAME = "ServiceQuotasV20190624"


def test_answers_and_errors_are_json_of_the_protocol(paper):
    status, headers, body = spoken(paper, f"{NAME}.ListServices", b'{"MaxResults": 1, "NextToken": null}')
    assert (status, headers["Content-Type"]) == (200, "application/x-amz-json-1.1")
    assert body["Services"][0]["ServiceCode"] == "ec2"
    status, headers, body = spoken(paper, f"{NAME}.GetServiceQuota", b"{}")
    assert (status, body["__type"]) == (400, "ValidationException")
    assert headers["x-amzn-ErrorType"] == "ValidationException"
    assert "'ServiceCode'" in body["message"]


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        (None, b"{}", "MissingAction"),
        (f"{NAME}.Nonsense", b"{}", "UnknownOperationException"),
        (f"{NAME}.ListServices", b"{", "ValidationException"),
        (f"{NAME}.ListServices", b"[]", "ValidationException"),
        (f"{NAME}.ListServices", b'{"Colour": 1}', "ValidationException"),
        (f"{NAME}.ListServices", b'{"MaxResults": "1"}', "ValidationException"),
        (f"{NAME}.ListServices", b'{"MaxResults": NaN}', "ValidationException"),
        (f"{NAME}.ListServices", b"[" * 100_000, "ValidationException"),
        (f"{NAME}.ListServices", b"x" * ((1 << 20) + 1), "RequestEntityTooLarge"),
    ],
    ids=[
        "no target",
        "no such operation",
        "no JSON",
        "no object",
        "unknown member",
        "not its type",
        "not a number",
        "too deep",
        "too large",
    ],
)
def test_what_is_no_request_is_refused_in_json(paper, target, body, expected):
    status, headers, said = spoken(paper, target, body)
    assert 400 <= status < 500
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert said["__type"] == expected
