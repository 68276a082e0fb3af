"""The VPC of the page: a public and a private subnet, the gateway, a key, the groups, an instance."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from atoll.cli.demo.facts import NODES
from atoll.cli.demo.stage import Stage

# A node's interface takes the lowest free address of its subnet.  In this block that is .228 (AWS keeps the first
# four), so two interfaces that hold .228 and .229 let the nodes have the page's .230, .231 and .232.
PRIVATE_CIDR = "10.0.1.224/27"
HELD = ("10.0.1.228", "10.0.1.229")
KEY_FILE = "demo.pem"
PLAIN_IMAGE = "amzn2-ami-hvm-*-x86_64-gp2"


@dataclass(frozen=True, kw_only=True)
class World:
    """The ids of what was made."""

    vpc: str
    public: str
    private: str
    key: Path
    image: str
    default_group: str
    nat_group: str
    cluster_group: str
    app: str  # an ordinary instance in the VPC


def build(stage: Stage, directory: Path) -> World:
    """Make it, call by call; the private key goes into `directory`."""
    stage.chapter("The VPC: a public subnet for the NAT instance, a private one for the cluster")
    vpc = stage.aws("ec2", "CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=named("vpc", "demo"))["Vpc"][
        "VpcId"
    ]
    stage.undo("ec2", "DeleteVpc", VpcId=vpc)
    public = _subnet(stage, vpc, "10.0.0.0/24", "public")
    private = _subnet(stage, vpc, PRIVATE_CIDR, "private")
    _route_to_the_internet(stage, vpc, public)
    _hold_addresses(stage, private)
    groups = stage.aws("ec2", "DescribeSecurityGroups", Filters=[{"Name": "vpc-id", "Values": [vpc]}])[
        "SecurityGroups"
    ]
    only_default = [g["GroupName"] for g in groups] == ["default"]
    stage.check("14", "a new VPC has one security group, called default", only_default, groups[0]["GroupId"])
    nat_group, cluster_group = _groups(stage, vpc)
    image = _image(stage)
    app = launch(stage, image=image, subnet=public, group=groups[0]["GroupId"], name="app")
    return World(
        vpc=vpc,
        public=public,
        private=private,
        key=_key(stage, directory),
        image=image,
        default_group=groups[0]["GroupId"],
        nat_group=nat_group,
        cluster_group=cluster_group,
        app=app,
    )


def launch(stage: Stage, *, image: str, subnet: str, group: str, name: str, **more: Any) -> str:
    """Launch an instance and wait until it runs; returns its id."""
    call = {"ImageId": image, "InstanceType": "m1.small", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
    tags = named("instance", name)
    made = stage.aws("ec2", "RunInstances", **call, SecurityGroupIds=[group], TagSpecifications=tags, **more)
    instance: str = made["Instances"][0]["InstanceId"]
    stage.undo_by(lambda: terminate(stage, instance))
    stage.wait("ec2", "instance_running", InstanceIds=[instance])
    stage.booted(instance)
    return instance


def terminate(stage: Stage, instance: str) -> None:
    """Terminate an instance and wait until it has gone."""
    stage.aws("ec2", "TerminateInstances", InstanceIds=[instance])
    stage.wait("ec2", "instance_terminated", InstanceIds=[instance])


def named(kind: str, name: str) -> list[dict[str, Any]]:
    """Return the parameter that names a resource as it is made."""
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def rule(port: int | str, *, cidr: str | None = None, group: str | None = None) -> list[dict[str, Any]]:
    """Return a "Custom TCP rule" from one source: an address range, or the members of a group."""
    low, _, high = str(port).partition("-")
    source = {"IpRanges": [{"CidrIp": cidr}]} if cidr else {"UserIdGroupPairs": [{"GroupId": group}]}
    return [{"IpProtocol": "tcp", "FromPort": int(low), "ToPort": int(high or low), **source}]


def _subnet(stage: Stage, vpc: str, cidr: str, name: str) -> str:
    made = stage.aws("ec2", "CreateSubnet", VpcId=vpc, CidrBlock=cidr, TagSpecifications=named("subnet", name))
    subnet: str = made["Subnet"]["SubnetId"]
    stage.undo("ec2", "DeleteSubnet", SubnetId=subnet)
    return subnet


def _route_to_the_internet(stage: Stage, vpc: str, public: str) -> None:
    gateway = stage.aws("ec2", "CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    stage.undo("ec2", "DeleteInternetGateway", InternetGatewayId=gateway)
    stage.aws("ec2", "AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    stage.undo("ec2", "DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    table = stage.aws("ec2", "CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    stage.undo("ec2", "DeleteRouteTable", RouteTableId=table)
    stage.aws("ec2", "CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = stage.aws("ec2", "AssociateRouteTable", RouteTableId=table, SubnetId=public)["AssociationId"]
    stage.undo("ec2", "DisassociateRouteTable", AssociationId=association)


def _hold_addresses(stage: Stage, private: str) -> None:
    stage.say(
        f"Two interfaces hold {' and '.join(HELD)}, so that the nodes get the page's addresses, {NODES[0]} and on."
    )
    for address in HELD:
        held = stage.aws("ec2", "CreateNetworkInterface", SubnetId=private, PrivateIpAddress=address)
        stage.undo("ec2", "DeleteNetworkInterface", NetworkInterfaceId=held["NetworkInterface"]["NetworkInterfaceId"])


def _groups(stage: Stage, vpc: str) -> tuple[str, str]:
    stage.say("A group for the NAT instance, and one that only the cluster uses (the page's advice).")
    made = []
    for name, description in (("nat", "NAT instance"), ("cluster", "Only for ElastiCache")):
        call = {"GroupName": name, "Description": description, "VpcId": vpc}
        made.append(stage.aws("ec2", "CreateSecurityGroup", **call)["GroupId"])
        stage.undo("ec2", "DeleteSecurityGroup", GroupId=made[-1])
    for group in made:  # rules that name each other's group would keep both from being deleted
        stage.undo_by(partial(_revoke_all, stage, group))
    nat, cluster = made
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    stage.aws("ec2", "RevokeSecurityGroupEgress", GroupId=nat, IpPermissions=everything)
    return nat, cluster


def _revoke_all(stage: Stage, group: str) -> None:
    found = stage.aws("ec2", "DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"][0]
    if found["IpPermissions"]:
        stage.aws("ec2", "RevokeSecurityGroupIngress", GroupId=group, IpPermissions=found["IpPermissions"])
    if found["IpPermissionsEgress"]:
        stage.aws("ec2", "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=found["IpPermissionsEgress"])


def _image(stage: Stage) -> str:
    found = stage.aws("ec2", "DescribeImages", Owners=["amazon"], Filters=[{"Name": "name", "Values": [PLAIN_IMAGE]}])
    image: str = found["Images"][0]["ImageId"]
    return image


def _key(stage: Stage, directory: Path) -> Path:
    made = stage.aws("ec2", "CreateKeyPair", KeyName="demo")
    stage.undo("ec2", "DeleteKeyPair", KeyName="demo")
    path = directory / KEY_FILE
    path.touch(mode=0o600)
    path.write_text(made["KeyMaterial"])
    return path
