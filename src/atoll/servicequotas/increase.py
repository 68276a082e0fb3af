"""Requests for more: each is approved at once, and holds from the next call on."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.model.quota import LIMITS, SERVICES, VALUE_MAX, Limit, Quota, QuotaRequest, allowed, quota_id
from atoll.model.world import Tx, World
from atoll.servicequotas.page import page
from atoll.servicequotas.quota import ACCOUNT, RESOURCE, find, quota_arn

NOT_MORE = Err(
    "IllegalArgumentException",
    "You must provide a quota value greater than the current quota value. Current value: {value}, DesiredValue: "
    "{desired}",
)
NOT_WHOLE = Err("IllegalArgumentException", "The quota value {desired} is not a whole number.")
TOO_MUCH = Err("IllegalArgumentException", "The quota {name} can be {most} at most.")
NO_REQUEST = Err("NoSuchResourceException", "The request failed because the specified request does not exist.")
APPROVED = "APPROVED"


@operation("service-quotas", "RequestServiceQuotaIncrease")
def request_service_quota_increase(
    tx: Tx,
    *,
    service_code: str,
    quota_code: str,
    desired_value: float,
    context_id: str | None = None,
    support_case_allowed: bool = True,
) -> Shape:
    """Ask for more; nobody reads requests here, so there is never a support case."""
    del support_case_allowed
    limit = find(service_code, quota_code, context_id)
    value, most = allowed(tx.world, limit), limit.most or VALUE_MAX
    if desired_value <= value:
        raise NOT_MORE(value=value, desired=desired_value)
    if desired_value != int(desired_value):
        raise NOT_WHOLE(desired=desired_value)
    if desired_value > most:
        raise TOO_MUCH(name=limit.name, most=most)
    assert tx.caller, "somebody asks"
    codes = {"service": limit.service, "code": limit.code, "value": int(desired_value)}
    tx.make(Quota, quota_id(tx.account, tx.region, limit), **codes)
    request = tx.make(QuotaRequest, tx.new_hex(32), **codes, requester=tx.caller.arn, created=tx.now)
    return {"RequestedQuota": _render(tx.world, request)}


@operation("service-quotas", "GetRequestedServiceQuotaChange")
def get_requested_service_quota_change(world: World, *, request_id: str) -> Shape:
    """Show a request."""
    request = world.get(QuotaRequest, request_id)
    if request is None:
        raise NO_REQUEST()
    return {"RequestedQuota": _render(world, request)}


@operation("service-quotas", "ListRequestedServiceQuotaChangeHistory")
def list_requested_service_quota_change_history(
    world: World,
    *,
    service_code: str | None = None,
    status: str | None = None,
    quota_requested_at_level: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the caller's requests."""
    return _history(world, service_code, None, (status, quota_requested_at_level), (max_results, next_token))


@operation("service-quotas", "ListRequestedServiceQuotaChangeHistoryByQuota")
def list_requested_service_quota_change_history_by_quota(
    world: World,
    *,
    service_code: str,
    quota_code: str,
    status: str | None = None,
    quota_requested_at_level: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the caller's requests for one quota."""
    limit = find(service_code, quota_code)
    return _history(world, service_code, limit, (status, quota_requested_at_level), (max_results, next_token))


def _history(
    world: World,
    service: str | None,
    limit: Limit | None,
    which: tuple[str | None, str | None],
    paging: tuple[int | None, str | None],
) -> Shape:
    status, level = which
    found = [
        request
        for request in world.all(QuotaRequest)
        if service in (None, request.service)
        and (limit is None or request.code == limit.code)
        and status in (None, APPROVED)
        and level != RESOURCE
    ]
    shown, token = page(found, lambda r: r.id, *paging)
    return {"RequestedQuotas": [_render(world, r) for r in shown], "NextToken": token}


def _render(world: World, r: QuotaRequest) -> Shape:
    limit = next(one for one in LIMITS if (one.service, one.code) == (r.service, r.code))
    return {
        "Id": r.id,
        "ServiceCode": r.service,
        "ServiceName": SERVICES[r.service],
        "QuotaCode": r.code,
        "QuotaName": limit.name,
        "DesiredValue": float(r.value),
        "Status": APPROVED,
        "Created": r.created,
        "LastUpdated": r.created,
        "Requester": f'{{"accountId":"{r.account}","callerArn":"{r.requester}"}}',
        "QuotaArn": quota_arn(world, limit),
        "GlobalQuota": False,
        "Unit": "None",
        "QuotaRequestedAtLevel": ACCOUNT,
    }
