"""Lessons in the console, over HTTP: the list, opening, check marks, hints, and what may not be done."""

import pytest

from atoll.learn.catalogue import LESSONS
from atoll.learn.texts import text
from tests.console.visitor import Visitor
from tests.daemon.atoll import Atoll

LESSON = LESSONS["lab-route"]
HERE = f"/console/{LESSON.account}/us-east-1/learn/{LESSON.name}"


@pytest.fixture(params=["en", "ko", "zh"])
def pupil(request: pytest.FixtureRequest, atoll: Atoll) -> Visitor:
    atoll.reset()
    return Visitor(atoll, request.param).enter()


def act(pupil: Visitor, what: str):
    return pupil.post(f"/learn/{LESSON.name}/{what}")


def test_all_lessons_are_listed_and_lead_to_their_own_accounts(pupil):
    page = pupil.get("/learn")

    listed = [link for link in page.links() if "/learn/" in link]
    assert listed == [f"/console/{one.account}/us-east-1/learn/{name}" for name, one in LESSONS.items()]
    assert text("first-cache", pupil.language).title in page.main.text


def test_a_lesson_is_shown_in_its_own_account_only(pupil):
    page = pupil.get(f"/learn/{LESSON.name}")

    assert page.url.endswith(HERE)
    assert page.title == text(LESSON.name, pupil.language).title


def test_a_lab_is_opened_hinted_at_and_mended(pupil):
    opened = act(pupil, "open")
    said = text(LESSON.name, pupil.language).steps["mend"]
    assert said.title in opened.main.text
    assert len(opened.main.all("img")) == 1, "the map"
    assert not opened.main.all("pre", id="commands-mend"), "a lab does not tell its repair"

    assert act(pupil, "hint").main.all("ul", **{"class": "hints"})
    checked = act(pupil, "check")
    assert checked.main.all("div", role="status"), "the reason"
    assert not checked.main.all("li", **{"class": "done"})

    ec2 = pupil.atoll.client("ec2", account=LESSON.account)
    gateway = ec2.describe_internet_gateways(Filters=[{"Name": "tag:Name", "Values": ["page"]}])["InternetGateways"]
    table = ec2.describe_route_tables(Filters=[{"Name": "tag:Name", "Values": ["public"]}])["RouteTables"]
    ec2.create_route(
        RouteTableId=table[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway[0]["InternetGatewayId"],
    )  # fmt: skip
    assert act(pupil, "check").main.all("li", **{"class": "done"})


def test_a_check_of_what_is_not_open_says_so(pupil):
    page = act(pupil, "check")

    assert "the lesson lab-route is not open" in page.alert()


def test_what_is_no_lesson_leads_to_the_list(pupil):
    assert pupil.get("/learn/nothing").url.endswith("/learn")
    assert pupil.post("/learn/nothing/open").url.endswith("/learn")
