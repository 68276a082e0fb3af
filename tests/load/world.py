"""The world under load: teams of instances and caches in one VPC; a team's caches admit that team and nobody else."""

import random
import time

from tests.daemon.atoll import until

TEAMS = 10
NODE = {"CacheNodeType": "cache.t3.micro", "CacheSubnetGroupName": "nodes"}
SETTLE_SECONDS = 900.0  # hundreds of processes, on a machine that others use


class Loaded:
    """What was made, and where everything is."""

    def __init__(self, atoll, nodes, instances):
        self.atoll, self.teams = atoll, min(TEAMS, nodes, instances)
        self.ec2, self.cache = atoll.client("ec2"), atoll.client("elasticache")
        self.instances, self.groups, self.names, self.replication, self.lone = {}, [], {}, [], []
        self._network()
        for team in range(self.teams):
            self._team(team, nodes // self.teams, instances // self.teams)
        self.settled()
        self.pids = {id: atoll.machine(id)["pid"] for ids in self.instances.values() for id in ids}
        self.nodes = self._nodes()

    def _network(self):
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n * 16}.0/20", AvailabilityZone=f"us-east-1{z}")[
                "Subnet"]["SubnetId"]
            for n, z in enumerate("ab")
        ]  # fmt: skip
        self.cache.create_cache_subnet_group(
            CacheSubnetGroupName="nodes", CacheSubnetGroupDescription="x", SubnetIds=self.subnets
        )

    def _team(self, team, nodes, instances):
        app, own = (
            self.ec2.create_security_group(GroupName=f"{what}-{team}", Description="x", VpcId=self.vpc)["GroupId"]
            for what in ("app", "cache")
        )
        self.groups += [own, app]
        self.ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 6379,
            "ToPort": 11211, "UserIdGroupPairs": [{"GroupId": app}]}])  # fmt: skip
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = self.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=instances, MaxCount=instances,
            SubnetId=self.subnets[team % 2], SecurityGroupIds=[app])["Instances"]  # fmt: skip
        self.instances[team] = [instance["InstanceId"] for instance in made]
        self._caches(team, nodes, {**NODE, "SecurityGroupIds": [own]})

    def _caches(self, team, nodes, more):
        """A fifth in Memcached, four nodes in two shards where there are enough, the others in pairs or alone."""
        if lone := max(nodes // 5, 1):
            self.cache.create_cache_cluster(CacheClusterId=f"mem-{team}", Engine="memcached", NumCacheNodes=lone,
                **more)  # fmt: skip
            self.lone.append(f"mem-{team}")
        left = nodes - lone
        about = {"ReplicationGroupDescription": "x", "Engine": "valkey", **more}
        if left >= 8:
            self.cache.create_replication_group(ReplicationGroupId=f"shards-{team}", NumNodeGroups=2,
                ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, **about)  # fmt: skip
            self.replication.append(f"shards-{team}")
            left -= 4
        for number in range((left + 1) // 2):
            name = f"pair-{team}-{number}"
            self.cache.create_replication_group(ReplicationGroupId=name, NumCacheClusters=min(2, left - 2 * number),
                **about)  # fmt: skip
            self.replication.append(name)

    def settled(self):
        until(self._is_settled, SETTLE_SECONDS, "rest")

    def _is_settled(self):
        time.sleep(0.5)  # a status of hundreds of machines is not cheap
        status = self.atoll.status()
        nodes = [node for cache in status["caches"] for node in cache["nodes"]]
        return (
            all(cache["status"] == "available" for cache in status["caches"])
            and all(node["status"] == "available" and not node["host_error"] for node in nodes)
            and all(i["state"] in ("running", "terminated") for i in status["instances"])
            and not status["loop"]["failures"]
        )

    def _nodes(self):
        """Return every node: (team, name, address, port, engine, is a lone primary)."""
        found = []
        for cache in self.atoll.status()["caches"]:
            team = int(cache["name"].split("-")[1])
            for node in cache["nodes"]:
                port = int(node["endpoint"].rpartition(":")[2])
                engine = "memcached" if cache["name"].startswith("mem-") else "valkey"
                found.append((team, cache["name"], node["address"], port, engine))
        return found

    def flows(self):
        """Return a flow for each instance: to a Memcached node or the primary of a pair of its team."""
        groups = self.cache.describe_replication_groups()["ReplicationGroups"]
        members = [m for g in groups if g["ReplicationGroupId"].startswith("pair-")
            for m in g["NodeGroups"][0]["NodeGroupMembers"]]  # fmt: skip
        firsts = {m["CacheClusterId"] for m in members if m.get("CurrentRole", "primary") == "primary"}
        flows = []
        for team, ids in self.instances.items():
            takes = [n for n in self.nodes if n[0] == team and (n[4] == "memcached" or n[1] in firsts)]
            for number, id in enumerate(ids):
                _, _, address, port, engine = takes[number % len(takes)]
                flows.append((self.pids[id], address, port, engine))
        return flows

    def pair(self, rng: random.Random):
        """Return an instance and a node, half of the time of one team."""
        team = rng.randrange(self.teams)
        other = team if rng.random() < 0.5 else rng.randrange(self.teams)
        return rng.choice(self.instances[team]), rng.choice([n for n in self.nodes if n[0] == other])

    def delete(self):
        """Delete everything by the API, and wait until all of it has gone."""
        for name in self.replication:
            self.cache.delete_replication_group(ReplicationGroupId=name)
        for name in self.lone:
            self.cache.delete_cache_cluster(CacheClusterId=name)
        for ids in self.instances.values():
            self.ec2.terminate_instances(InstanceIds=ids)
        until(self._is_gone, SETTLE_SECONDS, "the end of all caches and instances")
        self.cache.delete_cache_subnet_group(CacheSubnetGroupName="nodes")
        for group in self.groups:
            self.ec2.delete_security_group(GroupId=group)
        of_vpc = [{"Name": "vpc-id", "Values": [self.vpc]}]
        for left in self.ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]:
            if left["GroupName"] != "default":  # of a client whose call to delete it failed: that was told
                self.ec2.delete_security_group(GroupId=left["GroupId"])
        for subnet in self.subnets:
            self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.delete_vpc(VpcId=self.vpc)

    def _is_gone(self):
        time.sleep(0.2)
        status = self.atoll.status()
        return not status["caches"] and all(i["state"] == "terminated" for i in status["instances"])
