"""The thousand failovers by hand: what is recorded."""

from tests.failover.rounds import recorded


def test_the_first_sitting_finds_no_record_and_the_next_one_goes_on(tmp_path):
    file = tmp_path / "record"
    assert recorded(None) == recorded(file) == []

    file.write_text('{"rounds": 20}\n{"rounds": 40}\n')

    assert recorded(file) == [{"rounds": 20}, {"rounds": 40}]
