"""Journeys of people with caches, by role and label, in each language."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.seat import WAIT_MS
from tests.daemon.atoll import until

expect.set_options(timeout=WAIT_MS)

NODE = {"CacheNodeType": "cache.t3.micro"}
LANGUAGES = ("en", "ko", "zh")
CACHES = ("group/sessions", "cluster/pages", "serverless/burst")
TABS = ("", "/nodes", "/metrics", "/connect", "/network", "/backups", "/parameters", "/logs", "/events", "/tags")
DRILL_MS = 40_000  # of a failover with its clients, on a machine that does much else


def radio(person, text):
    return person.page.get_by_role("radio", name=re.compile("^" + re.escape(person.say(text))))


def told(person, text, name):
    return str(person.t(text, name=name).unescape())


def number(person, text):
    return person.page.get_by_role("spinbutton", name=person.say(text), exact=True)


def test_a_cache_is_created_by_the_flow(person):
    person.go("/cache/caches").page.get_by_role("link", name=person.say("cache.create"), exact=True).click()
    radio(person, "cache.mode_sharded").check()
    person.field("common.name").fill("orders")
    expect(person.page.locator("#preview")).to_contain_text("orders-0003-002")

    person.press("common.next")
    number(person, "cache.shards").fill("2")
    expect(person.page.locator("#preview")).not_to_contain_text("orders-0003-002")
    person.press("common.previous")
    expect(person.field("common.name")).to_have_value("orders")
    person.press("common.next")
    expect(number(person, "cache.shards")).to_have_value("2")
    for _ in range(4):
        person.press("common.next")
    person.page.get_by_role("button", name=person.say("cache.create"), exact=True).click()

    expect(person.page.get_by_role("heading", level=1)).to_have_text("orders")
    person.sees(person.say("common.status_available"))  # by itself: the page is live
    made = person.atoll.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert [len(group["NodeGroups"]) for group in made] == [2]


def test_a_parameter_group_is_edited_and_reset(person):
    cache = person.atoll.client("elasticache")
    family = cache.describe_cache_engine_versions(Engine="valkey")["CacheEngineVersions"][0]
    cache.create_cache_parameter_group(
        CacheParameterGroupName="mine", CacheParameterGroupFamily=family["CacheParameterGroupFamily"], Description="x"
    )
    person.go("/cache/parameter-groups").page.get_by_role("link", name="mine", exact=True).click()

    person.page.get_by_label("acllog-max-len", exact=True).fill("99999")
    person.press("cache.save_parameters")
    expect(person.page.get_by_role("alert")).to_contain_text("1-10000")
    person.page.get_by_label("acllog-max-len", exact=True).fill("64")
    person.press("cache.save_parameters")
    person.sees(person.say("cache.done_parameters", id="acllog-max-len"))

    person.page.get_by_role("button", name=f"{person.say('cache.reset')} acllog-max-len", exact=True).click()
    person.sees(person.say("cache.done_reset", id="acllog-max-len"))
    expect(person.page.get_by_label("acllog-max-len", exact=True)).to_have_value("128")


@pytest.fixture(scope="module")
def shop(real):
    """A group of three nodes, and an instance that may reach it."""
    cache, ec2 = real.client("elasticache"), real.client("ec2")
    if not cache.describe_cache_engine_versions(Engine="valkey")["CacheEngineVersions"]:
        pytest.skip("NOT TESTED: no Valkey on this machine")
    cache.create_replication_group(
        ReplicationGroupId="sessions", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=3,
        AutomaticFailoverEnabled=True, **NODE,
    )  # fmt: skip
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    runs = [{"Name": "instance-state-name", "Values": ["running"]}]
    until(lambda: ec2.describe_instances(Filters=runs)["Reservations"], 60, "an instance")
    available(cache)
    return cache


def available(cache, name="sessions"):
    def is_so():
        return (
            cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]["Status"]
            == "available"
        )

    until(is_so, 60, f"{name} available")


def primary(cache):
    shard = cache.describe_replication_groups(ReplicationGroupId="sessions")["ReplicationGroups"][0]["NodeGroups"][0]
    return next(m["CacheClusterId"] for m in shard["NodeGroupMembers"] if m["CurrentRole"] == "primary")


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failover_shows_what_clients_saw(sit, real, shop, language):
    available(shop)
    before = primary(shop)
    person = sit(real, language).go("/cache/caches/group/sessions/failover")

    radio(person, "cache.fault_kill").check()
    person.press("cache.start_failover")
    person.sure()

    done = person.page.get_by_role("status").filter(has_text=person.say("cache.drill_done"))
    expect(done).to_contain_text(before, timeout=DRILL_MS)
    person.sees(person.say("cache.happened_first"))
    expect(person.page.get_by_role("img", name=re.compile(re.escape(told(person, "cache.failover_title", "sessions"))))).to_be_visible()  # fmt: skip  # noqa: E501
    expect(person.page.get_by_role("listitem").filter(has_text="promote")).to_be_visible()
    assert primary(shop) != before


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_snapshot_is_taken_and_restored(sit, real, shop, language):
    available(shop)
    person = sit(real, language).go("/cache/caches/group/sessions/backups")
    name, copy = f"before-{language}", f"again-{language}"

    person.field("common.name").fill(name)
    person.press("cache.take_snapshot")
    link = person.page.get_by_role("link", name=name, exact=True)
    expect(person.row(name)).to_contain_text(person.say("common.status_available"))
    link.click()
    person.page.get_by_role("link", name=person.say("cache.restore"), exact=True).click()
    person.sees(told(person, "cache.restores", name))
    person.field("common.name").fill(copy)
    person.press("common.next")
    number(person, "cache.replicas").fill("0")
    person.page.get_by_role("button", name=re.compile(re.escape(person.say("cache.step_review")))).click()
    person.page.get_by_role("button", name=person.say("cache.create"), exact=True).click()

    expect(person.page.get_by_role("heading", level=1)).to_have_text(copy)
    person.sees(person.say("common.status_available"))
    group = shop.describe_replication_groups(ReplicationGroupId=copy)["ReplicationGroups"][0]
    assert len(group["MemberClusters"]) == 1


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("half", [0, 1])
def test_axe_finds_nothing_serious_on_a_caches_pages(sit, atoll, half):
    atoll.reset()
    cache = atoll.client("elasticache")
    cache.create_replication_group(
        ReplicationGroupId="sessions", ReplicationGroupDescription="x", Engine="valkey", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, **NODE,
    )  # fmt: skip
    cache.create_cache_cluster(CacheClusterId="pages", Engine="memcached", NumCacheNodes=2, **NODE)
    cache.create_serverless_cache(ServerlessCacheName="burst", Engine="valkey")
    available(cache)
    somebody = sit(atoll)
    paths = [f"/cache/caches/{CACHES[0]}{tab}" for tab in (*TABS, "/modify", "/delete", "/failover")]
    paths += [f"/cache/caches/{name}{tab}" for name in CACHES[1:] for tab in ("", "/connect", "/network")]
    paths += [f"/cache/create?step={step}" for step in ("engine", "size", "network", "security", "backups", "review")]
    paths += ["/cache/users/create", "/cache/parameter-groups/create", "/cache/subnet-groups/default"]

    found = {path: somebody.go(path).findings() for path in paths[half::2]}

    assert {path: said for path, said in found.items() if said} == {}
