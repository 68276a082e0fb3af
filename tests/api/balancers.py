"""What tests of load balancing share: a VPC with a subnet in each of two zones, and a balancer in them."""


class Ground:
    """A VPC in two zones."""

    def __init__(self, paper, *, account=None, cidr="10.0.0.0/16"):
        more = {"account": account} if account else {}
        self.paper, self.elb, self.ec2 = paper, paper.client("elbv2", **more), paper.client(**more)
        self.vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        net = cidr.split(".")[0] + "." + cidr.split(".")[1]
        self.subnets = [self.subnet(f"{net}.{n}.0/24", zone) for n, zone in enumerate(("us-east-1a", "us-east-1b"))]

    def subnet(self, cidr, zone):
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    def group(self, name="sg"):
        return self.ec2.create_security_group(GroupName=name, Description="d", VpcId=self.vpc)["GroupId"]

    def gateway(self):
        igw = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=self.vpc)
        return igw

    def balancer(self, name="lb", **more):
        call = {"Name": name, "Type": "network", "Scheme": "internal", "Subnets": self.subnets}
        if "SubnetMappings" in more:
            del call["Subnets"]
        return self.elb.create_load_balancer(**(call | more))["LoadBalancers"][0]["LoadBalancerArn"]

    def targets(self, name="tg", **more):
        call = {"Name": name, "Protocol": "TCP", "Port": 6379, "VpcId": self.vpc, "TargetType": "ip"}
        return self.elb.create_target_group(**(call | more))["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, balancer, group, port=6379, **more):
        call = {"LoadBalancerArn": balancer, "Protocol": "TCP", "Port": port, "DefaultActions": forward(group)}
        return self.elb.create_listener(**(call | more))["Listeners"][0]["ListenerArn"]

    def health(self, group, *targets):
        found = self.elb.describe_target_health(TargetGroupArn=group, Targets=list(targets))
        return [
            (t["Target"]["Id"], t["TargetHealth"]["State"], t["TargetHealth"].get("Reason"))
            for t in found["TargetHealthDescriptions"]
        ]


def forward(group):
    """Return default actions that forward to a target group."""
    return [{"Type": "forward", "TargetGroupArn": group}]
