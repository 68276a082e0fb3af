"""VPC endpoints: modify, delete.

Source: EC2 API Reference, ModifyVpcEndpoint, DeleteVpcEndpoints.
"""

from collections.abc import Sequence

from atoll.aws.errors import AwsError
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.endpoint import (
    FULL_ACCESS,
    ONLY_GATEWAY,
    ONLY_INTERFACE,
    check_version,
    checked_policy,
    checked_tables,
)
from atoll.ec2.endpoint_errors import BAD_STATE, INVALID, NO_SERVICE
from atoll.ec2.endpoint_place import check_private_dns, checked_subnets, furnish, remove
from atoll.ec2.endpoint_route import lead, mislead
from atoll.ec2.group import groups_for
from atoll.ec2.kinds import find
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.endpoint_lookup import OwnService, own_services
from atoll.model.interface import Interface
from atoll.model.lifecycle import VPC_ENDPOINT
from atoll.model.vpc import Vpc
from atoll.model.world import Tx


@operation("ec2", "ModifyVpcEndpoint", network=True)
def modify_vpc_endpoint(
    tx: Tx,
    *,
    vpc_endpoint_id: str,
    reset_policy: bool = False,
    policy_document: str | None = None,
    add_route_table_ids: Sequence[str] = (),
    remove_route_table_ids: Sequence[str] = (),
    add_subnet_ids: Sequence[str] = (),
    remove_subnet_ids: Sequence[str] = (),
    add_security_group_ids: Sequence[str] = (),
    remove_security_group_ids: Sequence[str] = (),
    ip_address_type: str | None = None,
    dns_options: Shape | None = None,
    private_dns_enabled: bool | None = None,
    subnet_configurations: Sequence[Shape] = (),
) -> Shape:
    """Change an endpoint: its policy, where it stands, its groups, its route tables, its private DNS."""
    endpoint = find(tx.world, VpcEndpoint, vpc_endpoint_id)
    check_version(ip_address_type, dns_options)
    if not VPC_ENDPOINT.allows(endpoint.state, "delete"):
        raise BAD_STATE(id=endpoint.id, state=endpoint.state, verb="modified")
    if reset_policy and policy_document is not None:
        raise errors.BOTH(one="resetPolicy", other="policyDocument")
    if reset_policy or policy_document is not None:
        endpoint = endpoint.but(policy=FULL_ACCESS if reset_policy else checked_policy(policy_document))
    subnets = add_subnet_ids or remove_subnet_ids or subnet_configurations
    groups = add_security_group_ids or remove_security_group_ids
    if endpoint.type == "Gateway":
        if subnets or groups or private_dns_enabled:
            what = "Subnets" if subnets else "Security groups" if groups else "Private dns"
            raise INVALID(why=ONLY_INTERFACE.format(name=what))
        endpoint = _tables(tx, endpoint, add_route_table_ids, remove_route_table_ids)
    elif add_route_table_ids or remove_route_table_ids:
        raise INVALID(why=ONLY_GATEWAY)
    if groups:
        endpoint = _groups(tx, endpoint, add_security_group_ids, remove_security_group_ids)
    if subnets:
        endpoint = _subnets(tx, endpoint, add_subnet_ids, remove_subnet_ids, subnet_configurations)
    if private_dns_enabled is not None:
        endpoint = endpoint.but(private_dns=private_dns_enabled)
        if private_dns_enabled:
            check_private_dns(tx.world, tx.world[Vpc, endpoint.vpc_id], endpoint)
    tx.put(endpoint)
    return {"Return": True}


def _tables(tx: Tx, endpoint: VpcEndpoint, more: Sequence[str], less: Sequence[str]) -> VpcEndpoint:
    vpc = tx.world[Vpc, endpoint.vpc_id]
    added, gone = checked_tables(tx.world, vpc, more), checked_tables(tx.world, vpc, less)
    mislead(tx, endpoint, gone)
    kept = [id for id in endpoint.table_ids if id not in gone]
    lead(tx, endpoint, (id for id in added if id not in kept))
    return endpoint.but(table_ids=tuple(dict.fromkeys([*kept, *added])))


def _groups(tx: Tx, endpoint: VpcEndpoint, more: Sequence[str], less: Sequence[str]) -> VpcEndpoint:
    wanted = [id for id in dict.fromkeys([*endpoint.group_ids, *more]) if id not in less]
    if not wanted:
        raise INVALID(why="A VPC endpoint must have at least one security group.")
    ids = groups_for(tx.world, endpoint.vpc_id, wanted)
    for foot in endpoint.feet:
        tx.put(tx.world[Interface, foot.interface_id].but(group_ids=ids))
    return endpoint.but(group_ids=ids)


def _subnets(
    tx: Tx, endpoint: VpcEndpoint, more: Sequence[str], less: Sequence[str], configurations: Sequence[Shape]
) -> VpcEndpoint:
    for id in less:
        if id not in {foot.subnet_id for foot in endpoint.feet}:
            raise INVALID(why=f"The VPC endpoint {endpoint.id} is not in the subnet {id}.")
    kept = [foot for foot in endpoint.feet if foot.subnet_id not in less]
    for foot in endpoint.feet:
        if foot not in kept:
            remove(tx, foot)
    service: EndpointService | OwnService | None
    if endpoint.service_id:
        service = tx.world.seen_by(None).get(EndpointService, endpoint.service_id)
    else:
        service = own_services(endpoint.region)[endpoint.service_name]
    if service is None:  # its provider has withdrawn it
        raise NO_SERVICE(name=endpoint.service_name)
    taken = [foot.zone for foot in kept]
    vpc = tx.world[Vpc, endpoint.vpc_id]
    places = checked_subnets(tx.world, vpc, service, more, configurations, taken)
    return endpoint.but(feet=(*kept, *(furnish(tx, endpoint, *place) for place in places)))


@operation("ec2", "DeleteVpcEndpoints", network=True)
def delete_vpc_endpoints(tx: Tx, *, vpc_endpoint_ids: Sequence[str]) -> Shape:
    """Delete endpoints with their interfaces; says which could not be deleted.  One that goes already is no error."""
    failed = []
    for id in dict.fromkeys(vpc_endpoint_ids):
        try:
            endpoint = find(tx.world, VpcEndpoint, id)
        except AwsError as error:
            failed.append(unsuccessful(id, error))
            continue
        if VPC_ENDPOINT.allows(endpoint.state, "delete"):
            for foot in endpoint.feet:
                remove(tx, foot)
            mislead(tx, endpoint, endpoint.table_ids)
            gone = endpoint.but(feet=(), group_ids=(), table_ids=(), private_dns=False)
            tx.put(gone.but(state=VPC_ENDPOINT.after(endpoint.state, "delete")))
    return {"Unsuccessful": failed}


def unsuccessful(id: str, error: AwsError) -> Shape:
    """Return what could not be done to one of several resources."""
    return {"ResourceId": id, "Error": {"Code": error.code, "Message": error.message}}
