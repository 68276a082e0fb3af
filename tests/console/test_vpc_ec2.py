"""The pages of VPC and EC2: everything is shown, as text; every form makes its call, or says what the API says."""

import re

import pytest

from tests.console.stage import EVIL, place

EC2 = "ec2"


@pytest.fixture(scope="module")
def there(atoll):
    return place(atoll)


def test_every_page_shows_markup_as_text(visitor, there):
    for path in there.pages:
        page = visitor.get(path)
        assert page.status == 200, f"{path}: {page.main.text[:300]}"
        assert page.title, path
        assert "<script>alert" not in page.html, path
        assert not re.search(r"<b>hello", page.html), path


def test_what_can_be_done_is_in_a_part_that_follows_changes(visitor, there):
    for path in there.pages:
        for act in visitor.get(path).main.all("div", **{"class": "act"}):
            around = act
            while around and "hx-get" not in around.attributes:
                around = around.parent
            assert around, f"{path}: {act.text}"


def test_lists_show_what_there_is(visitor, there):
    listed = {
        "/vpc/vpcs": there.vpc, "/vpc/subnets": there.subnet, "/vpc/route-tables": there.table,
        "/vpc/internet-gateways": there.igw, "/vpc/nat-gateways": there.nat, "/vpc/addresses": there.address,
        "/vpc/peering": there.peering, "/vpc/endpoints": there.endpoint, "/vpc/acls": there.acl,
        "/vpc/groups": there.app, "/ec2/instances": there.instance, "/ec2/interfaces": there.interface,
    }  # fmt: skip
    for path, id in listed.items():
        (row,) = [row for row in visitor.get(path, rows="1000").rows() if id in row]
        assert any(EVIL in cell for cell in row), path


@pytest.mark.usefixtures("there")
def test_what_does_not_exist_is_said_in_the_apis_words(visitor):
    for path in (
        "/vpc/vpcs/vpc-1",
        "/vpc/groups/sg-1",
        "/ec2/instances/i-1",
        "/vpc/acls/acl-1",
        "/vpc/peering/pcx-1",
    ):
        page = visitor.get(path)
        assert page.status == 400, path
        assert re.search(r"Invalid\w+\.\w+", page.alert()), path


def test_a_refused_form_says_why_and_keeps_what_was_typed(visitor, there):
    page = visitor.post("/vpc/subnets/create", {"vpc": there.vpc, "cidr": "10.9.0.0/24", "name": EVIL})

    assert page.status == 400
    assert "InvalidSubnet.Range" in page.alert()
    assert page.tree.one("input", name="cidr").attributes["value"] == "10.9.0.0/24"
    assert page.tree.one("input", name="name").attributes["value"] == EVIL
    (chosen,) = page.tree.one("select", name="vpc").all("option", selected="")
    assert chosen.attributes["value"] == there.vpc
    assert "aws ec2 create-subnet" in page.commands()


def test_a_call_can_be_seen_before_it_is_made(atoll, visitor, there):
    page = visitor.post("/vpc/subnets/create", {"vpc": there.vpc, "cidr": "10.0.7.0/24", "preview": "1"})

    assert "--cidr-block 10.0.7.0/24" in page.commands()
    assert 'resource "aws_subnet"' in page.html.replace("&#34;", '"')
    assert not atoll.client(EC2).describe_subnets(Filters=[{"Name": "cidr", "Values": ["10.0.7.0/24"]}])["Subnets"]


def test_a_vpc_is_made_changed_and_deleted(atoll, visitor, there):
    made = visitor.post("/vpc/vpcs/create", {"cidr": "10.50.0.0/16", "name": "new"})
    id = made.title and made.url.rpartition("/")[2].partition("?")[0]
    assert made.title == "new"
    assert "aws ec2 create-vpc" in made.commands(), "the act's own call is shown"

    visitor.post(f"/vpc/vpcs/{id}/dns", {"attribute": "EnableDnsHostnames", "value": "true"})
    told = atoll.client(EC2).describe_vpc_attribute(VpcId=id, Attribute="enableDnsHostnames")
    assert told["EnableDnsHostnames"]["Value"]
    assert f"Deleted {id}" in visitor.post(f"/vpc/vpcs/{id}/delete").main.text
    assert "DependencyViolation" in visitor.post(f"/vpc/vpcs/{there.vpc}/delete").alert()


def test_routes_are_added_and_deleted(visitor, there):
    path = f"/vpc/route-tables/{there.table}"
    page = visitor.post(f"{path}/routes/create", {"destination": "192.0.2.0/24", "target": there.interface})
    assert ["192.0.2.0/24", there.interface] in [row[:2] for row in page.rows("Routes")]

    page = visitor.post(f"{path}/routes/delete", {"DestinationCidrBlock": "192.0.2.0/24", "id": "192.0.2.0/24"})
    assert "192.0.2.0/24" not in [row[0] for row in page.rows("Routes")]
    assert (
        "InvalidParameterValue"
        in visitor.post(f"{path}/routes/create", {"destination": "x", "target": "local"}).alert()
    )


def test_subnets_follow_and_leave_a_table(visitor, there):
    path = f"/vpc/route-tables/{there.table}"
    page = visitor.post(f"{path}/associate", {"subnet": there.private})
    (row,) = [row for row in page.rows("Associations") if there.private in row]
    page = visitor.post(f"{path}/disassociate", {"id": row[2]})
    assert there.private not in [row[0] for row in page.rows("Associations")]


def test_gateways_come_and_go(visitor, there):
    page = visitor.post("/vpc/internet-gateways/create", {"name": "spare", "vpc": ""})
    (row,) = [row for row in page.rows() if row[0] == "spare"]
    page = visitor.post("/vpc/internet-gateways/attach", {"gateway": row[1], "vpc": there.vpc})
    assert "InvalidParameterValue" in page.alert() or "Resource.AlreadyAssociated" in page.alert()
    assert row[1] not in [r[1] for r in visitor.post("/vpc/internet-gateways/delete", {"id": row[1]}).rows()]


def test_addresses_are_allocated_associated_and_released(visitor, there):
    page = visitor.post("/vpc/addresses/create", {"name": "mine"})
    (row,) = [row for row in page.rows() if row[0] == "mine"]
    page = visitor.post("/vpc/addresses/associate", {"allocation": row[2], "target": there.interface})
    (row,) = [row for row in page.rows() if row[0] == "mine"]
    assert there.interface in row
    (form,) = [f for f in page.tree.all("form") if row[1] in [i.attributes.get("value") for i in f.all("input")]]
    association = form.one("input", name="association").attributes["value"]
    visitor.post("/vpc/addresses/disassociate", {"id": row[1], "association": association})
    page = visitor.post("/vpc/addresses/release", {"id": row[1], "allocation": row[2]})
    assert row[1] not in [r[1] for r in page.rows()]


def test_a_nat_gateway_is_made_with_an_address_of_its_own(visitor, there):
    page = visitor.post("/vpc/nat-gateways/create", {"subnet": there.subnet, "type": "public", "address": "new"})
    assert "Created nat-" in page.main.text
    commands = page.commands()
    assert "aws ec2 allocate-address" in commands
    assert "aws ec2 create-nat-gateway" in commands


def test_a_peering_is_requested_and_accepted(visitor, there):
    assert "Pending acceptance" in visitor.get(f"/vpc/peering/{there.peering}").main.text
    assert visitor.post("/vpc/peering/accept", {"id": there.peering}).status == 200
    assert "InvalidVpcID" in visitor.post("/vpc/peering/create", {"vpc": there.vpc, "peer": "vpc-1"}).alert()


def test_acl_entries_are_added_and_deleted(visitor, there):
    path = f"/vpc/acls/{there.acl}"
    entry = {"number": "100", "action": "allow", "protocol": "tcp", "ports": "6379-6380", "cidr": "10.0.0.0/8"}
    page = visitor.post(f"{path}/entries/in", entry)
    assert page.rows("Inbound rules")[0][:5] == ["100", "Allow", "tcp", "6379-6380", "10.0.0.0/8"]
    assert "NetworkAclEntryAlreadyExists" in visitor.post(f"{path}/entries/in", entry).alert()
    page = visitor.post(f"{path}/entries/delete", {"id": "100", "egress": "false"})
    assert [row[0] for row in page.rows("Inbound rules")] == ["*"]
    page = visitor.post(f"{path}/associate", {"subnet": there.private})
    assert there.private in [row[0] for row in page.rows("Guarded subnets")]


def test_rules_are_added_and_removed_together(visitor, there):
    path = f"/vpc/groups/{there.cache}/rules/in"
    first = [("kind", "redis"), ("ports", ""), ("peer", there.app), ("description", "for the app")]
    page = visitor.post(path, first)
    assert not page.alert()
    ((protocol, ports, source, _, id),) = page.rows("Inbound rules")
    assert (protocol, ports, source) == ("tcp", "6379", there.app)

    page = visitor.post(path, [("remove", id), ("kind", "custom-tcp"), ("ports", "7000 - 7002"), ("peer", "10.0.0.9"),
                               ("description", "")])  # fmt: skip
    ((_, ports, source, _, _),) = page.rows("Inbound rules")
    assert (ports, source) == ("7000-7002", "10.0.0.9/32")
    assert "aws ec2 authorize-security-group-ingress" in page.commands()
    assert "aws ec2 revoke-security-group-ingress" in page.commands()


def test_a_refused_rule_changes_nothing(visitor, there):
    path, before = f"/vpc/groups/{there.cache}/rules/in", visitor.get(f"/vpc/groups/{there.cache}").rows("Inbound")
    page = visitor.post(path, [("remove", before[0][4]), ("kind", "ssh"), ("ports", ""), ("peer", "10.0.0.300/8")])
    assert "InvalidParameterValue" in page.alert()
    assert page.tree.all("input", name="peer")[0].attributes["value"] == "10.0.0.300/8"
    assert visitor.get(f"/vpc/groups/{there.cache}").rows("Inbound") == before


def test_what_a_rule_would_do_is_said_before_it_is_saved(atoll, visitor, there):
    path = f"/vpc/groups/{there.cache}/rules/in"
    row = [("kind", "memcached"), ("ports", ""), ("peer", there.app), ("description", "")]

    told = visitor.post(f"{path}/check", row)
    assert f"tcp 11211 {there.app} lets in: app {EVIL} (1 of 2 machines)" in told.tree.text
    assert "<script>" not in told.html
    assert not visitor.get("/vpc/groups/" + there.cache).rows("Inbound") or "11211" not in told.headers

    told = visitor.post(f"{path}/check", [("kind", "ssh"), ("ports", ""), ("peer", "0.0.0.0/0"), ("description", "")])
    assert "everybody on the internet" in told.tree.text
    told = visitor.post(f"{path}/check", [("kind", "ssh"), ("ports", ""), ("peer", "nonsense"), ("description", "")])
    assert "InvalidParameterValue" in told.tree.text
    assert "Nothing yet" in visitor.post(f"{path}/check", [("kind", "ssh"), ("peer", "")]).tree.text
    found = atoll.client(EC2).describe_security_groups(GroupIds=[there.cache])["SecurityGroups"][0]
    assert all(p.get("FromPort") not in (22, 11211) for p in found["IpPermissions"])


def test_the_default_group_has_a_warning(atoll, visitor):
    (group,) = atoll.client(EC2).describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])[
        "SecurityGroups"
    ][:1]
    page = visitor.get(f"/vpc/groups/{group['GroupId']}/rules/in")
    assert "This is the default group" in page.main.text


def test_instances_are_launched_stopped_and_terminated(visitor, there):
    page = visitor.get("/ec2/instances/launch")
    offered = page.tree.one("select", name="image").all("option")
    assert re.match("Amazon Linux 2023 AMI .* x86_64 HVM", offered[0].text)  # what is launched by who chooses none
    assert any(option.text.startswith("Canonical, Ubuntu, 24.04") for option in offered)
    image = offered[0].attributes["value"]
    fields = [("image", image), ("type", "t3.micro"), ("subnet", there.subnet), ("group", there.app), ("count", "2"),
              ("name", "web"), ("public", "true"), ("user_data", "#!/bin/sh\r\ntrue")]  # fmt: skip
    page = visitor.post("/ec2/instances/launch", fields)
    found = [row for row in page.rows() if row[0] == "web"]
    assert len(found) == 2
    for _, id, *_ in found:
        page = visitor.post(f"/ec2/instances/{id}/terminate", {"id": id})
        assert "was asked to" in page.main.text
    assert "MissingParameter" in visitor.post("/ec2/instances/launch", {"type": "t3.micro"}).alert()


def test_the_tabs_of_an_instance(visitor, there):
    path = f"/ec2/instances/{there.instance}"
    assert "echo <b>hello</b>" in visitor.get(path, tab="user-data").main.text
    assert visitor.get(path, tab="network").rows("Network interfaces")
    assert visitor.get(path, tab="console").main.one("pre", id="console").text


def test_on_paper_there_is_no_terminal(visitor, there):
    path = f"/ec2/instances/{there.instance}/terminal"
    assert "in root and rootless mode only" in visitor.get(path).main.text
    assert visitor.post(f"{path}/open", {"user": "root"}).status == 409
    assert visitor.get(f"{path}/0123").status == 404
    assert visitor.post(f"{path}/0123/type", {"text": ""}).status == 404


def test_only_the_page_of_a_terminal_may_have_styles_of_a_script(visitor, there):
    page = visitor.get(f"/ec2/instances/{there.instance}/terminal")
    assert "style-src 'self' 'unsafe-inline'" in page.headers["content-security-policy"]
    assert "script-src 'self';" in page.headers["content-security-policy"]


def test_a_private_key_is_shown_once(visitor):
    page = visitor.post("/ec2/key-pairs/create", {"key": "mine", "type": "ed25519"})
    assert "PRIVATE KEY" in page.main.text
    assert "PRIVATE KEY" not in visitor.get("/ec2/key-pairs").main.text
    assert "InvalidKeyPair.Duplicate" in visitor.post("/ec2/key-pairs/create", {"key": "mine"}).alert()
    assert "mine" not in [row[0] for row in visitor.post("/ec2/key-pairs/delete", {"id": "mine"}).rows()]


def test_interfaces_are_made_attached_and_deleted(visitor, there):
    page = visitor.post("/ec2/interfaces/create", {"subnet": there.subnet, "name": "second"})
    id = page.url.rpartition("/")[2].partition("?")[0]
    visitor.post(f"/ec2/interfaces/{id}/check", {"value": "false"})
    assert "Enable the source/destination check" in visitor.get(f"/ec2/interfaces/{id}").main.text
    assert f"Deleted {id}" in visitor.post(f"/ec2/interfaces/{id}/delete").main.text


def test_endpoints_are_made_and_deleted(visitor, there):
    service = "Interface com.amazonaws.us-east-1.elasticache"
    page = visitor.post("/vpc/endpoints/create", {"service": service, "vpc": there.vpc, "subnet": there.subnet})
    id = page.url.rpartition("/")[2].partition("?")[0]
    assert id.startswith("vpce-"), page.alert()
    assert f"Deleted {id}" in visitor.post(f"/vpc/endpoints/{id}/delete").main.text
