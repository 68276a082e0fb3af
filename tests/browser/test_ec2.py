"""Journeys through EC2 and VPC, in each language, by role and label; and a terminal that is real."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.console.stage import place
from tests.daemon.atoll import Atoll, own_mode, running, until


def test_a_network_is_made_and_an_instance_launched_in_it(person):
    page = person.go("/vpc/vpcs").page
    person.link("common.create").click()
    person.field("common.name").fill("shop")
    person.field("vpc.cidr").fill("10.20.0.0/16")
    person.press("common.create")
    expect(page.get_by_role("heading", name="shop")).to_be_visible()

    person.link("vpc.create_subnet").click()
    person.field("vpc.cidr").fill("10.21.0.0/24")
    person.press("common.create")
    expect(page.get_by_role("alert")).to_contain_text("InvalidSubnet.Range")
    person.field("vpc.cidr").fill("10.20.1.0/24")
    person.press("common.create")
    person.sees("10.20.1.0/24")

    person.go("/ec2/instances/launch")
    person.field("common.name").fill("web")
    person.pick("vpc.subnet", "10.20.1.0/24")
    person.pick("ec2.image", "x86_64")
    person.button("ec2.launch").click()
    expect(page.get_by_role("heading", name="web")).to_be_visible()

    person.act("ec2.terminate")
    person.sure()
    person.sees(person.say("common.status_terminated"))


def test_a_rule_is_tried_and_saved(person):
    there = place(person.atoll, "demo")
    page = person.go(f"/vpc/groups/{there.cache}").page
    person.link("vpc.edit_inbound").click()

    page.get_by_label(person.say("vpc.type")).select_option("redis")
    page.get_by_label(person.say("vpc.from")).fill(there.app)
    check = page.get_by_role("region", name=person.say("vpc.check"))
    expect(check).to_contain_text("app demo")
    expect(check).to_contain_text(person.say("vpc.check_opened"))
    expect(check).to_contain_text("tcp 6379")

    person.press("common.save")
    row = page.get_by_role("row").filter(has_text="6379")
    expect(row).to_contain_text(there.app)
    page.get_by_text(re.compile("AWS CLI, Terraform|AWS CLI、Terraform")).click()
    expect(page.locator("#drawer-cli")).to_contain_text("aws ec2 authorize-security-group-ingress")


def test_a_key_pair_is_made_and_saved(person):
    page = person.go("/ec2/key-pairs/create").page
    person.field("common.name").fill("laptop")
    person.press("common.create")
    person.sees("PRIVATE KEY")
    with page.expect_download() as saved:
        person.press("ec2.save_key")
    assert saved.value.suggested_filename == "laptop.pem"
    person.go("/ec2/key-pairs")
    person.sees("laptop")


@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing_serious_in_pages_of_things(sit, atoll):
    atoll.reset()
    somebody, there = sit(atoll), place(atoll, "demo")
    found = {path: somebody.go(path).findings() for path in there.pages if "/create" not in path}
    assert {path: said for path, said in found.items() if said} == {}


def launched(atoll: Atoll) -> str:
    ec2 = atoll.client("ec2")
    x86 = [{"Name": "architecture", "Values": ["x86_64"]}]
    image = ec2.describe_images(Owners=["amazon"], Filters=x86)["Images"][-1]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def comes_to_be(atoll: Atoll, id: str, state: str) -> None:
    def now():
        return atoll.client("ec2").describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]["State"]

    until(lambda: now()["Name"] == state, 20, state)


def test_a_page_shows_what_became_possible_before_it_listened_and_afterwards(sit, atoll):
    atoll.reset()
    id, held = launched(atoll), []
    comes_to_be(atoll, id, "running")
    somebody = sit(atoll)
    terminal = somebody.page.get_by_text(somebody.say("ec2.terminal"), exact=True)
    start = somebody.page.get_by_text(somebody.say("ec2.start"), exact=True)

    def hold(route: Route) -> None:
        held.append(route)

    somebody.page.route("**/live?*", hold)
    somebody.go(f"/ec2/instances/{id}")
    until(lambda: held or somebody.page.wait_for_timeout(10), 20, "the page's question what has changed")
    expect(terminal).to_be_visible()
    atoll.client("ec2").stop_instances(InstanceIds=[id])
    comes_to_be(atoll, id, "stopped")
    expect(terminal).to_be_visible()  # nobody has told the page

    for route in held:
        route.continue_()
    expect(start).to_be_visible()
    expect(terminal).to_have_count(0)
    atoll.client("ec2").start_instances(InstanceIds=[id])
    expect(terminal).to_be_visible()
    expect(start).to_have_count(0)


def test_what_one_is_asked_about_is_done_though_the_page_changes_meanwhile(sit, atoll):
    atoll.reset()
    id = launched(atoll)
    comes_to_be(atoll, id, "running")
    somebody = sit(atoll).go(f"/ec2/instances/{id}")
    somebody.act("ec2.terminate")
    atoll.client("ec2").stop_instances(InstanceIds=[id])
    expect(somebody.page.get_by_text(somebody.say("ec2.start"), exact=True)).to_have_count(1)  # where "Stop" was

    somebody.sure()
    somebody.sees(somebody.say("common.status_terminated"))


@pytest.mark.kernel
def test_a_terminal_is_a_shell_in_the_instance(sit):
    with running(own_mode()) as real:
        id = launched(real)
        somebody = sit(real)
        page = somebody.go(f"/ec2/instances/{id}").page
        page.get_by_role("link", name="Terminal").click()  # it appears by itself, when the instance runs
        screen = page.locator(".xterm-rows")
        expect(screen).to_contain_text("ec2-user@")
        page.keyboard.type("echo $((6 * 7)); id -un\n")
        expect(screen).to_contain_text("42")
        page.keyboard.type("exit\n")
        expect(screen).to_contain_text("The shell has ended")
        somebody.go(f"/ec2/instances/{id}/terminal?user=root")
        expect(screen).to_contain_text("root@")
        page.keyboard.type("id -u; echo at $(hostname -I)\n")
        expect(screen).to_contain_text("at 172.31.")
