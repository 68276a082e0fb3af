"""The frame of every page in a real browser: keys, looks, live parts, axe."""

import pytest
from playwright.sync_api import expect

from atoll.console import site

site.load()
MENU = [entry.path for entry in site.MENU]


def test_keys_alone_lead_anywhere(sit, atoll):
    somebody = sit(atoll).go("/patterns")
    page = somebody.page

    page.keyboard.press("Tab")
    expect(somebody.link("common.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("failed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(25)


def test_an_act_that_cannot_be_undone_asks_first(person):
    person.go("/patterns")

    person.button("common.delete").click()
    person.page.get_by_role("dialog").get_by_role("button", name=person.say("common.cancel"), exact=True).click()
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    person.button("common.delete").click()
    person.sure()
    person.sees(person.say("common.done_nothing", id="").strip())


def test_what_happens_elsewhere_appears_by_itself(person):
    tile = person.go("/").page.get_by_role("link", name=person.say("vpc.vpcs")).filter(has_text="1")
    expect(tile).to_be_visible()

    person.atoll.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    expect(person.page.locator(".tile", has_text=person.say("vpc.vpcs"))).to_contain_text("2")


def test_looks_are_chosen_and_kept(sit, atoll):
    somebody = sit(atoll).go("/patterns")

    somebody.field("common.theme").select_option("dark")
    expect(somebody.page.locator("html")).to_have_attribute("data-theme", "dark")
    somebody.field("common.language").select_option("ko")
    expect(somebody.page.locator("html")).to_have_attribute("lang", "ko")
    assert somebody.go("/").page.locator("html").get_attribute("data-theme") == "dark"


def test_a_form_shows_its_call_before_it_is_made(person):
    person.go("/patterns")
    expect(person.page.locator("#drawer-cli")).to_be_hidden()
    person.page.get_by_text(person.say("common.as_code", count=0)).click()
    expect(person.page.locator("#drawer-cli")).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("half", [0, 1])
def test_axe_finds_nothing_serious(sit, atoll, half):
    somebody = sit(atoll)
    found = {path: somebody.go(path).findings() for path in [*MENU, "/patterns"][half::2]}
    assert {path: said for path, said in found.items() if said} == {}


def test_nothing_is_wider_than_a_telephone(sit, atoll):
    somebody = sit(atoll, viewport={"width": 390, "height": 800})
    wide = [
        path
        for path in [*MENU, "/patterns"]
        if somebody.go(path).page.evaluate("document.documentElement.scrollWidth > innerWidth")
    ]
    assert wide == []
