"""The stage of the scenario tests: one daemon, the AWS calls that build worlds, and what is tried in them.

Whoever tries something is named by an instance's id or by an internet client's address.  `reach` says what became of
one TCP connection; a negative says in addition, by `refusal`, which rule the tracer holds responsible, so that a slow
machine cannot pass for a closed one.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from atoll.cli import enter
from tests.daemon.atoll import Atoll, until
from tests.scenario.probe import TCP_PROBE, UDP_PROBE

CLIENT, STRANGER = "198.51.100.27", "198.51.100.28"
ELASTIC_IP, NAT_IP = "203.0.113.73", "10.0.0.55"
NODES = ("10.0.1.230", "10.0.1.231", "10.0.1.232")
ANYWHERE = "0.0.0.0/0"
PLAIN_IMAGE, NAT_IMAGE = "amzn2-ami-hvm-*-x86_64-gp2", "amzn-ami-vpc-nat-*"
NODE_TYPE = "cache.t3.micro"

ARRIVES_SECONDS = 8.0  # a positive waits: also for the second and third SYN
DROPPED_SECONDS = 0.6  # a negative: a round trip takes well under a millisecond
TYPED_SECONDS = 20.0
BOOT_SECONDS = 30.0
QUICK = {"Delay": 0.05, "MaxAttempts": 1200}


@dataclass(frozen=True)
class Refusal:
    """Why the tracer says that a packet does not arrive: its verdict, and the step that decided."""

    verdict: str
    layer: str
    code: str | None
    because: str


class Stage:
    """A daemon, as someone who follows the documentation uses it."""

    def __init__(self, atoll: Atoll, account: str = "000000000000", region: str = "us-east-1"):
        self.atoll, self.account, self.region = atoll, account, region
        self.ec2 = atoll.client("ec2", account=account, region=region)
        self.cache = atoll.client("elasticache", account=account, region=region)
        self.python = sys.executable
        self._images: dict[str, str] = {}
        self._serial = 0
        self._whose = f"account={account}&region={region}"

    def name(self, stem: str) -> str:
        """Return a name that nothing has yet."""
        self._serial += 1
        return f"{stem}-{self._serial}"

    # Networks

    def vpc(self, cidr: str = "10.0.0.0/16", *, internet: bool = True) -> str:
        """Make a VPC, with an internet gateway attached."""
        vpc: str = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        if internet:
            gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return vpc

    def subnet(self, vpc: str, cidr: str, *, public: bool = False, zone: str = "") -> str:
        """Make a subnet, in a zone if one is named; a public one has a route to the internet gateway."""
        where = {"AvailabilityZone": zone} if zone else {}
        subnet: str = self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **where)["Subnet"]["SubnetId"]
        if public:
            filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
            gateway = self.ec2.describe_internet_gateways(Filters=filters)["InternetGateways"][0]
            table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            self.ec2.create_route(
                RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway["InternetGatewayId"]
            )
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return subnet

    def default_group(self, vpc: str) -> str:
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        found: str = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
        return found

    def group(self, vpc: str, *, closed: bool = False) -> str:
        """Make a security group; `closed`: without the rule that lets everything out."""
        made: str = self.ec2.create_security_group(GroupName=self.name("group"), Description="test", VpcId=vpc)[
            "GroupId"
        ]
        if closed:
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
            self.ec2.revoke_security_group_egress(GroupId=made, IpPermissions=everything)
        return made

    def allow(self, group: str, ports: int | str, source: str, *, out: bool = False) -> None:
        """Add a "Custom TCP rule": from (or to) a CIDR block or a group."""
        verb = self.ec2.authorize_security_group_egress if out else self.ec2.authorize_security_group_ingress
        verb(GroupId=group, IpPermissions=rule(ports, source))

    def revoke(self, group: str, ports: int | str, source: str, *, out: bool = False) -> None:
        verb = self.ec2.revoke_security_group_egress if out else self.ec2.revoke_security_group_ingress
        verb(GroupId=group, IpPermissions=rule(ports, source))

    @contextmanager
    def allowed(self, group: str, ports: int | str, source: str, *, out: bool = False) -> Iterator[None]:
        """Have a rule for a while."""
        self.allow(group, ports, source, out=out)
        try:
            yield
        finally:
            self.revoke(group, ports, source, out=out)

    @contextmanager
    def without(self, group: str, ports: int | str, source: str, *, out: bool = False) -> Iterator[None]:
        """Go without a rule for a while."""
        self.revoke(group, ports, source, out=out)
        try:
            yield
        finally:
            self.allow(group, ports, source, out=out)

    def elastic_ip(self, instance: str | None = None, address: str | None = None) -> dict[str, str]:
        """Allocate an Elastic IP, this one if it is given, and give it to an instance."""
        made = self.ec2.allocate_address(Domain="vpc", **({"Address": address} if address else {}))
        found = {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]}
        if instance:
            found["AssociationId"] = self.associate(found["AllocationId"], instance)
        return found

    def associate(self, allocation: str, instance: str) -> str:
        made: str = self.ec2.associate_address(AllocationId=allocation, InstanceId=instance)["AssociationId"]
        return made

    # Instances

    def image(self, name: str) -> str:
        """Return the id of Amazon's image of that name."""
        if name not in self._images:
            filters = [{"Name": "name", "Values": [name]}]
            found = self.ec2.describe_images(Owners=["amazon"], Filters=filters)["Images"]
            self._images[name] = found[0]["ImageId"]
        return self._images[name]

    def instance(self, subnet: str, group: str | None = None, *, image: str = PLAIN_IMAGE, **more: Any) -> str:
        """Launch an instance, and wait until it has booted."""
        groups = {"SecurityGroupIds": [group]} if group else {}
        call = {"ImageId": self.image(image), "InstanceType": "m1.small", "MinCount": 1, "MaxCount": 1}
        made = self.ec2.run_instances(**(call | {"SubnetId": subnet} | groups | more))
        instance: str = made["Instances"][0]["InstanceId"]
        self.booted(instance)
        return instance

    def booted(self, instance: str, before: int | None = None) -> None:
        """Wait until an instance runs, as another process than `before`, and its sshd, which boots last."""
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=QUICK)
        until(lambda: self.pid(instance) not in (None, before), BOOT_SECONDS, f"start of {instance}")
        until(lambda: self.reach(instance, "127.0.0.1", 22) == "connected", BOOT_SECONDS, f"boot of {instance}")

    def reboot(self, instance: str) -> None:
        before = self.pid(instance)
        self.ec2.reboot_instances(InstanceIds=[instance])
        self.booted(instance, before)

    def stop(self, instance: str) -> None:
        self.ec2.stop_instances(InstanceIds=[instance])
        self.ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig=QUICK)

    def start(self, instance: str) -> None:
        self.ec2.start_instances(InstanceIds=[instance])
        self.booted(instance)

    def terminate(self, *instances: str) -> None:
        self.ec2.terminate_instances(InstanceIds=list(instances))
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig=QUICK)

    def pid(self, instance: str) -> int | None:
        """Return the process of a running instance, or None."""
        try:
            found: int | None = self.machine(instance)["pid"]
        except AssertionError:  # it is not running at this moment
            return None
        return found

    def machine(self, place: str) -> dict[str, Any]:
        """Return where a machine lives: its namespace, and its process."""
        found: dict[str, Any] = self.atoll.get(f"/_atoll/machines/{place}?{self._whose}")
        return found

    def primary_interface(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        interface: str = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
        return interface

    def address(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        address: str = found["PrivateIpAddress"]
        return address

    # Caches

    def subnet_group(self, *subnets: str) -> str:
        name = self.name("subnets")
        self.cache.create_cache_subnet_group(
            CacheSubnetGroupName=name, CacheSubnetGroupDescription="test", SubnetIds=list(subnets)
        )
        return name

    def cluster(self, engine: str, subnet_group: str, group: str | None = None, **more: Any) -> str:
        """Create a Memcached cluster or a single Redis OSS node, and wait until it is available."""
        name = self.name(engine)
        groups = {"SecurityGroupIds": [group]} if group else {}
        call = {"CacheClusterId": name, "Engine": engine, "CacheNodeType": NODE_TYPE, "NumCacheNodes": 1}
        self.cache.create_cache_cluster(**(call | {"CacheSubnetGroupName": subnet_group} | groups | more))
        self.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=name, WaiterConfig=QUICK)
        return name

    def replication_group(self, engine: str, subnet_group: str, group: str, members: int, **more: Any) -> str:
        """Create a primary with replicas, and wait until it is available."""
        name = self.name(engine)
        call = {"ReplicationGroupId": name, "ReplicationGroupDescription": "test", "Engine": engine}
        size = {"NumCacheClusters": members, "CacheNodeType": NODE_TYPE}
        place = {"CacheSubnetGroupName": subnet_group, "SecurityGroupIds": [group]}
        self.cache.create_replication_group(**(call | size | place | more))
        self.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=name, WaiterConfig=QUICK)
        return name

    def delete_cluster(self, name: str) -> None:
        self.cache.delete_cache_cluster(CacheClusterId=name)
        self.cache.get_waiter("cache_cluster_deleted").wait(CacheClusterId=name, WaiterConfig=QUICK)

    def delete_replication_group(self, name: str) -> None:
        self.cache.delete_replication_group(ReplicationGroupId=name)
        self.cache.get_waiter("replication_group_deleted").wait(ReplicationGroupId=name, WaiterConfig=QUICK)

    def described(self, cluster: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cache.describe_cache_clusters(CacheClusterId=cluster, ShowCacheNodeInfo=True)[
            "CacheClusters"
        ][0]
        return found

    def endpoints(self, cluster: str) -> list[tuple[str, int]]:
        """Return the name and port of each node of a cluster."""
        nodes = self.described(cluster)["CacheNodes"]
        return [(node["Endpoint"]["Address"], node["Endpoint"]["Port"]) for node in nodes]

    def members(self, group: str) -> list[str]:
        found: list[str] = self.cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0][
            "MemberClusters"
        ]
        return found

    def node_addresses(self, *clusters: str) -> list[str]:
        """Return the private addresses of the nodes of some clusters, in their order."""
        caches = {found["name"]: found for found in self.atoll.get(f"/_atoll/status?{self._whose}")["caches"]}
        return [node["address"] for name in clusters for node in caches[name]["nodes"]]

    # What is tried

    def reach(self, here: str, address: str, port: int, say: str = "", *, seconds: float = ARRIVES_SECONDS) -> str:
        """Connect from somewhere: "connected", with what was answered to `say`, "dropped" or "refused"."""
        command = [sys.executable, "-I", "-S", "-c", TCP_PROBE, address, str(port), str(seconds), say]
        ended = self.run(here, command, seconds + TYPED_SECONDS)
        return ended.output.strip() or f"no output, exit status {ended.code}"

    def is_dropped(self, here: str, address: str, port: int) -> bool:
        """Tell whether the SYN vanishes: neither accepted nor refused."""
        return self.reach(here, address, port, seconds=DROPPED_SECONDS) == "dropped"

    def connects(self, here: str, address: str, port: int) -> bool:
        return self.reach(here, address, port) == "connected"

    def udp(self, here: str, address: str, port: int) -> str:
        command = [sys.executable, "-I", "-S", "-c", UDP_PROBE, address, str(port), str(DROPPED_SECONDS)]
        return self.run(here, command, TYPED_SECONDS).output.strip()

    def refusal(self, here: str, address: str, port: int, protocol: str = "tcp") -> Refusal:
        """Say what the tracer says of a packet that does not arrive."""
        found = self.trace(here, address, port, protocol)
        assert not found["delivered"], found["lines"]
        step = next(step for step in (*found["steps"], *found["back"]) if not step["allowed"])
        return Refusal(found["verdict"], step["layer"], step["code"], step["because"])

    def trace(self, here: str, address: str, port: int, protocol: str = "tcp") -> dict[str, Any]:
        question = {"from": here, "to": address, "port": port, "protocol": protocol, "account": self.account}
        question["region"] = self.region
        found: dict[str, Any] = self.atoll.post("/_atoll/trace", question)
        return found

    def run(self, here: str, command: Sequence[str], seconds: float = TYPED_SECONDS) -> enter.Ended:
        """Run a command of this machine in a network, as `atoll run --in` and `--as` do."""
        return enter.run(enter.in_network(self._place(here)), list(command), seconds_max=seconds)

    def type(self, instance: str, line: str, *, seconds: float = TYPED_SECONDS) -> enter.Ended:
        """Type a line as root in an instance, as `atoll exec` does."""
        become = enter.in_instance(self._place(instance))
        return enter.run(become, ["/bin/bash", "-c", line], seconds_max=seconds)

    def typed(self, instance: str, line: str) -> str:
        """Type a line that must succeed; returns what it said."""
        ended = self.type(instance, line)
        assert ended.code == 0, f"{line} -> {ended.code}: {ended.output}"
        return ended.output.strip()

    def shell(self, here: str, line: str, *, seconds: float = TYPED_SECONDS) -> enter.Ended:
        """Type a line on this machine, in another network."""
        return self.run(here, ["/bin/bash", "-c", line], seconds)

    def telnet(self, here: str, address: str, port: int, *lines: str, seconds: float = 10.0) -> str:
        """Use telnet as a person does: type lines, look, leave.  Inside an instance its own telnet is used."""
        typed = " ".join(f"'{line}'" for line in lines)
        line = f"(printf '%s\\n' {typed}; sleep 0.5) | timeout {seconds} telnet {address} {port} 2>&1"
        typist = self.type if here.startswith("i-") else self.shell
        return typist(here, line, seconds=seconds + TYPED_SECONDS).output

    def redis(self, here: str, address: str, port: int, *words: str) -> str:
        """Use redis-cli from a network."""
        command = ["redis-cli", "-h", address, "-p", str(port), *words]
        return self.run(here, command).output.strip()

    @contextmanager
    def program(self, here: str, script: str, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the user's own program in a network, by `atoll run`; it says "ready" when it is."""
        where = ("--in", here) if here.startswith("i-") else ("--as", here)
        command = [sys.executable, "-m", "atoll.cli", "run", *where, "--", sys.executable, "-u", "-c", script, *words]
        process = self.atoll.start_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n", "the program started"
            yield process
        finally:
            process.kill()
            process.communicate()

    def _place(self, here: str) -> enter.Place:
        if here.startswith("i-"):
            return enter.place_of(self.machine(here))
        return enter.place_of(self.atoll.post("/_atoll/outside", {"address": here}))


def rule(ports: int | str, source: str) -> list[dict[str, Any]]:
    """Return a TCP rule with one source, or one destination: a CIDR block, or a group."""
    low, _, high = str(ports).partition("-")
    at = (
        {"UserIdGroupPairs": [{"GroupId": source}]}
        if source.startswith("sg-")
        else {"IpRanges": [{"CidrIp": source}]}
    )
    return [{"IpProtocol": "tcp", "FromPort": int(low), "ToPort": int(high or low), **at}]


def refused_with(code: str, call: Any, **parameters: Any) -> str:
    """Make a call that AWS refuses with this code; returns its message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return str(error["Message"])
