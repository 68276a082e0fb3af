"""The order of the files: those that may take longest begin first, or the last of them would run alone at the end."""

from collections import defaultdict

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest: defaultdict[str, float] = defaultdict(float)
    for item in items:
        if (mark := item.get_closest_marker("timeout")) and mark.args:
            longest[item.location[0]] = max(longest[item.location[0]], mark.args[0])
    items.sort(key=lambda item: -longest[item.location[0]])
