"""The entries of network ACLs."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.acl import ICMP, ICMPV6, LAST, TCP, UDP
from atoll.ec2.cidr import parse_cidr, parse_cidr6
from atoll.ec2.kinds import find
from atoll.model import quota
from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.ip import Net
from atoll.model.quota import allowed
from atoll.model.world import Tx

EXISTS = Err("NetworkAclEntryAlreadyExists", "The network acl entry identified by {number} already exists.")
NOT_FOUND = Err("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by {number} does not exist.")
BAD_NUMBER = Err(
    "InvalidParameterValue", "Value ({number}) for parameter ruleNumber is invalid. It must be between 1 and 32766."
)
BAD_PROTOCOL = Err("InvalidParameterValue", "Invalid value '{protocol}' for IP protocol. Unknown protocol.")
BAD_PORTS = Err("InvalidParameterValue", "Invalid TCP/UDP port range ({low}:{high})")
BAD_ICMP = Err("InvalidParameterValue", "Invalid ICMP type and code ({low}:{high})")

PROTOCOLS = {"all": -1, "tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6}
PORT_MAX, ICMP_MAX = 65535, 255


@operation("ec2", "CreateNetworkAclEntry", network=True)
def create_network_acl_entry(
    tx: Tx,
    *,
    network_acl_id: str,
    rule_number: int,
    protocol: str,
    rule_action: str,
    egress: bool,
    cidr_block: str | None = None,
    ipv6_cidr_block: str | None = None,
    icmp_type_code: Shape | None = None,
    port_range: Shape | None = None,
) -> None:
    """Add an entry."""
    acl = find(tx.world, NetworkAcl, network_acl_id)
    entry = _read(
        rule_number, protocol, rule_action, egress, (cidr_block, ipv6_cidr_block), icmp_type_code, port_range
    )
    if _find(acl, rule_number, egress):
        raise EXISTS(number=rule_number)
    count = sum(e.egress is egress for e in acl.entries) + 1  # the final deny counts
    quotas.check(count, allowed(tx.world, quota.ACL_ENTRIES), quotas.ACL_ENTRY_LIMIT)
    tx.put(acl.but(entries=(*acl.entries, entry)))


@operation("ec2", "ReplaceNetworkAclEntry", network=True)
def replace_network_acl_entry(
    tx: Tx,
    *,
    network_acl_id: str,
    rule_number: int,
    protocol: str,
    rule_action: str,
    egress: bool,
    cidr_block: str | None = None,
    ipv6_cidr_block: str | None = None,
    icmp_type_code: Shape | None = None,
    port_range: Shape | None = None,
) -> None:
    """Say anew what the entry of a number does."""
    acl = find(tx.world, NetworkAcl, network_acl_id)
    entry = _read(
        rule_number, protocol, rule_action, egress, (cidr_block, ipv6_cidr_block), icmp_type_code, port_range
    )
    old = _find(acl, rule_number, egress)
    if old is None:
        raise NOT_FOUND(number=rule_number)
    tx.put(acl.but(entries=tuple(entry if e == old else e for e in acl.entries)))


@operation("ec2", "DeleteNetworkAclEntry", network=True)
def delete_network_acl_entry(tx: Tx, *, network_acl_id: str, rule_number: int, egress: bool) -> None:
    """Remove an entry; the final deny stays."""
    acl = find(tx.world, NetworkAcl, network_acl_id)
    _check_number(rule_number)
    old = _find(acl, rule_number, egress)
    if old is None:
        raise NOT_FOUND(number=rule_number)
    tx.put(acl.but(entries=tuple(e for e in acl.entries if e != old)))


def _find(acl: NetworkAcl, number: int, egress: bool) -> AclEntry | None:
    return next((e for e in acl.entries if (e.number, e.egress) == (number, egress)), None)


def _check_number(number: int) -> None:
    if not 1 <= number < LAST:
        raise BAD_NUMBER(number=number)


def _read(
    number: int,
    protocol: str,
    action: str,
    egress: bool,
    cidrs: tuple[str | None, str | None],
    icmp: Shape | None,
    ports: Shape | None,
) -> AclEntry:
    """Return the entry that the parameters describe; ports are ignored, as on AWS, where the protocol has none."""
    _check_number(number)
    cidr = _range(*cidrs)
    kind = _protocol(protocol)
    low, high = -1, -1
    if kind in (TCP, UDP):
        if not ports or ports.get("From") is None or ports.get("To") is None:
            raise errors.MISSING(name="portRange")
        low, high = ports["From"], ports["To"]
        if not 0 <= low <= high <= PORT_MAX:
            raise BAD_PORTS(low=low, high=high)
    if kind in (ICMP, ICMPV6):
        if not icmp or icmp.get("Type") is None or icmp.get("Code") is None:
            raise errors.MISSING(name="icmpTypeCode")
        low, high = icmp["Type"], icmp["Code"]
        if not (-1 <= low <= ICMP_MAX and -1 <= high <= ICMP_MAX) or (low == -1 and high != -1):
            raise BAD_ICMP(low=low, high=high)
    return AclEntry(
        number=number,
        egress=egress,
        protocol=kind,
        allow=action == "allow",
        cidr=cidr,
        from_port=low,
        to_port=high,
    )


def _range(cidr: str | None, cidr6: str | None) -> Net:
    if cidr is not None and cidr6 is not None:
        raise errors.BOTH(one="cidrBlock", other="ipv6CidrBlock")
    if cidr6 is not None:
        return parse_cidr6(cidr6, "ipv6CidrBlock")
    if cidr is None:
        raise errors.MISSING(name="cidrBlock")
    return parse_cidr(cidr)


def _protocol(text: str) -> int:
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    if text == "-1":
        return -1
    if text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= 255:
        return int(text)
    raise BAD_PROTOCOL(protocol=text)
