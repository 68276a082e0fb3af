"""Network ACLs, and the subnets that use them.  Their entries are in `acl_entry.py`."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.ec2 import quotas
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import check_id, find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.quota import allowed
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

DEFAULT = Err("InvalidParameterValue", "cannot delete default network ACL {id}")
IN_USE = Err("DependencyViolation", "The networkAcl '{id}' has dependencies and cannot be deleted.")
ASSOCIATION_NOT_FOUND = Err("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist")
DIFFERENT_NETWORKS = Err(
    "InvalidParameterValue", "network ACL {acl} and subnet {subnet} belong to different networks"
)

LAST, LAST6 = 32767, 32768  # the final denies, shown as `*` in the console: of IPv4, of IPv6
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58

FILTERS: Table = {
    "association.association-id": lambda w, a: [s.acl_association_id for s in subnets_of(w, a)],
    "association.network-acl-id": lambda w, a: a.id if subnets_of(w, a) else None,
    "association.subnet-id": lambda w, a: [s.id for s in subnets_of(w, a)],
    "default": "is_default",
    "entry.cidr": lambda w, a: [e["CidrBlock"] for e in entries(w, a) if "CidrBlock" in e],
    "entry.egress": lambda w, a: [e["Egress"] for e in entries(w, a)],
    "entry.icmp.code": lambda w, a: [e["IcmpTypeCode"]["Code"] for e in entries(w, a) if "IcmpTypeCode" in e],
    "entry.icmp.type": lambda w, a: [e["IcmpTypeCode"]["Type"] for e in entries(w, a) if "IcmpTypeCode" in e],
    "entry.ipv6-cidr": lambda w, a: [e["Ipv6CidrBlock"] for e in entries(w, a) if "Ipv6CidrBlock" in e],
    "entry.port-range.from": lambda w, a: [e["PortRange"]["From"] for e in entries(w, a) if "PortRange" in e],
    "entry.port-range.to": lambda w, a: [e["PortRange"]["To"] for e in entries(w, a) if "PortRange" in e],
    "entry.protocol": lambda w, a: [e["Protocol"] for e in entries(w, a)],
    "entry.rule-action": lambda w, a: [e["RuleAction"] for e in entries(w, a)],
    "entry.rule-number": lambda w, a: [e["RuleNumber"] for e in entries(w, a)],
    "network-acl-id": "id",
    "owner-id": "account",
    "vpc-id": "vpc_id",
}


@operation("ec2", "CreateNetworkAcl")
def create_network_acl(tx: Tx, *, vpc_id: str, tag_specifications: Sequence[Shape] = ()) -> Shape:
    """Create a network ACL that denies everything."""
    vpc = find(tx.world, Vpc, vpc_id)
    tags = tags_for("network-acl", tag_specifications)
    quotas.check(len(tx.all(NetworkAcl, vpc_id=vpc.id)), allowed(tx.world, quota.ACLS), quotas.ACL_LIMIT)
    return {"NetworkAcl": render(tx.world, tx.make(NetworkAcl, tx.new_id("acl"), vpc_id=vpc.id, tags=tags))}


@operation("ec2", "DescribeNetworkAcls", pure=True)
def describe_network_acls(
    world: World,
    *,
    network_acl_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List network ACLs."""
    found, token = listing(
        world,
        NetworkAcl,
        FILTERS,
        ids=network_acl_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="networkAclIds",
    )
    return {"NetworkAcls": [told(world, render, a) for a in found], "NextToken": token}


@operation("ec2", "DeleteNetworkAcl")
def delete_network_acl(tx: Tx, *, network_acl_id: str) -> None:
    """Delete a network ACL that no subnet uses; the default one stays."""
    acl = find(tx.world, NetworkAcl, network_acl_id)
    if acl.is_default:
        raise DEFAULT(id=acl.id)
    if subnets_of(tx.world, acl):
        raise IN_USE(id=acl.id)
    tx.delete(acl)


@operation("ec2", "ReplaceNetworkAclAssociation", network=True)
def replace_network_acl_association(tx: Tx, *, association_id: str, network_acl_id: str) -> Shape:
    """Let a subnet use another network ACL; the association gets a new id."""
    acl = find(tx.world, NetworkAcl, network_acl_id)
    found = tx.all(Subnet, acl_association_id=association_id)
    if not found:
        check_id(association_id, "aclassoc", ASSOCIATION_NOT_FOUND)
        raise ASSOCIATION_NOT_FOUND(id=association_id)
    subnet = found[0]
    if subnet.vpc_id != acl.vpc_id:
        raise DIFFERENT_NETWORKS(acl=acl.id, subnet=subnet.id)
    moved = tx.put(subnet.but(acl_id=acl.id, acl_association_id=tx.new_id("aclassoc")))
    return {"NewAssociationId": moved.acl_association_id}


def subnets_of(world: World, acl: NetworkAcl) -> list[Subnet]:
    """Return the subnets that use a network ACL."""
    return list(world.all(Subnet, acl_id=acl.id))


def render(world: World, a: NetworkAcl) -> Shape:
    """Return a network ACL as AWS shows it."""
    return {
        "NetworkAclId": a.id,
        "VpcId": a.vpc_id,
        "OwnerId": a.account,
        "IsDefault": a.is_default,
        "Associations": [
            {"NetworkAclAssociationId": s.acl_association_id, "NetworkAclId": a.id, "SubnetId": s.id}
            for s in subnets_of(world, a)
        ],
        "Entries": entries(world, a),
        "Tags": render_tags(a),
    }


def entries(world: World, a: NetworkAcl) -> list[Shape]:
    """Return the entries as AWS shows them: those out, those in, each by number, with the final denies."""
    ordered = sorted(a.entries, key=lambda e: e.number)
    has_ipv6 = bool(world[Vpc, a.vpc_id].ranges6)
    return [
        shape
        for egress in (True, False)
        for shape in (*(_render_entry(e) for e in ordered if e.egress is egress), *_last(egress, has_ipv6))
    ]


def _render_entry(e: AclEntry) -> Shape:
    shape: Shape = {
        "RuleNumber": e.number,
        "Egress": e.egress,
        "Protocol": str(e.protocol),
        "RuleAction": "allow" if e.allow else "deny",
        "CidrBlock" if e.cidr.version == 4 else "Ipv6CidrBlock": str(e.cidr),
    }
    if e.protocol in (TCP, UDP):
        shape["PortRange"] = {"From": e.from_port, "To": e.to_port}
    if e.protocol in (ICMP, ICMPV6):
        shape["IcmpTypeCode"] = {"Type": e.from_port, "Code": e.to_port}
    return shape


def _last(egress: bool, has_ipv6: bool) -> list[Shape]:
    deny: Shape = {"Egress": egress, "Protocol": "-1", "RuleAction": "deny"}
    of_ipv4 = {"RuleNumber": LAST, "CidrBlock": "0.0.0.0/0"} | deny
    return [of_ipv4, {"RuleNumber": LAST6, "Ipv6CidrBlock": "::/0"} | deny] if has_ipv6 else [of_ipv4]
