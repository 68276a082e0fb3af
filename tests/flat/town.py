"""A VPC with two instances and caches, on the flat host: `app` may reach the caches, `other` may not."""

from typing import Any

from tests.daemon.atoll import Atoll, until
from tests.flat import socks

NODE = {"CacheNodeType": "cache.t3.micro"}


class Town:
    """The resources that tests name."""

    def __init__(self, atoll: Atoll):
        self.atoll = atoll
        self.ec2, self.elasticache = atoll.client("ec2"), atoll.client("elasticache")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (0, 1)
        ]
        self.app_group, self.other_group, self.cache_group = (self.group(n) for n in ("app", "other", "cache"))
        self.admit(6379, self.app_group)
        self.admit(11211, self.app_group)
        self.app, self.other = self.instance(self.app_group), self.instance(self.other_group)
        self.elasticache.create_cache_subnet_group(
            CacheSubnetGroupName="town", CacheSubnetGroupDescription="town", SubnetIds=[self.subnets[1]]
        )
        self.placed = {"CacheSubnetGroupName": "town", "SecurityGroupIds": [self.cache_group], **NODE}

    @property
    def relay(self) -> dict[str, Any]:
        found: dict[str, Any] = self.atoll.status()["relay"]
        return found

    def group(self, name: str) -> str:
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        group: str = made["GroupId"]
        return group

    def permission(self, port: int, source: str) -> dict[str, Any]:
        whom = {"UserIdGroupPairs": [{"GroupId": source}]} if source.startswith("sg-") else {
            "IpRanges": [{"CidrIp": source}]
        }  # fmt: skip
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **whom}

    def admit(self, port: int, source: str) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=self.cache_group, IpPermissions=[self.permission(port, source)]
        )

    def revoke(self, port: int, source: str) -> None:
        self.ec2.revoke_security_group_ingress(
            GroupId=self.cache_group, IpPermissions=[self.permission(port, source)]
        )

    def instance(self, group: str) -> str:
        """Run an instance, and return the id of its interface."""
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = self.ec2.run_instances(
            ImageId=image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[0],
            SecurityGroupIds=[group],
        )["Instances"][0]
        interface: str = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
        until(lambda: self.state(made["InstanceId"]) == "running", what="the instance")
        return interface

    def state(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        state: str = found["State"]["Name"]
        return state

    def replicas(self, name: str, **options: Any) -> dict[str, Any]:
        """Make a replication group, and return it when it is available."""
        self.elasticache.create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription=name,
            Engine="valkey",
            AutomaticFailoverEnabled=True,
            **self.placed,
            **options,
        )
        return self.available(name)

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.elasticache.describe_replication_groups(ReplicationGroupId=name)[
            "ReplicationGroups"
        ][0]
        return found

    def available(self, name: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.described(name)
            return found if found["Status"] == "available" else None

        found: dict[str, Any] = until(look, 90, f"group {name}")
        return found

    def memcached(self, name: str, nodes: int) -> dict[str, Any]:
        self.elasticache.create_cache_cluster(
            CacheClusterId=name, Engine="memcached", NumCacheNodes=nodes, **self.placed
        )

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.elasticache.describe_cache_clusters(
                CacheClusterId=name, ShowCacheNodeInfo=True
            )["CacheClusters"][0]
            return found if found["CacheClusterStatus"] == "available" else None

        made: dict[str, Any] = until(look, 60, f"cluster {name}")
        return made

    def connect(self, user: str, host: str, port: int = 6379, seconds: float = 20.0) -> Any:
        return socks.connect(self.relay, user, host, port, seconds)
