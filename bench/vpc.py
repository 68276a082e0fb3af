"""A small VPC to measure in: a public and a private subnet, groups, instances; all through the API."""

from dataclasses import dataclass

from bench.ground import Api, one, until

PORT = 6379


@dataclass(frozen=True)
class Vpc:
    """What the measurements need of it."""

    id: str
    public: str
    private: str


def build(api: Api) -> Vpc:
    """Make it."""
    vpc = one(api.ec2("CreateVpc", CidrBlock="10.0.0.0/16"), "vpcId")
    public = one(api.ec2("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24"), "subnetId")
    private = one(api.ec2("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24"), "subnetId")
    gateway = one(api.ec2("CreateInternetGateway"), "internetGatewayId")
    api.ec2("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    table = one(api.ec2("CreateRouteTable", VpcId=vpc), "routeTableId")
    api.ec2("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    api.ec2("AssociateRouteTable", RouteTableId=table, SubnetId=public)
    return Vpc(vpc, public, private)


def group(api: Api, vpc: Vpc, name: str) -> str:
    """Make a security group."""
    return one(api.ec2("CreateSecurityGroup", GroupName=name, GroupDescription="bench", VpcId=vpc.id), "groupId")


def permission(cidr: str, port: int = PORT) -> dict[str, object]:
    """Return a permission for one port."""
    first = "IpPermissions.1."
    ports = {f"{first}FromPort": port, f"{first}ToPort": port}
    return {f"{first}IpProtocol": "tcp", **ports, f"{first}IpRanges.1.CidrIp": cidr}


def allow(api: Api, group_id: str, cidr: str, port: int = PORT) -> None:
    """Let a range in."""
    api.ec2("AuthorizeSecurityGroupIngress", GroupId=group_id, **permission(cidr, port))


def instance(api: Api, subnet: str, group_id: str) -> str:
    """Launch an instance, wait until it runs, and return its id."""
    found = api.ec2("DescribeImages", **{"Owner.1": "amazon", "Filter.1.Name": "name", "Filter.1.Value.1": "al20*"})
    where = {"SubnetId": subnet, "SecurityGroupId.1": group_id}
    what = {"ImageId": one(found, "imageId"), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    id = one(api.ec2("RunInstances", **what, **where), "instanceId")

    def runs() -> bool:
        told = api.ec2("DescribeInstances", **{"InstanceId.1": id})
        return any(state.findtext("name") == "running" for state in told.iter("instanceState"))

    until(runs)
    return id
