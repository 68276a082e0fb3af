"""A lesson in a real browser, in three languages: the first steps, whose check marks turn by themselves."""

import re

from playwright.sync_api import expect

from atoll.learn.catalogue import LESSONS
from atoll.learn.texts import text
from tests.browser.seat import WAIT_MS

LESSON = LESSONS["first-cache"]


def steps(person):
    return person.page.get_by_role("list", name=person.say("learn.steps")).get_by_role("listitem")


def is_done(person, title):
    marked = f"{title} {person.say('learn.done')}"
    expect(person.page.get_by_role("heading", level=2, name=marked, exact=True)).to_be_visible(timeout=WAIT_MS)


def test_the_first_steps_of_a_lesson_get_their_check_marks(person):
    said = text(LESSON.name, person.t.language)
    person.go("/learn").page.get_by_role("link", name=said.title, exact=True).click()
    person.press("learn.open")
    expect(steps(person).filter(has_text=said.steps["subnet-group"].title)).to_have_attribute("aria-current", "step")
    expect(person.page.get_by_role("img", name="shop").first).to_be_visible()

    person.press("learn.hint", count=2)
    expect(person.page.get_by_role("list").filter(has_text="describe-route-tables").first).to_be_visible()
    person.press("learn.check")
    expect(person.page.get_by_role("status").filter(has_text="shop")).to_be_visible()

    shown = person.page.get_by_role("region", name=person.say("learn.commands")).inner_text()
    subnet = re.search(r"subnet-[0-9a-f]{17}", shown)
    assert subnet, shown
    cache = person.atoll.client("elasticache", account=LESSON.account)
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="shop", CacheSubnetGroupDescription="private", SubnetIds=[subnet[0]]
    )
    is_done(person, said.steps["subnet-group"].title)  # nobody pressed anything

    ec2 = person.atoll.client("ec2", account=LESSON.account)
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["cache"]}])
    cache.create_replication_group(
        ReplicationGroupId="sessions", ReplicationGroupDescription="sessions", Engine="valkey",
        CacheNodeType="cache.t3.micro", NumCacheClusters=1, CacheSubnetGroupName="shop",
        SecurityGroupIds=[groups["SecurityGroups"][0]["GroupId"]],
    )  # fmt: skip
    is_done(person, said.steps["create"].title)
    if person.axe:
        assert person.findings() == []
