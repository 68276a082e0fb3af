"""The documented world: the page "Accessing your ElastiCache cluster", with the page's own addresses and commands.

A node takes the lowest free address of its subnet, so two interfaces hold .228 and .229 of 10.0.1.224/27.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.scenario.stage import CLIENT, ELASTIC_IP, NAT_IP, NODES, Stage

ENABLE_FORWARDING = (
    "sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf",
    "sudo sysctl --system",
)
SNAT = "iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.55"
SAVE = "service iptables save"
FORWARDS = {
    "memcached": (
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 11211 -j DNAT --to 10.0.1.230:11211",
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 11212 -j DNAT --to 10.0.1.231:11211",
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 11213 -j DNAT --to 10.0.1.232:11211",
    ),
    "valkey": (
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6379 -j DNAT --to 10.0.1.230:6379",
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6380 -j DNAT --to 10.0.1.231:6379",
        "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6381 -j DNAT --to 10.0.1.232:6379",
    ),
}
SSH_OPTIONS = (
    "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR -oConnectTimeout=10 -F/dev/null"
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """The ids of the documented world."""

    engine: str
    port: int
    ports: tuple[int, int, int]  # of the NAT instance, one for each node
    vpc: str
    public: str
    private: str
    subnet_group: str
    app: str  # an instance of the VPC, in the public subnet and the default group
    nat: str
    nat_group: str
    cluster_group: str
    allocation: str  # of the Elastic IP
    key: Path
    clusters: tuple[str, ...]  # Memcached: one of three nodes; Valkey: three of one node
    replication_group: str | None

    @property
    def range(self) -> str:
        return f"{self.ports[0]}-{self.ports[-1]}"

    @property
    def forwards(self) -> tuple[str, str, str]:
        return FORWARDS[self.engine]

    def ssh(self, command: str) -> str:
        """Return the command line that logs in to the NAT instance and runs a command there."""
        return f"ssh {SSH_OPTIONS} -oBatchMode=yes -i {self.key} ec2-user@{ELASTIC_IP} {command}"


def build(stage: Stage, engine: str, keys: Path) -> Page:
    """Follow the page's procedure from the first step to the fifth; nothing is saved yet."""
    port = {"memcached": 11211, "valkey": 6379}[engine]
    vpc = stage.vpc("10.0.0.0/16")
    public, private = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.224/27")
    for held in ("10.0.1.228", "10.0.1.229"):
        stage.ec2.create_network_interface(SubnetId=private, PrivateIpAddress=held)
    nat_group, cluster_group = stage.group(vpc, closed=True), stage.group(vpc)
    subnet_group = stage.subnet_group(private)
    replication_group = None
    if engine == "memcached":
        clusters = [stage.cluster("memcached", subnet_group, cluster_group, NumCacheNodes=3)]
    else:
        replication_group = stage.replication_group(engine, subnet_group, cluster_group, 3)
        clusters = stage.members(replication_group)
    assert stage.node_addresses(*clusters) == list(NODES)
    page = Page(
        engine=engine,
        port=port,
        ports=(port, port + 1, port + 2),
        vpc=vpc,
        public=public,
        private=private,
        subnet_group=subnet_group,
        app=stage.instance(public, stage.default_group(vpc)),
        nat=nat_instance(stage, public, nat_group, key_pair(stage, keys)),
        nat_group=nat_group,
        cluster_group=cluster_group,
        allocation=stage.elastic_ip(address=ELASTIC_IP)["AllocationId"],
        key=keys / "key.pem",
        clusters=tuple(clusters),
        replication_group=replication_group,
    )
    stage.associate(page.allocation, page.nat)
    follow(stage, page)
    return page


def key_pair(stage: Stage, directory: Path) -> str:
    """Create a key pair and keep its private key, readable by this user only; returns its name."""
    name = stage.name("key")
    path = directory / "key.pem"
    path.touch(mode=0o600)
    path.write_text(stage.ec2.create_key_pair(KeyName=name)["KeyMaterial"])
    return name


def nat_instance(stage: Stage, subnet: str, group: str, key: str) -> str:
    """Step 1: the NAT instance at its documented address."""
    return stage.instance(subnet, group, PrivateIpAddress=NAT_IP, KeyName=key)


def follow(stage: Stage, page: Page) -> None:
    """Steps 2 and 4: the rules of both groups, forwarding, and the iptables lines as they are printed."""
    for ports in (page.range, 22):
        stage.allow(page.nat_group, ports, f"{CLIENT}/32")
    stage.allow(page.nat_group, page.port, page.cluster_group, out=True)
    stage.allow(page.cluster_group, page.port, page.nat_group)
    for line in (*ENABLE_FORWARDING, *page.forwards, SNAT):
        stage.typed(page.nat, line)


@contextmanager
def untyped(stage: Stage, instance: str, line: str) -> Iterator[None]:
    """Take one `iptables -A` line back for a while."""
    stage.typed(instance, line.replace(" -A ", " -D "))
    try:
        yield
    finally:
        stage.typed(instance, line)
