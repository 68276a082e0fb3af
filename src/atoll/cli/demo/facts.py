"""What the page "Accessing your ElastiCache cluster" assumes: its addresses, its ports, its commands."""

from dataclasses import dataclass

CLIENT = "198.51.100.27"  # the trusted client
STRANGER = "198.51.100.28"  # any other address of the internet
ELASTIC_IP = "203.0.113.73"  # of the NAT instance
NAT = "10.0.0.55"  # the NAT instance's private address
NODES = ("10.0.1.230", "10.0.1.231", "10.0.1.232")

# The page says that these switch forwarding on; and how the rules are kept on Amazon Linux.
ENABLE_FORWARDING = (
    "sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf",
    "sudo sysctl --system",
)
SNAT = f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {NAT}"
SAVE = "service iptables save"


@dataclass(frozen=True)
class Engine:
    """What differs between the engines."""

    name: str
    title: str
    port: int
    forwarded: tuple[int, int, int]  # the NAT instance's port for each node
    hello: str  # what is typed into telnet
    answer: str  # what a living node says to it
    bye: str
    printed_ports: str  # of the page's rule for the trusted client; wrong for Redis and Valkey (E4)

    def forwards(self) -> tuple[str, ...]:
        """Return the page's iptables rules, one for each node."""
        return tuple(
            f"iptables -t nat -A PREROUTING -i eth0 -p tcp --dport {port} -j DNAT --to {node}:{self.port}"
            for port, node in zip(self.forwarded, NODES, strict=True)
        )

    @property
    def is_memcached(self) -> bool:
        """Tell whether it speaks Memcached's protocol; else it speaks Redis's."""
        return self.name == "memcached"


def _redis(name: str, title: str) -> Engine:
    return Engine(name, title, 6379, (6379, 6380, 6381), "PING", "+PONG", "QUIT", "6379-6380")


ENGINES = {
    "memcached": Engine(
        "memcached", "Memcached", 11211, (11211, 11212, 11213), "version", "VERSION", "quit", "11211-11213"
    ),
    "valkey": _redis("valkey", "Valkey"),
    "redis": _redis("redis", "Redis OSS"),
}
