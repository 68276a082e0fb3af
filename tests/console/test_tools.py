"""The pages of tools on a paper daemon: the map, why, reach, chaos, activity and health."""

import re

import pytest

from atoll.console.mending import call_of
from tests.console.visitor import Visitor

PAGES = ("/tools/map", "/tools/why", "/tools/reach", "/tools/chaos", "/tools/activity", "/tools/health")
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def shop(atoll):
    """Make an application and a cache whose group admits nobody."""
    ec2, elasticache = atoll.client("ec2"), atoll.client("elasticache")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    shut = ec2.create_security_group(GroupName="shut", Description="nobody", VpcId=vpc)["GroupId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": HOSTILE}]}]
    made = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=tags
    )["Instances"][0]  # fmt: skip
    elasticache.create_cache_cluster(
        CacheClusterId="carts", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro",
        SecurityGroupIds=[shut],
    )  # fmt: skip
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    return {"vpc": vpc, "shut": shut, "app": made["InstanceId"]}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_every_page_of_the_tools_is_there_in_every_language(atoll, language):
    visitor = Visitor(atoll, language).enter()

    titles = [visitor.get(path).title for path in PAGES]

    assert len(set(titles)) == len(PAGES)
    assert all(titles)


def test_the_map_shows_what_is_there_and_a_name_that_is_markup_as_text(visitor, shop):
    page = visitor.get("/tools/map")

    assert page.status == 200
    assert HOSTILE not in page.html
    assert "&lt;script&gt;alert" in page.html
    (picture,) = page.main.all("svg", role="img")
    assert {"us-east-1a", "us-east-1f"} <= {text.text for text in picture.all("text")}
    assert f"atoll map {shop['vpc']} --live > vpc.svg" in page.commands()


@pytest.mark.usefixtures("shop")
def test_a_map_that_is_paused_does_not_fetch_itself_anew(visitor):
    assert "hx-get" in visitor.get("/tools/map").main.one("section", id="map").attributes
    assert "hx-get" not in visitor.get("/tools/map", paused="1").main.one("section", id="map").attributes


def test_a_map_of_nobodys_vpc_is_refused(visitor):
    page = visitor.get("/tools/map", vpc="vpc-9")

    assert page.status == 400
    assert "there is no VPC vpc-9" in page.alert()


def test_why_ends_in_a_stop_at_the_rule_and_apply_mends_it(visitor, shop):
    asked = {"from": shop["app"], "to": "carts", "port": "11211", "protocol": "tcp"}
    page = visitor.get("/tools/why", **asked)
    assert "Not reachable" in page.main.text
    assert len([g for g in page.main.all("g") if g.attributes.get("class") == "step refused"]) == 1
    (command,) = re.findall(r"aws ec2 authorize-security-group-ingress [^<]+", page.main.text)[:1]
    assert f"--group-id {shop['shut']}" in command

    command = next(i.attributes["value"] for i in page.main.all("input", name="command"))
    done = visitor.post("/tools/why/apply", {**asked, "command": command})

    assert "Done: aws ec2 authorize-security-group-ingress" in done.main.text
    assert "Reachable" in [b.text for b in done.main.all("b")]
    assert "authorize-security-group-ingress" in done.commands()


@pytest.mark.usefixtures("shop")
def test_why_says_what_it_does_not_know(visitor):
    page = visitor.get("/tools/why", **{"from": "nobody", "to": "carts", "port": "11211"})

    assert "nobody" in page.alert()


@pytest.mark.usefixtures("shop")
def test_only_a_command_that_is_one_call_is_applied(visitor):
    for command in ("rm -rf /", "aws ec2 associate-address --allocation-id $(x)", "aws ec2 no-such-thing", "'"):
        page = visitor.post("/tools/why/apply", {"command": command})
        assert "This cannot be made as one call" in page.alert()


def test_reach_tells_what_a_call_would_open_and_changes_nothing(visitor, atoll, shop):
    opening = "aws ec2 authorize-security-group-ingress --protocol tcp --port 22 --cidr 0.0.0.0/0"
    command = f"{opening} --group-id {shop['shut']}"
    page = visitor.get("/tools/reach", vpc=shop["vpc"], command=command)

    assert "This would change" in page.main.text
    assert "tcp 22" in page.main.text
    (group,) = atoll.client("ec2").describe_security_groups(GroupIds=[shop["shut"]])["SecurityGroups"]
    assert all(rule.get("FromPort") != 22 for rule in group["IpPermissions"])
    refused = visitor.get("/tools/reach", vpc=shop["vpc"], command=command.replace(shop["shut"], "sg-9"))
    assert "InvalidGroupId.Malformed" in refused.alert() or "InvalidGroup" in refused.alert()


@pytest.mark.usefixtures("shop")
def test_a_fault_has_a_timer_and_is_mended_by_a_button(visitor):
    begun = visitor.post("/tools/chaos/begin", {"act": "partition-zone", "target": "us-east-1a", "seconds": "600"})
    (timer,) = begun.main.all("span", role="timer")
    assert re.fullmatch(r"mended in (600|59\d) s", timer.text)
    fault = begun.main.one("section", id="faults").all("input", name="id")[0].attributes["value"]

    over = visitor.post("/tools/chaos/revert", {"id": fault})

    assert f"It is mended. {fault}" in over.main.text
    assert "Nothing is broken." in over.main.text


@pytest.mark.usefixtures("shop")
def test_a_fault_that_cannot_be_is_refused_and_changes_nothing(visitor):
    for fields in ({"act": "kill-zone", "target": "moon"}, {"act": "x", "target": "us-east-1a"},
                   {"act": "kill-zone", "target": "us-east-1a", "seconds": "-1"}):  # fmt: skip
        assert visitor.post("/tools/chaos/begin", fields).alert()
    assert "Nothing is broken." in visitor.get("/tools/chaos").main.text


@pytest.mark.usefixtures("shop")
def test_a_call_of_the_activity_can_be_made_again(visitor, atoll):
    atoll.client("ec2").create_vpc(CidrBlock="10.99.0.0/16")
    listed = visitor.get("/tools/activity", q="CreateVpc")
    number = next(a for a in listed.links() if re.search(r"/tools/activity/\d+$", a)).rpartition("/")[2]

    done = visitor.post(f"/tools/activity/{number}/again", {})

    assert "Made again: ec2 CreateVpc" in done.main.text
    made = atoll.client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.99.0.0/16"]}])["Vpcs"]
    assert len(made) == 2


def test_a_call_with_a_secret_is_not_made_again(visitor, atoll):
    atoll.client("elasticache").create_user(
        UserId="ann", UserName="ann", Engine="valkey", AccessString="on ~* +@all", Passwords=["hunter2-hunter2-1"]
    )
    listed = visitor.get("/tools/activity", q="CreateUser")
    path = next(a for a in listed.links() if re.search(r"/tools/activity/\d+$", a))
    page = visitor.ask("GET", path)

    assert "hunter2" not in page.html
    assert "$PASSWORD" in page.html
    assert "/again" not in page.html
    assert "cannot be made again" in visitor.post(f"/tools/activity/{path.rpartition('/')[2]}/again", {}).alert()
    assert visitor.get("/tools/activity/999999").status == 404


@pytest.mark.usefixtures("shop")
def test_health_says_that_the_kernel_obeys_and_what_happened(visitor):
    page = visitor.get("/tools/health")

    assert "The kernel obeys everything" in page.main.text
    assert "ready" in [b.text for b in page.main.all("b")]
    _, did, looks_again, looks = next(row for row in page.rows("Each loop") if row[0].startswith("Machines"))
    assert "observed: " in did
    assert looks_again.endswith("UTC")
    assert int(looks) > 0


@pytest.mark.parametrize(
    ("command", "action", "given"),
    [
        (
            "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 6379-6380 "
            "--source-group sg-2",
            "AuthorizeSecurityGroupIngress",
            {"GroupId": "sg-1", "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": "6379", "ToPort": "6380", "UserIdGroupPairs": [{"GroupId": "sg-2"}]}
            ]},
        ),
        (
            "aws ec2 authorize-security-group-egress --group-id sg-1 --ip-permissions "
            "'IpProtocol=icmp,FromPort=8,ToPort=-1,IpRanges=[{CidrIp=10.0.0.1/32}]'",
            "AuthorizeSecurityGroupEgress",
            {"GroupId": "sg-1", "IpPermissions": [
                {"IpProtocol": "icmp", "FromPort": "8", "ToPort": "-1", "IpRanges": [{"CidrIp": "10.0.0.1/32"}]}
            ]},
        ),
        (
            "aws ec2 create-network-acl-entry --network-acl-id acl-1 --ingress --rule-number 89 --protocol tcp "
            "--port-range From=1024,To=65535 --cidr-block 10.0.0.0/32 --rule-action allow",
            "CreateNetworkAclEntry",
            {"NetworkAclId": "acl-1", "Egress": False, "RuleNumber": "89", "Protocol": "6",
             "PortRange": {"From": "1024", "To": "65535"}, "CidrBlock": "10.0.0.0/32", "RuleAction": "allow"},
        ),
        (
            "aws ec2 modify-instance-attribute --instance-id i-1 --no-source-dest-check",
            "ModifyInstanceAttribute",
            {"InstanceId": "i-1", "SourceDestCheck": {"Value": False}},
        ),
        ("aws ec2 start-instances --instance-ids i-1", "StartInstances", {"InstanceIds": ["i-1"]}),
    ],
    ids=["group", "permissions", "acl", "check", "start"],
)  # fmt: skip
def test_what_mends_is_read_back_as_the_call_that_it_makes(command, action, given):
    assert call_of(command) == ("ec2", action, given)
