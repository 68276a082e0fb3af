"""How a target group checks its targets: what a caller may ask for.

Source: ELB API Reference, CreateTargetGroup; User Guide for Network Load Balancers, "Health checks".
"""

import re
from typing import Any

from atoll.aws.operation import Shape
from atoll.elbv2 import errors
from atoll.model.balancer import HealthCheck
from atoll.model.digits import is_number

PROTOCOLS = ("TCP", "HTTP", "HTTPS")
HTTP_TIMEOUT_SECONDS, TCP_TIMEOUT_SECONDS = 6, 10
RANGES = {
    "interval_seconds": ("Health check interval", 5, 300),
    "timeout_seconds": ("Health check timeout", 2, 120),
    "healthy_threshold": ("Healthy threshold count", 2, 10),
    "unhealthy_threshold": ("Unhealthy threshold count", 2, 10),
}
PATH_CHARS_MAX = 1024
_CODES = re.compile(r"[2-5]\d\d(?:-[2-5]\d\d)?(?:,[2-5]\d\d(?:-[2-5]\d\d)?)*")


def health_check(old: HealthCheck | None, enabled: bool | None, matcher: Shape | None, **given: Any) -> HealthCheck:
    """Return a health check with what is given; `old` is the one that is changed, None for a new one."""
    if enabled is False:
        raise errors.BAD_CONFIGURATION(why="Health check enabled must be true for target groups of this target type")
    wanted = {name: value for name, value in given.items() if value is not None}
    protocol = wanted.get("protocol", old.protocol if old else "TCP")
    if protocol not in PROTOCOLS:
        raise errors.INVALID(why=f"Health check protocol '{protocol}' must be one of 'TCP', 'HTTP', 'HTTPS'")
    is_http = protocol != "TCP"
    if old is None:
        wanted.setdefault("timeout_seconds", HTTP_TIMEOUT_SECONDS if is_http else TCP_TIMEOUT_SECONDS)
    for name, (what, low, high) in RANGES.items():
        if name in wanted and not low <= wanted[name] <= high:
            raise errors.INVALID(why=f"{what} must be between {low} and {high}")
    _check_port(wanted.get("port"))
    for name in ("path", "matcher"):
        if not is_http and (wanted.get(name) or (name == "matcher" and matcher)):
            raise errors.BAD_CONFIGURATION(why=f"Health check {name} cannot be specified for protocol TCP")
    if matcher is not None:
        wanted["matcher"] = _codes(matcher)
    if not wanted.get("path", "/").startswith("/") or len(wanted.get("path", "/")) > PATH_CHARS_MAX:
        raise errors.INVALID(why="Health check path must begin with a '/' and have at most 1024 characters")
    made = HealthCheck(**wanted) if old is None else _changed(old, wanted)
    if made.timeout_seconds > made.interval_seconds:
        raise errors.INVALID(why="Health check timeout must be smaller than or equal to the interval")
    return made


def _changed(old: HealthCheck, wanted: dict[str, Any]) -> HealthCheck:
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    return HealthCheck(**{**fields, **wanted})


def _check_port(port: str | None) -> None:
    if port not in (None, "traffic-port") and not (port and is_number(port, 65535) and int(port)):
        raise errors.INVALID(why="Health check port must be 'traffic-port' or a number between 1 and 65535")


def _codes(matcher: Shape) -> str:
    if "GrpcCode" in matcher:
        raise errors.UNSUPPORTED(what="Matcher.GrpcCode", because="health checks speak TCP, HTTP and HTTPS")
    codes = str(matcher.get("HttpCode", ""))
    if not _CODES.fullmatch(codes):
        raise errors.INVALID(why=f"Health check matcher HTTP code '{codes}' must be within '200-599' inclusive")
    return codes


def render(check: HealthCheck) -> Shape:
    """Return a health check's members of a TargetGroup."""
    shape: Shape = {
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
    }
    if check.protocol != "TCP":
        shape |= {"HealthCheckPath": check.path, "Matcher": {"HttpCode": check.matcher}}
    return shape
