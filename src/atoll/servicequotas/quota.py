"""Quotas: what holds for the caller, and what AWS begins with."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.model.names import arn
from atoll.model.quota import LIMITS, SERVICES, Limit, allowed
from atoll.model.world import World
from atoll.servicequotas.page import page

NO_SERVICE = Err("NoSuchResourceException", "The request failed because the specified service does not exist.")
NO_QUOTA = Err("NoSuchResourceException", "The request failed because the specified service quota does not exist.")
NO_CONTEXT = Err("IllegalArgumentException", "{code} has no quotas of single resources: it takes no ContextId.")
ACCOUNT, RESOURCE = "ACCOUNT", "RESOURCE"  # the levels at which quotas are applied; all of ours are the account's


@operation("service-quotas", "ListServices")
def list_services(world: World, *, max_results: int | None = None, next_token: str | None = None) -> Shape:  # noqa: ARG001
    """List the services that have quotas here."""
    shown, token = page(sorted(SERVICES), str, max_results, next_token)
    return {"Services": [{"ServiceCode": c, "ServiceName": SERVICES[c]} for c in shown], "NextToken": token}


@operation("service-quotas", "ListServiceQuotas")
def list_service_quotas(
    world: World,
    *,
    service_code: str,
    quota_code: str | None = None,
    quota_applied_at_level: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the quotas of a service, as they hold for the caller."""
    limits = [one for one in _of(service_code) if quota_code in (None, one.code)]
    if quota_applied_at_level == RESOURCE:
        limits = []
    shown, token = page(limits, lambda one: one.code, max_results, next_token)
    return {"Quotas": [render(world, one, allowed(world, one)) for one in shown], "NextToken": token}


@operation("service-quotas", "GetServiceQuota")
def get_service_quota(world: World, *, service_code: str, quota_code: str, context_id: str | None = None) -> Shape:
    """Show a quota, as it holds for the caller."""
    limit = find(service_code, quota_code, context_id)
    return {"Quota": render(world, limit, allowed(world, limit))}


@operation("service-quotas", "ListAWSDefaultServiceQuotas")
def list_aws_default_service_quotas(
    world: World, *, service_code: str, max_results: int | None = None, next_token: str | None = None
) -> Shape:
    """List the quotas of a service, as AWS begins with them."""
    shown, token = page(_of(service_code), lambda one: one.code, max_results, next_token)
    return {"Quotas": [render(world, one, one.first) for one in shown], "NextToken": token}


@operation("service-quotas", "GetAWSDefaultServiceQuota")
def get_aws_default_service_quota(world: World, *, service_code: str, quota_code: str) -> Shape:
    """Show a quota, as AWS begins with it."""
    limit = find(service_code, quota_code)
    return {"Quota": render(world, limit, limit.first)}


def find(service_code: str, quota_code: str, context_id: str | None = None) -> Limit:
    """Return a quota by its codes; raises NO_SERVICE, NO_QUOTA, NO_CONTEXT."""
    limit = next((one for one in _of(service_code) if one.code == quota_code), None)
    if limit is None:
        raise NO_QUOTA()
    if context_id is not None:
        raise NO_CONTEXT(code=quota_code)
    return limit


def quota_arn(world: World, limit: Limit) -> str:
    """Return the ARN of a caller's quota."""
    assert world.caller, "only a caller has quotas"
    return arn("servicequotas", world.caller.region, world.caller.account, f"{limit.service}/{limit.code}")


def render(world: World, limit: Limit, value: int) -> Shape:
    """Return a quota as AWS shows it."""
    return {
        "ServiceCode": limit.service,
        "ServiceName": SERVICES[limit.service],
        "QuotaArn": quota_arn(world, limit),
        "QuotaCode": limit.code,
        "QuotaName": limit.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": ACCOUNT,
    }


def _of(service_code: str) -> Sequence[Limit]:
    if service_code not in SERVICES:
        raise NO_SERVICE()
    return [one for one in LIMITS if one.service == service_code]
