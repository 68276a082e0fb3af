"""The examples of the AWS CLI's own help, for the operations that Atoll supports: read, adapted, and run.

The CLI runs in this process and unchanged; what it sends goes to a world on paper.  Adapted means: an id of the
example becomes the id of something of that kind that exists here, and `--region` goes.
"""

import contextlib
import io
import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import awscli
from awscli.clidriver import create_clidriver
from botocore import xform_name

from atoll.aws.operation import OPERATIONS
from tests.api.paper import Paper

EXAMPLES = Path(awscli.__file__).parent / "examples"
ID = re.compile(
    r"\b([a-z][a-z-]*?)-(?:0[0-9a-z]*EXAMPLE[0-9a-z]*|[0-9a-fx]{8,17}(?:EXAMPLE\w*)?|EXAMPLE\w*|[0-9a-z]{17})\b"
)
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}
SPOILT = "'Namespace' object has no attribute"  # a command with `--no-...` spoils a CLI for the next that has one
DROPPED = {"--region", "--profile", "--output", "--query", "--endpoint-url"}


def examples(service: str) -> dict[str, list[str]]:
    """Return the command lines of each supported operation's page: operation -> lines."""
    found = {}
    for of, name in sorted(OPERATIONS):
        page = EXAMPLES / service / f"{xform_name(name, '-')}.rst"
        if of == service and page.exists():
            found[name] = list(commands(page.read_text(), f"aws {service} {xform_name(name, '-')}"))
    return {name: lines for name, lines in found.items() if lines}


def commands(page: str, begin: str) -> Iterator[str]:
    """Yield the command lines of a page, each in one line."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.strip().startswith(begin) and line.startswith((" ", "\t")):
            whole = line.strip()
            while whole.endswith(("\\", "^")):
                whole = whole[:-1].strip() + " " + next(lines).strip()
            yield whole


def adapted(line: str, ids: dict[str, str]) -> list[str]:
    """Return the words of a command line, with ids that exist; raises ValueError if no shell would read it."""
    words, kept = iter(shlex.split(line)[1:]), []
    for word in words:
        if word in DROPPED:
            next(words, None)
            continue
        kept.append(ID.sub(lambda m: ids.get(m[1], m[0]), word))
    return kept


class Cli:
    """The AWS CLI, whose calls go to a world on paper."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self._begin()

    def _begin(self) -> None:
        self.driver = create_clidriver()
        self.driver.session.register("before-send", self.paper._send)

    def run(self, words: list[str]) -> tuple[int, str]:
        """Run it; returns its exit code and what it said."""
        code, said = self._run(words)
        if SPOILT in said:
            self._begin()  # takes a second
            code, said = self._run(words)
        return code, said

    def _run(self, words: list[str]) -> tuple[int, str]:
        said = io.TextIOWrapper(io.BytesIO(), write_through=True)
        logging.disable(logging.CRITICAL)  # it tells everything it does, and a test would keep all of it
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = self.driver.main(words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 2
        finally:
            logging.disable(logging.NOTSET)
        return code, said.buffer.getvalue().decode()  # type: ignore[attr-defined]


def furnish(paper: Paper) -> dict[str, str]:
    """Make one of everything that examples speak of; returns prefixes and ids."""
    ec2, cache = paper.client(), paper.client("elasticache")
    vpc, other = (ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (0, 1))
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.200.0/24", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]
    group = ec2.create_security_group(GroupName="MySecurityGroup", Description="x", VpcId=vpc)["GroupId"]
    allow = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[allow])["SecurityGroupRules"][0]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    associated = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    of_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (used,) = ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.create_key_pair(KeyName="MyKeyPair")
    launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group])
    paper.settle()
    instance = launched["Instances"][0]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"][
        "NetworkInterfaceId"
    ]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])
    secondary = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.2.0.0/16")["CidrBlockAssociation"]
    paper.settle()
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="my-subnet-group", CacheSubnetGroupDescription="x", SubnetIds=[subnet]
    )
    return {
        "vpc": vpc, "subnet": subnet, "sn": subnet, "sg": group, "sgr": rule["SecurityGroupRuleId"], "rtb": table,
        "rtbassoc": associated, "igw": gateway, "acl": acl, "ami": image, "i": instance["InstanceId"],
        "aclassoc": next(a["NetworkAclAssociationId"] for a in used["Associations"] if a["SubnetId"] == subnet),
        "eni": interface, "eni-attach": instance["NetworkInterfaces"][0]["Attachment"]["AttachmentId"],
        "vol": ec2.describe_volumes()["Volumes"][0]["VolumeId"], "eipalloc": address, "nat": nat,
        "pcx": peering["VpcPeeringConnectionId"], "dopt": options["DhcpOptions"]["DhcpOptionsId"],
        "vpc-cidr-assoc": secondary["AssociationId"],
    }  # fmt: skip
