"""How far a log was delivered: nothing is lost and nothing comes twice, whenever the daemon is killed."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.control import log_cursor, log_files
from atoll.control.log_cursor import Cursor, tail_of


class Killed(Exception):
    """The daemon's end."""


class Disk:
    """Kills the daemon at the n-th step that changes the disk."""

    def __init__(self, monkeypatch):
        self._left = None
        for module, name in ((log_cursor, "append"), (log_cursor, "rotate"), (os, "replace")):
            monkeypatch.setattr(module, name, self._counted(getattr(module, name)))

    def kill_after(self, steps):
        self._left = steps

    def _counted(self, call):
        def counted(*arguments):
            done = call(*arguments)
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    self._left = None
                    raise Killed
            return done

        return counted


def delivered(stream):
    files = [path for path in (stream.with_name(f"{stream.name}.1"), stream) if path.exists()]
    return [line for path in files for line in path.read_text().splitlines()]


def follow(place, stream, said):
    """Deliver what is new of a log that is `said`, as the loop does."""
    cursor = Cursor(place)
    new = cursor.after(said)
    if new:
        cursor.deliver(stream, new, **tail_of(said))


@pytest.mark.parametrize("steps", range(8))
def test_a_daemon_that_is_killed_at_any_step_loses_and_repeats_nothing(tmp_path, monkeypatch, steps):
    monkeypatch.setattr(log_files, "STREAM_BYTES_MAX", 20)
    disk, place, stream = Disk(monkeypatch), tmp_path / "cursor.json", tmp_path / "group" / "stream.log"
    lines = [f"line {n}" for n in range(6)]
    follow(place, stream, lines[:4])

    disk.kill_after(steps)
    try:
        follow(place, stream, lines)
    except Killed:
        pass
    else:
        assert steps > 2, "there is something to interrupt"
    disk.kill_after(None)
    follow(place, stream, lines)

    assert delivered(stream) == lines


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_a_log_of_which_only_the_newest_is_kept_is_followed(tmp_path_factory, steps):
    place, stream = (tmp_path_factory.mktemp("log") / name for name in ("cursor.json", "stream.log"))
    said = []
    for step in steps:
        said += [f"line {len(said) + n}" for n in range(step)]
        follow(place, stream, said[-45:])

    assert delivered(stream) == said


def test_another_destination_goes_on_where_the_first_ended(tmp_path):
    place, first, second = tmp_path / "cursor.json", tmp_path / "a.log", tmp_path / "b.log"
    follow(place, first, ["1", "2"])

    follow(place, second, ["1", "2", "3"])

    assert (delivered(first), delivered(second)) == (["1", "2"], ["3"])


def test_a_stream_that_somebody_removed_begins_anew(tmp_path):
    place, stream = tmp_path / "cursor.json", tmp_path / "a.log"
    follow(place, stream, ["1", "2"])
    stream.unlink()

    follow(place, stream, ["1", "2", "3"])

    assert delivered(stream) == ["3"]
