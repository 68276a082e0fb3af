"""DHCP option sets."""

from collections.abc import Sequence
from ipaddress import ip_address

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.digits import is_number
from atoll.model.names import internal_domain
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Tx, World

AMAZON_DNS = "AmazonProvidedDNS"
NO_OPTIONS = "default"  # AssociateDhcpOptions: the VPC has no set

BAD_OPTION = Err("InvalidParameterValue", "Value ({value}) for parameter name is invalid. Unknown DHCP option")
BAD_OPTION_VALUE = Err("InvalidParameterValue", "Value ({value}) for parameter value is invalid. {why}")
IN_USE = Err("DependencyViolation", "The dhcpOptions '{id}' has dependencies and cannot be deleted.")

# Option -> how many values it takes at most.  Source: EC2 API Reference, CreateDhcpOptions.
OPTIONS = {
    "domain-name": 1,
    "domain-name-servers": 4,
    "ntp-servers": 4,
    "netbios-name-servers": 4,
    "netbios-node-type": 1,
    "ipv6-address-preferred-lease-time": 1,
}
IPV4 = 4
NODE_TYPES = ("1", "2", "4", "8")  # RFC 2132
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 140, 2147483647

FILTERS: Table = {
    "dhcp-options-id": "id",
    "key": lambda _w, d: [key for key, _ in d.options],
    "owner-id": "account",
    "value": lambda _w, d: [value for _, values in d.options for value in values],
}


@operation("ec2", "CreateDhcpOptions")
def create_dhcp_options(
    tx: Tx, *, dhcp_configurations: Sequence[Shape], tag_specifications: Sequence[Shape] = ()
) -> Shape:
    """Create a set of DHCP options."""
    if not dhcp_configurations:
        raise errors.MISSING(name="dhcpConfiguration")
    found: dict[str, tuple[str, ...]] = {}
    for configuration in dhcp_configurations:
        key = configuration.get("Key", "")
        values = tuple(part.strip() for value in configuration.get("Values", ()) for part in value.split(","))
        _check_option(key, values)
        if key in found:
            raise errors.BAD_VALUE(value=key, name="name", why="The option is given more than once.")
        found[key] = values
    tags = tags_for("dhcp-options", tag_specifications)
    options = tx.make(DhcpOptions, tx.new_id("dopt"), options=tuple(found.items()), tags=tags)
    return {"DhcpOptions": render(options)}


def _check_option(key: str, values: Sequence[str]) -> None:
    if key not in OPTIONS:
        raise BAD_OPTION(value=key)
    if not values or not all(values):
        raise errors.MISSING(name="dhcpConfiguration.value")
    if len(values) > OPTIONS[key]:
        raise BAD_OPTION_VALUE(value=",".join(values), why=f"{key} takes at most {OPTIONS[key]} values.")
    for value in values:
        if key == "netbios-node-type" and value not in NODE_TYPES:
            raise BAD_OPTION_VALUE(value=value, why="Expecting 1, 2, 4 or 8.")
        if key == "ipv6-address-preferred-lease-time" and not (
            is_number(value, LEASE_SECONDS_MAX) and int(value) >= LEASE_SECONDS_MIN
        ):
            raise BAD_OPTION_VALUE(value=value, why="Expecting a number of seconds.")
        of_both = key != "netbios-name-servers"
        if key.endswith("-servers") and value != AMAZON_DNS and not _is_address(value, of_both=of_both):
            raise BAD_OPTION_VALUE(value=value, why=f"Expecting {'IP' if of_both else 'IPv4'} addresses.")


def _is_address(text: str, *, of_both: bool) -> bool:
    try:
        return ip_address(text).version == IPV4 or of_both
    except ValueError:
        return False


@operation("ec2", "DescribeDhcpOptions", pure=True)
def describe_dhcp_options(
    world: World,
    *,
    dhcp_options_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List sets of DHCP options."""
    found, token = listing(
        world,
        DhcpOptions,
        FILTERS,
        ids=dhcp_options_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="dhcpOptionsIds",
    )
    return {"DhcpOptions": [render(d) for d in found], "NextToken": token}


@operation("ec2", "DeleteDhcpOptions")
def delete_dhcp_options(tx: Tx, *, dhcp_options_id: str) -> None:
    """Delete a set of DHCP options that no VPC uses."""
    options = find(tx.world, DhcpOptions, dhcp_options_id)
    if tx.all(Vpc, dhcp_options_id=options.id):
        raise IN_USE(id=options.id)
    tx.delete(options)


@operation("ec2", "AssociateDhcpOptions", network=True)
def associate_dhcp_options(tx: Tx, *, dhcp_options_id: str, vpc_id: str) -> None:
    """Give a VPC a set of DHCP options, or none (`default`)."""
    vpc = find(tx.world, Vpc, vpc_id)
    if dhcp_options_id != NO_OPTIONS:
        find(tx.world, DhcpOptions, dhcp_options_id)
    tx.put(vpc.but(dhcp_options_id=dhcp_options_id))


def default_options(tx: Tx) -> DhcpOptions:
    """Return the set that new VPCs get: Amazon's resolver and the region's domain; made anew if it was deleted."""
    wanted = (("domain-name", (internal_domain(tx.region),)), ("domain-name-servers", (AMAZON_DNS,)))
    for options in tx.all(DhcpOptions):
        if options.is_default:
            return options
    return tx.make(DhcpOptions, tx.new_id("dopt"), options=wanted, is_default=True)


def render(d: DhcpOptions) -> Shape:
    """Return a set of DHCP options as AWS shows it."""
    return {
        "DhcpOptionsId": d.id,
        "OwnerId": d.account,
        "DhcpConfigurations": [
            {"Key": key, "Values": [{"Value": value} for value in values]} for key, values in d.options
        ],
        "Tags": render_tags(d),
    }
