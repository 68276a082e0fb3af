"""The parameters of a group as rows of a table, and the changes that a form asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.console.ask import Ask
from atoll.console.tables import Row, Table, column, table


async def parameters_of(ask: Ask, group: str) -> list[dict[str, Any]]:
    """Return a group's parameters, by name."""
    found = await ask.aws_all("elasticache", "DescribeCacheParameters", "Parameters", CacheParameterGroupName=group)
    return sorted(found, key=lambda one: str(one["ParameterName"]))


def table_of(ask: Ask, rows: Sequence[Row]) -> Table:
    """Return the table of parameters."""
    return table(
        ask,
        rows,
        column("name", "common.name", "ParameterName"),
        column("value", "cache.value", "ParameterValue"),
        column("source", "cache.parameter_source", "Source"),
        column("kind", "cache.parameter_type", "DataType"),
        column("allowed", "cache.allowed", "AllowedValues"),
        column("change", "cache.change_type", "ChangeType"),
    )


def choices_of(parameter: Mapping[str, Any]) -> list[str]:
    """Return the values that may be chosen; none where any number or text may be written."""
    allowed = str(parameter.get("AllowedValues") or "")
    if parameter["DataType"] == "integer" or not allowed or "-" in allowed.split(",")[0][1:]:
        return []
    return [value.strip() for value in allowed.split(",")]
