"""The tools in a real browser, on real packets: a refused flow on the map leads to its rule, and is mended there."""

import re

import pytest
from playwright.sync_api import expect

from tests.daemon.atoll import until

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def shop(real):
    """Run an application, and a cache whose group admits nobody."""
    ec2, elasticache = real.client("ec2"), real.client("elasticache")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    shut = ec2.create_security_group(GroupName="shut", Description="nobody", VpcId=vpc)["GroupId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    app = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    elasticache.create_cache_cluster(
        CacheClusterId="carts", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro",
        SecurityGroupIds=[shut],
    )  # fmt: skip
    caches = real.status

    def is_up():
        found = caches()
        return [c for c in found["caches"] if c["status"] == "available"] and all(
            i["state"] == "running" for i in found["instances"]
        )

    until(is_up, 60, "the cache and the instance")
    node = caches()["caches"][0]["nodes"][0]
    return {"vpc": vpc, "shut": shut, "app": app["InstanceId"], "address": node["address"]}


def knocks(real, shop):
    """Tell whether the application reaches the cache."""
    command = f"timeout 2 bash -c 'exec 9<>/dev/tcp/{shop['address']}/11211' && echo yes"
    return "yes" in real.inside(shop["app"], command, ok=False)


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_a_refused_flow_on_the_map_leads_to_its_rule_and_is_mended(sit, real, shop, language):
    assert not knocks(real, shop)
    person = sit(real, language).go("/tools/map")
    refused = person.page.locator("li.blocked", has_text="11211").first
    expect(refused).to_contain_text(shop["shut"], timeout=20_000)
    expect(person.page.locator(".atoll-map .stop").first).to_be_attached()

    refused.get_by_role("link", name=person.say("map.why"), exact=True).click()
    person.sees(person.say("why.not_reachable"))
    expect(person.page.locator(".step.refused")).to_have_count(1)
    assert not person.findings()
    person.button("why.apply").first.click()
    person.sees(person.say("why.reachable"))

    assert knocks(real, shop)
    (group,) = real.client("ec2").describe_security_groups(GroupIds=[shop["shut"]])["SecurityGroups"]
    real.client("ec2").revoke_security_group_ingress(GroupId=shop["shut"], IpPermissions=group["IpPermissions"])


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_a_fault_is_begun_counts_down_and_is_mended(sit, real, shop, language):
    person = sit(real, language).go("/tools/chaos")
    person.field("chaos.act").select_option("partition-instance")
    person.field("chaos.target").fill(shop["app"])
    person.field("chaos.seconds").fill("300")
    person.press("chaos.do_it")
    person.sure()
    expect(person.page.get_by_role("timer")).to_have_text(re.compile(r"2\d\d|300"))

    person.page.get_by_role("button", name=re.compile("fault-")).click()

    person.sees(person.say("chaos.whole"))


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_a_call_is_made_again_from_the_activity(sit, real, language):
    before = len(real.client("ec2").describe_vpcs()["Vpcs"])
    real.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")
    person = sit(real, language).go("/tools/activity?q=CreateVpc")
    person.page.get_by_role("link", name="ec2 CreateVpc").first.click()
    person.press("activity.make_again")
    person.sure()

    person.sees("ec2 CreateVpc")
    until(lambda: len(real.client("ec2").describe_vpcs()["Vpcs"]) >= before + 2, 10, "the VPC")
