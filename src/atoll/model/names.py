"""Names: composite keys, ARNs, DNS names, interface names and other spellings that must be the same everywhere."""

import hashlib
import re
from functools import cache
from ipaddress import IPv4Address

ACCOUNT = re.compile("[0-9]{12}")
REGION = re.compile("[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")
DEFAULT_ACCOUNT = "000000000000"  # for access keys that are not an account themselves, as the other local clouds do

# The short region codes of cache endpoint names.  Source: endpoint names seen on AWS.
REGION_CODES = {
    "us-east-1": "use1", "us-east-2": "use2", "us-west-1": "usw1", "us-west-2": "usw2", "eu-west-1": "euw1",
    "eu-west-2": "euw2", "eu-west-3": "euw3", "eu-central-1": "euc1", "eu-north-1": "eun1",
    "ap-northeast-1": "apne1", "ap-northeast-2": "apn2", "ap-southeast-1": "apse1", "ap-southeast-2": "apse2",
    "ap-south-1": "aps1", "ca-central-1": "cac1", "sa-east-1": "sae1",
}  # fmt: skip


def key(account: str, region: str, name: str) -> str:
    """Return the World's id of a resource whose name is unique only within an account and region."""
    return f"{account}/{region}/{name}"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """Return an Amazon Resource Name."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def digest(text: str, digits: int) -> str:
    """Return some hexadecimal digits that depend on nothing but `text`."""
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()[:digits]


def link_name(interface_id: str) -> str:
    """Return the name of the router's end of an interface's link: at most 15 characters, as Linux asks."""
    return "e" + digest(interface_id, 12)


def mac_address(place: str) -> str:
    """Return the MAC address of a network interface's place: locally administered, `02:`, as on AWS.

    A place is a subnet and an address in it, not an interface: when an address is used again, its neighbours still
    have the MAC address of whoever had it last, for up to a minute.
    """
    raw = digest(place, 10)
    return "02:" + ":".join(raw[i : i + 2] for i in range(0, 10, 2))


def internal_domain(region: str) -> str:
    """Return the domain of private instance names."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_dns(address: IPv4Address, region: str) -> str:
    """Return an instance's private name, `ip-10-0-0-1.ec2.internal`."""
    return f"ip-{str(address).replace('.', '-')}.{internal_domain(region)}"


def public_dns(address: IPv4Address, region: str) -> str:
    """Return an instance's public name, `ec2-203-0-113-25.compute-1.amazonaws.com`."""
    where = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{str(address).replace('.', '-')}.{where}.amazonaws.com"


def region_code(region: str) -> str:
    """Return the short form of a region in cache endpoints; unknown regions are squeezed like the others."""
    if region in REGION_CODES:
        return REGION_CODES[region]
    area, where, number = region.split("-", 2)
    return f"{area}{where[0]}{number}"


@cache
def endpoint_hash(account: str, region: str) -> str:
    """Return the six characters that all of an account's cache endpoints in a region share."""
    raw = int(digest(f"{account}:{region}", 16), 16)
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    out = []
    for _ in range(6):
        raw, rest = divmod(raw, len(alphabet))
        out.append(alphabet[rest])
    return "".join(out)
