"""Pictures by arithmetic: axes, charts with their gaps, the slots bar and the time line."""

from xml.etree import ElementTree

import pytest

from atoll.console.draw.chart import Frame, Line, chart, runs
from atoll.console.draw.scale import time_ticks, value_text, value_ticks
from atoll.console.draw.slots_bar import Share, bar, ranges_of
from atoll.console.draw.time_line import Bucket, Happening, Story, Words, time_line

HOUR = Frame(start=36_000, end=39_600, period_seconds=60, empty="No data", time="Time", table="As a table")
WORDS = Words(
    title="Failover",
    writes="writes",
    outage="{ms} ms without a write",
    write_errors="{at} ms: {writes} writes, {errors} errors",
)


def elements(text, name):
    return list(ElementTree.fromstring(text).iter(name))


@pytest.mark.parametrize(
    ("low", "high", "unit", "ticks"),
    [
        (0, 0, "Count", (0, 1)),
        (3, 7, "Count", (0, 2, 4, 6, 8)),
        (0, 1, "Count", (0, 1)),
        (0, 0.07, "Percent", (0, 0.02, 0.04, 0.06, 0.08)),
        (0, 3 << 20, "Bytes", (0, 1 << 20, 2 << 20, 3 << 20)),
        (-5, 5, "Count", (-5, 0, 5)),
    ],
    ids=["nothing", "small counts", "no halves of a count", "percent", "powers of two", "below zero"],
)
def test_ticks_are_round_and_hold_all_values(low, high, unit, ticks):
    assert value_ticks(low, high, unit) == pytest.approx(ticks)


def test_ticks_of_time_are_whole_minutes():
    assert time_ticks(36_010, 39_610) == (36_600, 37_200, 37_800, 38_400, 39_000, 39_600)
    assert len(time_ticks(0, 400 * 86_400)) <= 8


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1536, "Bytes", "1.5 KiB"),
        (0, "Bytes", "0 B"),
        (12.345, "Percent", "12.3 %"),
        (1234, "Count", "1,234"),
        (1_250_000, "Count", "1.25 M"),
        (0.5, "Seconds", "0.5 s"),
    ],
)
def test_values_are_written_as_people_read_them(value, unit, text):
    assert value_text(value, unit) == text


def test_a_line_ends_where_nothing_was_measured():
    line = Line("n", ((0, 1), (60, 2), (300, 3)))

    assert runs(line, 90) == [((0, 1), (60, 2)), ((300, 3),)]


def test_a_chart_shows_lines_legend_and_table():
    lines = [
        Line("one-001", ((36_060, 1.0), (36_120, 2.0), (36_600, 4.0))),
        Line("<b>&two", ((36_060, 3.0),)),
        Line("silent", ((35_000, 9.0),)),
    ]

    drawn = chart("Connections", lines, "Count", HOUR)

    assert [e.text for e in elements(drawn, "caption")] == ["Connections"]
    drawn_lines = [e for e in elements(drawn, "path") if e.get("class") == "line c0" and len(e.get("d")) > 10]
    assert len(drawn_lines) == 1, "a run of two points; the single point is a spot"
    assert [e.text for e in elements(drawn, "title")] == [
        "10:01:00\none-001: 1\n<b>&two: 3", "10:02:00\none-001: 2", "10:10:00\none-001: 4",
    ]  # fmt: skip
    rows = [[cell.text for cell in row] for row in elements(drawn, "tr")]
    assert rows[0] == ["Time", "one-001", "<b>&two", "silent"]
    assert rows[1] == ["10:10:00", "4", "–", "–"]
    assert len(elements(drawn, "li")) == 3


def test_a_chart_without_values_says_so():
    drawn = chart("Hits", [Line("n", ())], "Count", HOUR)

    assert "No data" in [e.text for e in elements(drawn, "text")]
    assert not elements(drawn, "table")


def test_a_bar_shows_whose_slots_are_where_and_which_are_nobodys():
    shares = [Share("0001", ranges_of("0-8191")), Share("0002", ranges_of("8192-16000,16002"))]

    drawn = bar(shares, "Slots")

    svg = ElementTree.fromstring(drawn)
    assert svg.get("aria-label") == "Slots: 0001: 8,192, 0002: 7,810"
    assert [e.text for e in svg.iter("title")] == ["0001: 0–8191", "0002: 8192–16000", "0002: 16002–16002"]
    rects = [e for e in svg.iter("rect") if e.get("class") != "nobody"]
    assert float(rects[0].get("width")) == 500
    assert [e.text for e in svg.iter("text")] == ["0001", "0002"], "the single slot has no room for a name"


def test_no_slots_are_no_ranges():
    assert ranges_of("") == ()


def story(**changed):
    given = {
        "buckets": (Bucket(-100, 50, 0), Bucket(0, 0, 3), Bucket(100, 40, 0)),
        "bucket_ms": 100,
        "happenings": (Happening(104, "first write", "good"), Happening(0, "fault: kill", "fault")),
        "outage_ms": (0.0, 104.0),
        "from_ms": -200,
        "until_ms": 400,
    } | changed
    return Story(**given)


def test_a_time_line_tells_the_outage_and_what_happened_in_order():
    drawn = time_line(story(), WORDS)

    figure = ElementTree.fromstring(drawn)
    assert figure.find("svg").get("aria-label") == "Failover: 104.0 ms without a write"
    told = ["".join(e.itertext()) for e in figure.iter("li")]
    assert told == ["1+0.0 ms fault: kill", "2+104.0 ms first write"]
    (outage,) = [e for e in figure.iter("g") if e.get("class") == "outage"]
    assert float(outage.find("rect").get("width")) == pytest.approx(104 / 600 * 832, abs=1)
    assert "+0 ms: 0 writes, 3 errors" in [e.text for e in figure.iter("title")]


def test_marks_that_would_cover_each_other_share_one():
    many = tuple(Happening(float(n), f"step {n}") for n in range(4))

    drawn = time_line(story(happenings=many), WORDS)

    assert "1–4" in [e.text for e in elements(drawn, "text")]


def test_markup_in_a_happening_is_text():
    drawn = time_line(story(happenings=(Happening(1, "<script>x</script>"),)), WORDS)

    assert not elements(drawn, "script")
