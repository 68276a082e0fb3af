"""The metadata tree: each path of an instance that has everything, and of one that has nothing.  Row 127."""

import base64
import json
import subprocess
from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from atoll.guest.metadata import VERSIONS, instance_at
from atoll.model.account import AccessKey
from atoll.model.signing import SigningKey
from tests.api.caches import Caches, install
from tests.api.machines import image_id
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT
from tests.guest.metadata import USER_DATA, guest

EVERYTHING = [
    "ami-id", "ami-launch-index", "ami-manifest-path", "block-device-mapping/", "events/", "hostname", "iam/",
    "instance-action", "instance-id", "instance-life-cycle", "instance-type", "local-hostname", "local-ipv4",
    "mac", "network/", "placement/", "profile", "public-hostname", "public-ipv4", "public-keys/",
    "reservation-id", "security-groups", "services/",
]  # fmt: skip
OF_AN_INTERFACE = [
    "device-number", "interface-id", "ipv4-associations/", "local-hostname", "local-ipv4s", "mac", "owner-id",
    "public-hostname", "public-ipv4s", "security-group-ids", "security-groups", "subnet-id",
    "subnet-ipv4-cidr-block", "vpc-id", "vpc-ipv4-cidr-block", "vpc-ipv4-cidr-blocks",
]  # fmt: skip
ONLY_IF_ASKED_FOR = {"iam/", "public-hostname", "public-ipv4", "public-keys/"}


def paths(w):
    return {
        "ami-id": image_id(),
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "block-device-mapping/": "ami\nroot",
        "block-device-mapping/ami": "/dev/xvda",
        "block-device-mapping/root": "/dev/xvda",
        "events/": "maintenance/",
        "events/maintenance/": "history\nscheduled",
        "events/maintenance/history": "[]",
        "events/maintenance/scheduled": "[]",
        "hostname": "ip-10-0-1-20.ec2.internal",
        "iam/": "info\nsecurity-credentials/",
        "iam/security-credentials/": "web-role",
        "instance-action": "none",
        "instance-id": w.id,
        "instance-life-cycle": "on-demand",
        "instance-type": "t3.micro",
        "local-hostname": "ip-10-0-1-20.ec2.internal",
        "local-ipv4": "10.0.1.20",
        "mac": w.interface["MacAddress"],
        "network/": "interfaces/",
        "network/interfaces/": "macs/",
        "network/interfaces/macs/": f"{w.interface['MacAddress']}/",
        "placement/": "availability-zone\navailability-zone-id\nregion",
        "placement/availability-zone": "us-east-1a",
        "placement/availability-zone-id": "use1-az1",
        "placement/region": "us-east-1",
        "profile": "default-hvm",
        "public-hostname": "ec2-203-0-113-1.compute-1.amazonaws.com",
        "public-ipv4": "203.0.113.1",
        "public-keys/": "0=mine",
        "public-keys/0/": "openssh-key",
        "reservation-id": w.ec2.describe_instances()["Reservations"][0]["ReservationId"],
        "security-groups": "web\nadmin",
        "services/": "domain\npartition",
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
        "tags/": 404,
        "nothing": 404,
        "instance-id/nothing": 404,
        "placement/group-name": 404,
        "placement/partition-number": 404,
        "iam/security-credentials/another": 404,
        "public-keys/1/": 404,
    }


def paths_of_an_interface(w):
    return {
        "device-number": "0",
        "interface-id": w.interface["NetworkInterfaceId"],
        "ipv4-associations/": "203.0.113.1\n203.0.113.2",
        "ipv4-associations/203.0.113.1": "10.0.1.20",
        "ipv4-associations/203.0.113.2": "10.0.1.21",
        "local-hostname": "ip-10-0-1-20.ec2.internal",
        "local-ipv4s": "10.0.1.20\n10.0.1.21",
        "mac": w.interface["MacAddress"],
        "owner-id": ACCOUNT,
        "public-hostname": "ec2-203-0-113-1.compute-1.amazonaws.com",
        "public-ipv4s": "203.0.113.1\n203.0.113.2",
        "security-group-ids": "\n".join(g["GroupId"] for g in w.interface["Groups"]),
        "security-groups": "web\nadmin",
        "subnet-id": w.instance["SubnetId"],
        "subnet-ipv4-cidr-block": "10.0.1.0/24",
        "vpc-id": w.vpc,
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
        "vpc-ipv4-cidr-blocks": "10.0.0.0/16",
        "nothing": 404,
    }


def test_the_whole_tree_is_listed(web):
    assert str(web.get("")).split("\n") == EVERYTHING
    assert str(web.get(f"network/interfaces/macs/{web.get('mac')}/")).split("\n") == OF_AN_INTERFACE


def test_every_path_of_the_tree_has_its_value(web):
    expected = paths(web)
    assert {path: web.get(path) for path in expected} == expected


def test_every_path_of_an_interface_has_its_value(web):
    place = f"network/interfaces/macs/{web.get('mac')}"
    expected = paths_of_an_interface(web)
    assert {path: web.get(f"{place}/{path}") for path in expected} == expected


def test_what_an_instance_does_not_have_is_not_there(paper, ec2, vpc, subnet):
    bare = guest(paper, ec2, vpc=vpc, subnet=subnet)
    assert str(bare.get("")).split("\n") == [n for n in EVERYTHING if n not in ONLY_IF_ASKED_FOR]
    assert [bare.get(n) for n in ("iam/info", "public-ipv4", "public-hostname", "public-keys/0/openssh-key")] == [
        404
    ] * 4
    assert bare.ask("/latest/user-data").status == 404
    assert bare.get(f"network/interfaces/macs/{bare.get('mac')}/public-ipv4s") == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "\n".join(VERSIONS)),
        ("", "\n".join(VERSIONS)),
        ("/latest/", "dynamic\nmeta-data\nuser-data"),
        ("/latest", "dynamic\nmeta-data\nuser-data"),
        ("/1.0/", "dynamic\nmeta-data\nuser-data"),
        ("/latest/dynamic/", "instance-identity/"),
        ("/latest/dynamic/instance-identity/", "document\npkcs7\nrsa2048\nsignature"),
        ("/2009-04-04/meta-data/local-ipv4", "10.0.1.20"),
        ("//latest//meta-data//local-ipv4", "10.0.1.20"),
        ("/latest/meta-data/placement", "availability-zone\navailability-zone-id\nregion"),
        ("/latest/meta%2Ddata/local-ipv4", "10.0.1.20"),
    ],
)
def test_listings_and_versions(web, path, body):
    answer = web.ask(path)
    assert (answer.status, answer.body.decode()) == (200, body)


@pytest.mark.parametrize("path", ["/newest/", "/latest/metadata/", "/2009-04-05/meta-data/", "/latest/meta-data/%00"])
def test_what_is_not_there_is_404(web, path):
    answer = web.ask(path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html")
    assert b"404 - Not Found" in answer.body


def test_the_public_key_is_the_pair_s(web):
    key = str(web.get("public-keys/0/openssh-key"))
    assert key.startswith("ssh-ed25519 ")
    assert key.rstrip().endswith(" mine")


def test_user_data_comes_byte_by_byte(web):
    answer = web.ask("/latest/user-data")
    assert (answer.body, answer.headers["content-type"]) == (USER_DATA, "application/octet-stream")


def test_groups_change_while_it_runs(web):
    group = web.ec2.create_security_group(GroupName="later", Description="x", VpcId=web.vpc)["GroupId"]
    web.ec2.modify_instance_attribute(InstanceId=web.id, Groups=[group])
    assert web.get("security-groups") == "later"
    assert web.get(f"network/interfaces/macs/{web.get('mac')}/security-group-ids") == group


def test_tags_show_when_they_are_enabled(web):
    web.options(InstanceMetadataTags="enabled")
    web.ec2.create_tags(Resources=[web.id], Tags=[{"Key": "a=b", "Value": "c"}])
    assert (web.get("tags/"), web.get("tags/instance/")) == ("instance/", "Name\na=b")
    assert (web.get("tags/instance/Name"), web.get("tags/instance/a=b")) == ("web 1", "c")
    assert "tags/" in str(web.get("")).split("\n")
    web.options(InstanceMetadataTags="disabled")
    assert web.get("tags/instance/Name") == 404


def test_two_interfaces_have_a_folder_each(web):
    made = web.ec2.create_network_interface(SubnetId=web.instance["SubnetId"])["NetworkInterface"]
    id = made["NetworkInterfaceId"]
    web.ec2.attach_network_interface(NetworkInterfaceId=id, InstanceId=web.id, DeviceIndex=1)
    macs = str(web.get("network/interfaces/macs/")).split("\n")
    assert sorted(macs) == sorted([f"{web.get('mac')}/", f"{made['MacAddress']}/"])
    place = f"network/interfaces/macs/{made['MacAddress']}"
    assert (web.get(f"{place}/device-number"), web.get(f"{place}/interface-id")) == ("1", id)


# Credentials


def test_a_role_has_credentials_that_the_wire_knows(web):
    found = json.loads(str(web.get("iam/security-credentials/web-role")))

    assert list(found) == ["Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
    assert (found["Code"], found["Type"]) == ("Success", "AWS-HMAC")
    key = web.paper.world[AccessKey, found["AccessKeyId"]]
    assert (key.secret, key.session_token) == (found["SecretAccessKey"], found["Token"])
    assert key.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/{web.id}"
    assert key.account == ACCOUNT
    assert key.expires - key.issued == timedelta(hours=6)


def test_credentials_are_kept_for_an_hour_and_then_renewed(web):
    path = "iam/security-credentials/web-role"
    first = web.get(path)
    web.paper.clock += timedelta(minutes=59)
    assert web.get(path) == first
    web.paper.clock += timedelta(minutes=2)
    second = web.get(path)
    assert second != first
    assert web.get(path) == second
    assert len(list(web.paper.world.all(AccessKey))) == 2  # the first is still good


def test_credentials_that_ended_a_day_ago_are_forgotten(web):
    for _ in range(4):
        web.get("iam/security-credentials/web-role")
        web.paper.clock += timedelta(hours=31)
    assert len(list(web.paper.world.all(AccessKey))) == 1


def test_the_profile_is_described(web):
    found = json.loads(str(web.get("iam/info")))
    shown = web.instance["IamInstanceProfile"]
    assert found["Code"] == "Success"
    assert (found["InstanceProfileArn"], found["InstanceProfileId"]) == (shown["Arn"], shown["Id"])


# Identity


def test_the_identity_document_says_what_the_instance_is(web):
    answer = web.ask("/latest/dynamic/instance-identity/document")
    said = json.loads(answer.body)
    assert said.pop("pendingTime") == web.instance["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {name: value for name, value in said.items() if value is not None} == {
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": "us-east-1a",
        "imageId": image_id(),
        "instanceId": web.id,
        "instanceType": "t3.micro",
        "privateIp": "10.0.1.20",
        "region": "us-east-1",
        "version": "2017-09-30",
    }
    assert answer.body.startswith(b'{\n  "accountId" : "')


def test_its_signature_verifies_and_its_key_is_made_once(web):
    document = web.ask("/latest/dynamic/instance-identity/document").body
    lines = web.ask("/latest/dynamic/instance-identity/signature").body
    (key,) = (k for k in web.paper.world.all(SigningKey) if k.id == "identity of us-east-1")
    certificate = x509.load_pem_x509_certificate(key.secret[key.secret.index("-----BEGIN CERT") :].encode())
    certificate.public_key().verify(base64.b64decode(lines), document, padding.PKCS1v15(), hashes.SHA256())
    assert web.ask("/latest/dynamic/instance-identity/signature").body == lines


def test_its_pkcs7_message_verifies_and_contains_it(web, tmp_path):
    document = web.ask("/latest/dynamic/instance-identity/document").body
    message = web.ask("/latest/dynamic/instance-identity/pkcs7").body.decode()
    (tmp_path / "message").write_text(f"-----BEGIN PKCS7-----\n{message}\n-----END PKCS7-----\n")
    command = ["openssl", "smime", "-verify", "-inform", "PEM", "-noverify", "-binary", "-in", "message"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert checked.stdout == document


# Who is asking


def test_an_address_of_nobody_s_and_a_cache_node_have_no_metadata(web, paper, ec2):
    assert web.at("10.0.1.99").ask("/latest/meta-data/").status == 404
    install(paper)
    cache = Caches(paper.client("elasticache"))
    other = ec2.create_subnet(VpcId=web.vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="nodes", CacheSubnetGroupDescription="nodes", SubnetIds=[other]
    )
    cache.create_cache_cluster(
        CacheClusterId="c", Engine="memcached", CacheNodeType="cache.t3.micro", NumCacheNodes=1,
        CacheSubnetGroupName="nodes",
    )  # fmt: skip
    filters = [{"Name": "subnet-id", "Values": [other]}]
    node = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"][0]["PrivateIpAddress"]
    assert web.at(node).ask("/latest/meta-data/").status == 404
    assert web.at(node).reply("PUT", "/latest/api/token").answer.status == 404


def test_a_second_address_of_the_interface_is_the_same_instance(web):
    assert web.at("10.0.1.21").get("instance-id") == web.id


def test_the_same_address_in_another_vpc_is_another_instance(web, paper):
    stranger = paper.client(account=OTHER_ACCOUNT)
    vpc = stranger.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = stranger.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    other = guest(paper, stranger, vpc=vpc, subnet=subnet, PrivateIpAddress="10.0.1.20")
    assert (web.ip, web.get("instance-id")) == (other.ip, web.id)
    assert other.get("instance-id") == other.id != web.id
    found = instance_at(paper.world, vpc, IPv4Address("10.0.1.20"))
    assert found
    assert found.account == OTHER_ACCOUNT


def test_a_role_that_is_attached_later_shows_at_once_and_so_does_its_end(paper, ec2, vpc, subnet):
    bare = guest(paper, ec2, vpc=vpc, subnet=subnet)
    assert bare.get("iam/") == 404
    made = ec2.associate_iam_instance_profile(InstanceId=bare.id, IamInstanceProfile={"Name": "one"})
    first = bare.get("iam/security-credentials/one")
    other = ec2.replace_iam_instance_profile_association(
        AssociationId=made["IamInstanceProfileAssociation"]["AssociationId"], IamInstanceProfile={"Name": "two"}
    )
    assert bare.get("iam/security-credentials/") == "two"
    assert bare.get("iam/security-credentials/two") != first
    association = other["IamInstanceProfileAssociation"]["AssociationId"]
    ec2.disassociate_iam_instance_profile(AssociationId=association)
    assert [bare.get(path) for path in ("iam/", "iam/info", "iam/security-credentials/two")] == [404] * 3


def test_a_member_of_a_placement_group_reads_its_name_and_its_partition(web):
    web.ec2.create_placement_group(GroupName="hadoop", Strategy="partition", PartitionCount=3)
    web.ec2.stop_instances(InstanceIds=[web.id])
    web.paper.settle()
    web.ec2.modify_instance_placement(InstanceId=web.id, GroupName="hadoop", PartitionNumber=3)
    web.ec2.start_instances(InstanceIds=[web.id])
    web.paper.settle()

    listed = "availability-zone\navailability-zone-id\ngroup-name\npartition-number\nregion"
    assert web.get("placement/") == listed
    assert web.get("placement/group-name") == "hadoop"
    assert web.get("placement/partition-number") == "3"
