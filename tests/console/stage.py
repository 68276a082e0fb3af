"""A VPC of every kind of thing that the pages of VPC and EC2 show, made by boto3, with markup in every name."""

from dataclasses import dataclass

from tests.api.paper import tagging
from tests.daemon.atoll import Atoll

EVIL = "<script>alert('1')</script>\"&"


@dataclass(frozen=True)
class Place:
    """The ids of what there is."""

    vpc: str
    subnet: str
    private: str
    table: str
    igw: str
    nat: str
    address: str
    peering: str
    endpoint: str
    acl: str
    app: str  # a security group
    cache: str
    instance: str
    bastion: str
    interface: str

    @property
    def pages(self) -> list[str]:
        """Return the paths of the pages about them."""
        i = self.instance
        details = {
            "vpc/vpcs": self.vpc, "vpc/subnets": self.subnet, "vpc/route-tables": self.table,
            "vpc/peering": self.peering, "vpc/endpoints": self.endpoint, "vpc/acls": self.acl, "vpc/groups": self.app,
            "ec2/instances": i, "ec2/interfaces": self.interface,
        }  # fmt: skip
        forms = (
            "vpc/vpcs/create", "vpc/subnets/create", f"vpc/subnets/create/{self.vpc}", "vpc/route-tables/create",
            f"vpc/route-tables/{self.table}/routes/create", f"vpc/route-tables/{self.table}/associate",
            "vpc/internet-gateways/create", "vpc/internet-gateways/attach", "vpc/nat-gateways/create",
            "vpc/addresses/create", "vpc/addresses/associate", "vpc/peering/create", "vpc/endpoints/create",
            "vpc/endpoint-services/create", "vpc/acls/create", f"vpc/acls/{self.acl}/entries/in",
            f"vpc/acls/{self.acl}/entries/out", f"vpc/acls/{self.acl}/associate", "vpc/groups/create",
            f"vpc/groups/{self.app}/rules/in", f"vpc/groups/{self.app}/rules/out", "ec2/instances/launch",
            "ec2/key-pairs/create", "ec2/key-pairs/import", "ec2/interfaces/create",
            f"ec2/interfaces/{self.interface}/attach", f"ec2/instances/{i}/terminal",
        )  # fmt: skip
        return [*(f"/{path}/{id}" for path, id in details.items()), *(f"/{path}" for path in forms)]


def place(atoll: Atoll, name: str = EVIL) -> Place:
    """Make everything; names hold `name`."""
    ec2 = atoll.client("ec2")

    def tag(type: str, more: str = "") -> list[dict[str, object]]:
        return tagging(type, Name=f"{more}{name}", team=name)

    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tag("vpc"))["Vpc"]["VpcId"]
    subnet, private = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, TagSpecifications=tag("subnet"))["Subnet"]["SubnetId"]
        for cidr in ("10.0.0.0/24", "10.0.1.0/24")
    )
    igw = ec2.create_internet_gateway(TagSpecifications=tag("internet-gateway"))["InternetGateway"][
        "InternetGatewayId"
    ]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tag("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    address = ec2.allocate_address(TagSpecifications=tag("elastic-ip"))["AllocationId"]
    spare = ec2.allocate_address()["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=spare, TagSpecifications=tag("natgateway"))
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(
        VpcId=vpc, PeerVpcId=other, TagSpecifications=tag("vpc-peering-connection")
    )
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[table],
        TagSpecifications=tag("vpc-endpoint"),
    )
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tag("network-acl"))["NetworkAcl"]["NetworkAclId"]
    app, cache = (
        ec2.create_security_group(VpcId=vpc, GroupName=group, Description=f"of {group}")["GroupId"]
        for group in ("app", "cache")
    )
    ec2.create_tags(Resources=[app], Tags=[{"Key": "Name", "Value": name}])
    ec2.import_key_pair(KeyName="key", PublicKeyMaterial=PUBLIC)
    x86 = [{"Name": "architecture", "Values": ["x86_64"]}]
    image = ec2.describe_images(Owners=["amazon"], Filters=x86)["Images"][-1]["ImageId"]
    instance, bastion = (
        ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group],
            InstanceType="t3.micro", UserData="#!/bin/sh\necho <b>hello</b>\n",
            TagSpecifications=tag("instance", f"{more} "),
        )["Instances"][0]["InstanceId"]
        for group, more in ((app, "app"), (cache, "bastion"))
    )  # fmt: skip
    interface = ec2.create_network_interface(
        SubnetId=private, Groups=[app], Description=name, TagSpecifications=tag("network-interface")
    )["NetworkInterface"]["NetworkInterfaceId"]
    return Place(
        vpc=vpc, subnet=subnet, private=private, table=table, igw=igw, nat=nat["NatGateway"]["NatGatewayId"],
        address=address, peering=peering["VpcPeeringConnection"]["VpcPeeringConnectionId"],
        endpoint=endpoint["VpcEndpoint"]["VpcEndpointId"], acl=acl, app=app, cache=cache, instance=instance,
        bastion=bastion, interface=interface,
    )  # fmt: skip


PUBLIC = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Lr0Xw2f8mQpYy0d9p9mCw3pQb1nq3u2yqk7m4Tg5e somebody"
