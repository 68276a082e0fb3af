"""The search for a planted bug: a simulation that cannot find one proves nothing."""

from collections.abc import Callable


def search(notices: Callable[[int], object], stories: int, telling: int = 0) -> None:
    """Play stories, by their seeds, until one notices the bug; first the one that did so last.

    Whatever changes a loop makes the stories others.  The search takes longer then: `pytest -s` says which seed to
    begin with from now on.
    """
    for seed in sorted(range(stories), key=lambda seed: seed != telling):
        if notices(seed):
            print(f"found with seed {seed}")
            return
    raise AssertionError(f"nothing was noticed in {stories} stories")
