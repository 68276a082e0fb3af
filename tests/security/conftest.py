"""An instance with a hostile root in it."""

import pytest

from tests.kernel.conftest import in_child, mode, place  # noqa: F401  # fixtures
from tests.kernel.test_guest import Site


@pytest.fixture
def hostile(place, mode):  # noqa: F811
    """Run a function with a booted instance, in a child: entering namespaces is for good."""

    def run(steps, **wanted):
        def child():
            made = Site(place, mode, **wanted)
            try:
                made.boot()
                steps(made)
            except BaseException:
                print(made.console())
                raise
            finally:
                made.keeper.destroy()

        in_child(child, rootless=mode == "rootless")

    return run
