"""The rows of the inventory that no test here covers yet: why, and which piece of work brings them.

`LATER` are whole rows; `PARTLY` are rows that have a test, and what of them it leaves out.  A title is the row's own
claim, so that this page can be read alone; test_rows.py holds both to inventory.tsv.
"""

from dataclasses import dataclass

VPC = "2. The whole VPC: enforced on every packet, and explained"
ELASTICACHE = "3. The whole of ElastiCache: replicas, failover, shards, discovery, users, TLS, backups"
CONSOLE = "4. What people see and touch: the console, the tests they write, the lessons"
PROOF = "5. Prove it: faster than every peer, and hard to break"
BENCH = "bench/ measures it"
NEVER = "nothing: it is a limit"


@dataclass(frozen=True)
class Later:
    """A row that waits."""

    title: str
    reason: str
    comes_with: str


LATER = {
    12: Later("Step 1: sign in and open the EC2 console", "there is no web console yet", CONSOLE),
    13: Later("Step 2: navigation Network & Security > Security Groups", "there is no web console yet", CONSOLE),
    37: Later(
        "The NAT instance is a proxy; performance suffers, more with more clusters behind it",
        "it is a measurement, not a test",
        BENCH,
    ),
    121: Later(
        "Cluster: low latency, high throughput",
        "all packets take one way through one kernel: no two instances are nearer than others (docs/limits.md)",
        NEVER,
    ),
    141: Later(
        "Performance: NAT gateway high / NAT instance by instance type",
        "an instance's network is not shaped by its type",
        VPC,
    ),
    153: Later(
        "Suits read-centred services (social, games, recommendation) and fast analysis",
        "that reads grow with replicas is a measurement, not a test",
        PROOF,
    ),
    165: Later("Console: Redis tab, Create", "there is no web console yet", CONSOLE),
}

PARTLY = {
    15: Later("Step 4: Inbound tab, Edit, Add rule", "the rule editor of the web console", CONSOLE),
    23: Later("So create a VPC SG used only by ElastiCache", "the web console's warning about `default`", CONSOLE),
    82: Later("Start from the management console: create a Redis cluster", "the console's wizard", CONSOLE),
    85: Later(
        "VPN: splits one network so parts behave as logically different networks",
        "a VPN attachment, which the inventory calls optional",
        VPC,
    ),
    130: Later(
        "Four conditions for VPC <-> internet: internet gateway, route table, public IP, SG + NACL",
        "Network Insights names the condition that is missing",
        VPC,
    ),
}
