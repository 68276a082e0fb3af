"""Rows 127 to 129: instance metadata, asked for inside instances, by real packets.  And what an attacker gets."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest

from tests.daemon.atoll import running, until
from tests.scenario.stage import CLIENT, Stage

HOST = "http://169.254.169.254"
ADDRESS = "10.0.0.20"
PLAIN_TOKEN = f"curl -sS -m 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {HOST}/latest/api/token"

# A container: a network namespace behind the instance, which forwards and masquerades for it as Docker does.
CONTAINER = """
set -e
sysctl -qw net.ipv4.ip_forward=1
unshare --net sleep 20 &
box=$!
for _ in $(seq 100); do
  [ "$(readlink /proc/$box/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break
  sleep 0.02
done
ip link add docker0 type veth peer name inner netns /proc/$box/ns/net
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
nsenter --net=/proc/$box/ns/net sh -c '
  ip link set lo up; ip addr add 172.17.0.2/16 dev inner; ip link set inner up; ip route add default via 172.17.0.1'
nft -f - <<'RULES'
table ip container {{
  chain post {{ type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }}
}}
RULES
nsenter --net=/proc/$box/ns/net sh -c "{script}" || echo "failed with $?"
nft delete table ip container
ip link del docker0
sysctl -qw net.ipv4.ip_forward=0
kill $box
"""


@dataclass(frozen=True)
class Place:
    """A VPC with one instance, and nothing that lets anybody in or out."""

    vpc: str
    subnet: str
    group: str
    instance: str


def place(stage: Stage) -> Place:
    vpc = stage.vpc(internet=False)
    subnet, group = stage.subnet(vpc, "10.0.0.0/24"), stage.group(vpc, closed=True)
    instance = stage.instance(
        subnet,
        group,
        PrivateIpAddress=ADDRESS,
        IamInstanceProfile={"Name": "reader"},
        UserData="#!/bin/sh\necho hello from user data\n",
    )
    return Place(vpc, subnet, group, instance)


@pytest.fixture(scope="module")
def here(stage: Stage) -> Place:
    return place(stage)


@pytest.fixture
def options(stage: Stage, here: Place) -> Iterator["Options"]:
    """Change the options for one test."""
    made = Options(stage, here.instance)
    yield made
    made(HttpTokens="optional", HttpPutResponseHopLimit=1, HttpEndpoint="enabled", InstanceMetadataTags="disabled")


class Options:
    def __init__(self, stage: Stage, instance: str):
        self.stage, self.instance = stage, instance

    def __call__(self, **changes: object) -> None:
        self.stage.ec2.modify_instance_metadata_options(InstanceId=self.instance, **changes)


def read(stage: Stage, instance: str, path: str, token: str | None = None) -> str:
    """Return what an instance reads, or the status that refuses it."""
    header = f"-H 'X-aws-ec2-metadata-token: {token}'" if token else ""
    said = stage.typed(instance, f"curl -sS -m 3 -w '\\n%{{http_code}}' {header} {HOST}{path}")
    body, _, status = said.rpartition("\n")
    return body if status == "200" else status


def status(stage: Stage, instance: str, arguments: str) -> str:
    return stage.typed(instance, f"curl -sS -m 3 -o /dev/null -w '%{{http_code}}' {arguments}")


def in_container(stage: Stage, instance: str, script: str) -> str:
    return stage.shell(instance, CONTAINER.format(script=script)).output.strip()


def test_row_127_an_instance_reads_its_metadata_over_http(stage: Stage, here: Place):
    names = read(stage, here.instance, "/latest/meta-data/").split("\n")

    assert {"instance-id", "local-ipv4", "network/", "placement/", "iam/", "security-groups"} <= set(names)
    assert read(stage, here.instance, "/latest/meta-data/instance-id") == here.instance
    assert read(stage, here.instance, "/latest/meta-data/local-ipv4") == ADDRESS
    assert read(stage, here.instance, "/latest/user-data") == "#!/bin/sh\necho hello from user data\n"
    assert read(stage, here.instance, "/latest/meta-data/nothing") == "404"


def test_row_127_neither_groups_nor_acls_apply(stage: Stage, here: Place):
    """The group lets nothing out, and now the ACL nothing through."""
    acl = stage.ec2.create_network_acl(VpcId=here.vpc)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [here.subnet]}]
    (before,) = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (old,) = (a["NetworkAclAssociationId"] for a in before["Associations"] if a["SubnetId"] == here.subnet)
    new = stage.ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    try:
        assert read(stage, here.instance, "/latest/meta-data/instance-id") == here.instance
    finally:
        stage.ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=before["NetworkAclId"])


def test_row_127_groups_change_while_it_runs(stage: Stage, here: Place):
    other = stage.group(here.vpc)
    name = stage.ec2.describe_security_groups(GroupIds=[other])["SecurityGroups"][0]["GroupName"]
    stage.ec2.modify_instance_attribute(InstanceId=here.instance, Groups=[here.group, other])
    assert read(stage, here.instance, "/latest/meta-data/security-groups").split("\n")[1] == name
    stage.ec2.modify_instance_attribute(InstanceId=here.instance, Groups=[here.group])
    assert name not in read(stage, here.instance, "/latest/meta-data/security-groups")


def test_row_128_version_1_reads_without_a_token(stage: Stage, here: Place):
    assert read(stage, here.instance, "/latest/meta-data/mac").startswith("02:")


def test_row_129_version_2_reads_with_a_token_and_only_so_when_it_is_required(
    stage: Stage, here: Place, options: Options
):
    options(HttpTokens="required")
    token = stage.typed(here.instance, PLAIN_TOKEN)

    assert read(stage, here.instance, "/latest/meta-data/instance-id") == "401"
    assert read(stage, here.instance, "/latest/meta-data/instance-id", token) == here.instance
    forged = ("B" if token.startswith("A") else "A") + token[1:]
    assert read(stage, here.instance, "/latest/meta-data/instance-id", forged) == "401"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-X PUT {host}/latest/api/token", "400"),
        ("-X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 21601' {host}/latest/api/token", "400"),
        ("-X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {host}/2021-03-23/api/token", "403"),
        (
            "-X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' -H 'X-Forwarded-For: 10.0.0.9' "
            "{host}/latest/api/token",
            "403",
        ),
        ("-X POST -d a=b {host}/latest/meta-data/", "405"),
    ],
    ids=["no lifetime", "too long", "another version", "for somebody else", "another method"],
)
def test_row_129_a_token_is_refused(stage: Stage, here: Place, arguments: str, expected: str):
    assert status(stage, here.instance, arguments.format(host=HOST)) == expected


def test_row_129_a_token_is_worth_nothing_on_a_neighbour(stage: Stage, here: Place):
    neighbour = stage.instance(here.subnet, here.group)
    token = stage.typed(here.instance, PLAIN_TOKEN)
    assert read(stage, neighbour, "/latest/meta-data/instance-id", token) == "401"
    assert read(stage, neighbour, "/latest/meta-data/instance-id") == neighbour


def test_row_129_a_disabled_endpoint_forbids_everything(stage: Stage, here: Place, options: Options):
    options(HttpEndpoint="disabled")
    assert read(stage, here.instance, "/latest/meta-data/") == "403"
    assert status(stage, here.instance, f"-X PUT {HOST}/latest/api/token") == "403"


def test_row_129_a_token_comes_as_far_as_the_hop_limit(stage: Stage, here: Place, options: Options):
    """A container is one hop further away than its instance."""
    ask = PLAIN_TOKEN.replace("-m 3", "-m 1")
    assert "failed with 28" in in_container(stage, here.instance, ask)
    assert len(stage.typed(here.instance, PLAIN_TOKEN)) == 56

    options(HttpPutResponseHopLimit=2)
    assert len(in_container(stage, here.instance, ask)) == 56


def test_row_128_a_container_reads_by_version_1_whatever_the_hop_limit(stage: Stage, here: Place, options: Options):
    ask = f"curl -sS -m 3 {HOST}/latest/meta-data/instance-id"
    assert in_container(stage, here.instance, ask) == here.instance
    options(HttpTokens="required")
    assert here.instance not in in_container(stage, here.instance, ask)


def test_a_role_s_credentials_sign_calls_of_its_account(stage: Stage, here: Place):
    role = read(stage, here.instance, "/latest/meta-data/iam/security-credentials/")
    found = json.loads(read(stage, here.instance, f"/latest/meta-data/iam/security-credentials/{role}"))

    def whoami(secret: str) -> str:
        sts = boto3.client(
            "sts",
            endpoint_url=stage.atoll.url,
            region_name="us-east-1",
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=secret,
            aws_session_token=found["Token"],
        )
        arn: str = sts.get_caller_identity()["Arn"]
        return arn

    assert whoami(found["SecretAccessKey"]) == f"arn:aws:sts::{stage.account}:assumed-role/reader/{here.instance}"
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        whoami("another")


def test_the_aws_sdk_finds_credentials_and_region_by_itself(stage: Stage, here: Place):
    script = (
        "import botocore.session; s = botocore.session.Session(); c = s.get_credentials(); "
        "from botocore.utils import InstanceMetadataRegionFetcher as R; "
        "print(c.method, c.access_key[:4], R().retrieve_region())"
    )
    command = ["env", "-i", "HOME=/nonexistent", "PATH=/usr/bin:/bin", stage.python, "-c", script]
    assert stage.run(here.instance, command).output.strip() == "iam-role ASIA us-east-1"


def test_the_same_address_in_another_vpc_has_its_own_answers(stage: Stage, here: Place):
    other = place(stage)
    assert read(stage, other.instance, "/latest/meta-data/local-ipv4") == ADDRESS
    assert read(stage, other.instance, "/latest/meta-data/instance-id") == other.instance
    assert read(stage, here.instance, "/latest/meta-data/instance-id") == here.instance
    token = stage.typed(other.instance, PLAIN_TOKEN)
    assert read(stage, here.instance, "/latest/meta-data/instance-id", token) == "401"


def test_nobody_asks_in_a_neighbour_s_name(stage: Stage, here: Place):
    """Root in an instance takes its neighbour's address, with source/destination check on and off."""
    neighbour = stage.instance(here.subnet, here.group)
    theirs, interface = stage.address(neighbour), stage.primary_interface(here.instance)
    lie = f"""
ip addr add {theirs}/32 dev lo
curl -sS -m 1 --interface {theirs} {HOST}/latest/meta-data/instance-id; echo "ended with $?"
ip addr del {theirs}/32 dev lo
"""
    said = [stage.shell(here.instance, lie).output]
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    said.append(stage.shell(here.instance, lie).output)
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": True})
    assert [one.strip().split("\n")[-1] for one in said] == ["ended with 28"] * 2
    assert neighbour not in "".join(said)


def test_nothing_else_listens_beside_it(stage: Stage, here: Place):
    for port in (22, 81, 443, 4566, 8080):
        assert stage.is_dropped(here.instance, "169.254.169.254", port)
    assert stage.is_dropped(here.instance, "10.0.0.1", 80)
    assert stage.is_dropped(here.instance, "169.254.169.253", 80)
    assert "connected" not in stage.reach(CLIENT, "169.254.169.254", 80, seconds=0.6)


def test_a_token_and_the_service_outlive_the_daemon():
    with running() as atoll:
        stage = Stage(atoll)
        made = place(stage)
        token = stage.typed(made.instance, PLAIN_TOKEN)
        role = "/latest/meta-data/iam/security-credentials/reader"
        before = read(stage, made.instance, role, token)
        atoll.kill()
        atoll.up()
        until(lambda: "up" in stage.type(made.instance, f"curl -s -m 1 -o /dev/null {HOST} && echo up").output)
        assert read(stage, made.instance, "/latest/meta-data/instance-id", token) == made.instance
        assert read(stage, made.instance, role, token) == before
