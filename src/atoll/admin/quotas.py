"""Quotas for people: what an account may have in a region, and any other value for it, also a smaller one.

Service Quotas, AWS's own API for them, only knows more.
"""

from collections.abc import Mapping
from typing import Any

from atoll.model.digits import is_number
from atoll.model.quota import LIMITS, VALUE_MAX, Limit, Quota, granted, quota_id
from atoll.model.world import Caller, Tx, World

AWS, OURS, ALL = "aws", "default", "all"


class Unclear(ValueError):
    """What is asked for is no quota, or no value of it."""


def described(world: World, caller: Caller) -> list[dict[str, Any]]:
    """Return the quotas of an account in a region."""
    return [
        {
            "service": limit.service,
            "code": limit.code,
            "name": limit.name,
            "value": granted(world, caller.account, caller.region, limit),
            "default": limit.ours,
            "aws": limit.first,
            "most": limit.most,
        }
        for limit in LIMITS
    ]


def wanted(body: Mapping[str, Any]) -> dict[Limit, int]:
    """Return the quotas that a request sets, with their values; raises Unclear."""
    code, value = str(body.get("code", "")), str(body.get("value", ""))
    limits = [one for one in LIMITS if code in (ALL, one.code)]
    if not limits:
        raise Unclear(f"{code!r} is no quota of Atoll's")
    return {limit: _value(limit, value) for limit in limits}


def put(tx: Tx, caller: Caller, values: Mapping[Limit, int]) -> None:
    """Give an account these values; one that it has anyway is not kept."""
    for limit, value in values.items():
        id = quota_id(caller.account, caller.region, limit)
        quota = Quota(
            id=id, account=caller.account, region=caller.region, service=limit.service, code=limit.code, value=value
        )
        if value != limit.ours:
            tx.put(quota)
        elif tx.get(Quota, id):
            tx.delete(quota)


def _value(limit: Limit, text: str) -> int:
    if text in (AWS, OURS):
        return limit.first if text == AWS else limit.ours
    if not (text.isascii() and text.isdecimal()):
        raise Unclear(f"{text!r} is no value: give a number, {AWS} or {OURS}")
    most = limit.most or VALUE_MAX
    if not is_number(text, most):
        raise Unclear(f"{limit.name} ({limit.code}) can be {most} at most")
    return int(text)
