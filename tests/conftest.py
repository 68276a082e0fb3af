"""What holds for all tests.

Of the files those that may take longest begin first, or the last of them would run alone at the end.  No example of
Hypothesis has a deadline: how long one takes is a matter of what else the machine does.
"""

from collections import defaultdict

import pytest
from hypothesis import settings

settings.register_profile("atoll", deadline=None)
settings.load_profile("atoll")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest: defaultdict[str, float] = defaultdict(float)
    for item in items:
        if (mark := item.get_closest_marker("timeout")) and mark.args:
            longest[item.location[0]] = max(longest[item.location[0]], mark.args[0])
    items.sort(key=lambda item: -longest[item.location[0]])
