"""CacheUsageLimits.  Source: ElastiCache API Reference, CacheUsageLimits, DataStorage, ECPUPerSecond."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.elasticache import errors
from atoll.model.serverless import UsageLimits

DATA_MAX_GB, ECPU_MIN, ECPU_MAX = 5_000, 1_000, 15_000_000

ORDER = Err("InvalidParameterValue", "The Minimum of {name} must not be greater than its Maximum.")


def limits_of(shape: Shape | None) -> UsageLimits:
    """Check limits as given."""
    data, ecpu = (shape or {}).get("DataStorage") or {}, (shape or {}).get("ECPUPerSecond") or {}
    if data and data.get("Unit") != "GB":
        raise errors.BAD_VALUE(got=data.get("Unit"), name="CacheUsageLimits.DataStorage.Unit", why="Must be GB.")
    low, high = _pair(data, "DataStorage", 1, DATA_MAX_GB)
    slow, fast = _pair(ecpu, "ECPUPerSecond", ECPU_MIN, ECPU_MAX)
    return UsageLimits(data_min_gb=low, data_max_gb=high, ecpu_min=slow, ecpu_max=fast)


def _pair(shape: Shape, name: str, low: int, high: int) -> tuple[int | None, int | None]:
    least, most = shape.get("Minimum"), shape.get("Maximum")
    for value, which in ((least, "Minimum"), (most, "Maximum")):
        if value is not None and not low <= value <= high:
            why = f"Must be between {low} and {high}."
            raise errors.BAD_VALUE(got=value, name=f"CacheUsageLimits.{name}.{which}", why=why)
    if least is not None and most is not None and least > most:
        raise ORDER(name=name)
    return least, most
