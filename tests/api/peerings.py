"""Peering connections for tests: the VPCs of two accounts and two regions, and what is asked of them."""

from tests.api.paper import by


def ask(ec2, vpc, peer, **more):
    made = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer, **more)["VpcPeeringConnection"]
    return made["VpcPeeringConnectionId"]


def show(ec2, id):
    return ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[id])["VpcPeeringConnections"][0]


def status(ec2, id):
    return show(ec2, id)["Status"]["Code"]


def main_table(ec2, vpc):
    return ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"][0]["RouteTableId"]


def group(ec2, vpc, name="g"):
    return ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]


def pair(id, **more):
    return [{"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": [{"GroupId": id, **more}]}]
