"""The metadata of an instance: the tree that it reads at 169.254.169.254, as a function of the World.

A tree has folders and leaves.  A leaf that costs something, or that must first be made (signatures, credentials), is
a function that is called when the leaf is read.  Every version of the service shows the same tree.
Source: EC2 User Guide, "Instance metadata categories"; row 127.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, cast

from atoll.ec2.instance_render import placement_group, private_name, public_name
from atoll.guest import identity
from atoll.guest.issuer import Issuer
from atoll.model.classic import is_classic
from atoll.model.group import SecurityGroup
from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import elastic_ip_of, interfaces_of, public_ip_of
from atoll.model.names import digest
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.model.zones import zone

LATEST = "latest"
VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
    "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
    "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", LATEST,
)  # fmt: skip

Leaf: TypeAlias = str | bytes | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Folder:
    """Names and what they stand for; `listing` where it is not simply the names."""

    children: "Mapping[str, Folder | Leaf]"
    listing: Sequence[str] = ()

    def text(self) -> str:
        """Return the names, one per line; those of folders end with a slash."""
        shown = self.listing or [f"{n}/" if isinstance(c, Folder) else n for n, c in sorted(self.children.items())]
        return "\n".join(shown)


def instance_at(world: World, vpc_id: str, address: Ip) -> Instance | None:
    """Return the instance that sends from an address of a VPC.  Costs a pass over the VPC's interfaces.

    `None`: nobody's, or a machine of a service, such as a cache node, to which AWS shows no metadata.
    """
    for interface in cast("Iterable[Interface]", world.bucket(Interface, "vpc_id", vpc_id).values()):
        if address in interface.ips:
            return world[Instance, interface.instance_id] if interface.instance_id else None
    return None


def read(world: World, instance: Instance, segments: Sequence[str], issuer: Issuer) -> Folder | Leaf | None:
    """Return what a path leads to; `None` if it leads nowhere."""
    if not segments:
        return Folder({}, VERSIONS)
    version, *rest = segments
    found: Folder | Leaf | None = _root(world, instance, issuer) if version in VERSIONS else None
    for name in rest:
        found = found.children.get(name) if isinstance(found, Folder) else None
    return found


def _root(world: World, i: Instance, issuer: Issuer) -> Folder:
    children: dict[str, Folder | Leaf] = {
        "dynamic": Folder({"instance-identity": _identity(world, i, issuer)}),
        "meta-data": Folder(_meta_data(world, i, issuer)),
    }
    if i.user_data:
        children["user-data"] = base64.b64decode(i.user_data)
    return Folder(children, ("dynamic", "meta-data", "user-data"))


def _meta_data(world: World, i: Instance, issuer: Issuer) -> dict[str, Folder | Leaf]:
    interfaces = interfaces_of(world, i.id)
    place = zone(i.region, i.zone)
    found: dict[str, Folder | Leaf] = {
        "ami-id": i.image_id,
        "ami-launch-index": str(i.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": Folder({"ami": i.root_device, "root": i.root_device}),
        "events": Folder({"maintenance": Folder({"history": "[]", "scheduled": "[]"})}),
        "instance-action": "none",
        "instance-id": i.id,
        "instance-life-cycle": "on-demand",
        "instance-type": i.type,
        "network": Folder({
            "interfaces": Folder({
                "macs": Folder({one.mac: Folder(_interface(world, i, one)) for one in interfaces})
            })
        }),
        "placement": Folder({
            "availability-zone": i.zone,
            **({"availability-zone-id": place.id} if place else {}),
            **_placement_group(world, i),
            "region": i.region,
        }),
        "profile": "default-hvm",
        "reservation-id": i.reservation_id,
        "services": Folder({"domain": "amazonaws.com", "partition": "aws"}),
    }  # fmt: skip
    if interfaces:
        found |= _first(world, i, interfaces[0])
    if i.key_name and i.public_key:
        key = Folder({"openssh-key": i.public_key})
        found["public-keys"] = Folder({"0": key}, (f"0={i.key_name}",))
    if i.instance_profile:
        found["iam"] = _iam(i, i.instance_profile, issuer)
    if i.metadata.instance_tags == "enabled":
        found["tags"] = Folder({"instance": Folder(dict(i.tags))})
    return found


def _placement_group(world: World, i: Instance) -> dict[str, Folder | Leaf]:
    group = placement_group(world, i)
    found: dict[str, Folder | Leaf] = {"group-name": group.name} if group else {}
    return found | {"partition-number": str(i.partition)} if i.partition else found


def _first(world: World, i: Instance, first: Interface) -> dict[str, Folder | Leaf]:
    """Return what an instance has from its first interface."""
    name = private_name(i, first.address)
    found: dict[str, Folder | Leaf] = {
        "hostname": name,
        "local-hostname": name,
        "local-ipv4": str(first.address),
        "mac": first.mac,
        "security-groups": _group_names(world, first),
    }
    if first.ipv6_address:
        found["ipv6"] = str(first.ipv6_address)
    if address := public_ip_of(world, first):
        found["public-ipv4"] = str(address)
    if public := public_name(world, first):
        found["public-hostname"] = public
    return found


def _interface(world: World, i: Instance, interface: Interface) -> dict[str, Folder | Leaf]:
    """Return what stands under network/interfaces/macs/MAC."""
    vpc, subnet = world[Vpc, interface.vpc_id], world[Subnet, interface.subnet_id]
    assert interface.attachment, "an instance's interface is attached to it"
    found: dict[str, Folder | Leaf] = {
        "device-number": str(interface.attachment.device_index),
        "interface-id": interface.id,
        "local-hostname": private_name(i, interface.address),
        "local-ipv4s": "\n".join(map(str, interface.private_ips)),
        "mac": interface.mac,
        "owner-id": interface.account,
        "security-group-ids": "\n".join(interface.group_ids),
        "security-groups": _group_names(world, interface),
        "subnet-id": subnet.id,
        "subnet-ipv4-cidr-block": str(subnet.cidr),
        "vpc-id": vpc.id,
        "vpc-ipv4-cidr-block": str(vpc.cidr),
        "vpc-ipv4-cidr-blocks": "\n".join(map(str, vpc.cidrs)),
    }
    if interface.ipv6_addresses:
        found["ipv6s"] = "\n".join(map(str, interface.ipv6_addresses))
    if subnet.cidr6:
        found["subnet-ipv6-cidr-blocks"] = str(subnet.cidr6)
        found["vpc-ipv6-cidr-blocks"] = "\n".join(map(str, vpc.cidrs6))
    if is_classic(world, vpc.id):
        found = {name: leaf for name, leaf in found.items() if not name.startswith(("vpc-", "subnet-", "interface-"))}
        found["owner-id"] = i.account
    if public := _public_addresses(world, interface):
        found["public-ipv4s"] = "\n".join(public)
        found["ipv4-associations"] = Folder(dict(public))
    if name := public_name(world, interface):
        found["public-hostname"] = name
    return found


def _public_addresses(world: World, interface: Interface) -> dict[str, str]:
    """Return an interface's public addresses with the private ones that they stand for."""
    found = {}
    for private in interface.private_ips:
        eip = elastic_ip_of(world, interface.id, private)
        automatic = interface.public_ip if private == interface.address else None
        if public := eip.public_ip if eip else automatic:
            found[str(public)] = str(private)
    return found


def _group_names(world: World, interface: Interface) -> str:
    return "\n".join(world[SecurityGroup, id].name for id in interface.group_ids)


def _iam(i: Instance, profile_arn: str, issuer: Issuer) -> Folder:
    """Return the instance profile, and the credentials of its role, which has the profile's name.

    There is no IAM: whoever named a profile at launch has one, with one role in it.
    """
    role = profile_arn.rpartition("/")[2]

    def about() -> str:
        return _json({
            "Code": "Success",
            "LastUpdated": _moment(issuer.credentials(i, role).issued or i.launched),
            "InstanceProfileArn": profile_arn,
            "InstanceProfileId": f"AIPA{digest(profile_arn, 17).upper()}",
        })  # fmt: skip

    def credentials() -> str:
        key = issuer.credentials(i, role)
        assert key.issued, "credentials.issue says when"
        assert key.expires, "credentials.issue says until when"
        return _json({
            "Code": "Success",
            "LastUpdated": _moment(key.issued),
            "Type": "AWS-HMAC",
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "Token": key.session_token,
            "Expiration": _moment(key.expires),
        })  # fmt: skip

    return Folder({"info": about, "security-credentials": Folder({role: credentials})})


def _identity(world: World, i: Instance, issuer: Issuer) -> Folder:
    """Return the instance identity document and its signatures."""
    type, booted_from = INSTANCE_TYPES.get(i.type), image(i.region, i.image_id)
    architecture = booted_from.architecture if booted_from else type.architectures[-1] if type else "x86_64"
    interfaces = interfaces_of(world, i.id)
    document = _json({
        "accountId": i.account,
        "architecture": architecture,
        "availabilityZone": i.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": i.image_id,
        "instanceId": i.id,
        "instanceType": i.type,
        "kernelId": None,
        "pendingTime": _moment(i.launched),
        "privateIp": str(interfaces[0].address) if interfaces else None,
        "ramdiskId": None,
        "region": i.region,
        "version": "2017-09-30",
    })  # fmt: skip
    return Folder({
        "document": document,
        "pkcs7": lambda: identity.pkcs7(issuer.identity_key(i.region), document),
        "rsa2048": lambda: identity.pkcs7(issuer.identity_key(i.region), document),
        "signature": lambda: identity.signature(issuer.identity_key(i.region), document),
    })  # fmt: skip


def _json(members: Mapping[str, str | None]) -> str:
    """Return JSON as the service prints it."""
    return json.dumps(members, indent=2, separators=(",", " : "))


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
