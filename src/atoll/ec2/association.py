"""Elastic IP addresses and the interfaces they lead to."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.address import check_border_group, choose, find_by_ip
from atoll.ec2.cidr import parse_address
from atoll.ec2.kinds import check_id, find
from atoll.model.address import ElasticIp
from atoll.model.classic import is_classic
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of, interfaces_of, internet_gateway_of
from atoll.model.world import Tx, World

NOT_FOUND = Err("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist")
NO_ASSOCIATION = Err("InvalidAssociationID.NotFound", "The address '{ip}' does not have a valid association.")
TAKEN = Err("Resource.AlreadyAssociated", "resource {id} is already associated with associate-id {association}")
NO_GATEWAY = Err("Gateway.NotAttached", "Network {vpc} is not attached to any internet gateway")
BAD_STATE = Err("InvalidInstanceID", "The {state} instance '{id}' is not in a valid state for this operation.")
SEVERAL_INTERFACES = Err(
    "InvalidInstanceID",
    "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation "
    "instead.",
)
BOTH_TARGETS = Err(
    "InvalidParameterCombination", "You may specify an instance or a network interface, but not both in the same call"
)
NOT_ITS_ADDRESS = Err(
    "InvalidParameterValue", "Invalid value '{ip}' for PrivateIpAddress. It does not belong to {id}."
)
SERVICE_OWNED = Err("AuthFailure", "You do not have permission to access the specified resource.", 403)


@operation("ec2", "AssociateAddress", network=True)
def associate_address(
    tx: Tx,
    *,
    allocation_id: str | None = None,
    public_ip: str | None = None,
    instance_id: str | None = None,
    network_interface_id: str | None = None,
    private_ip_address: str | None = None,
    allow_reassociation: bool = True,
) -> Shape:
    """Lead an address to a private address of an interface; doing it again changes nothing."""
    eip = choose(tx.world, allocation_id, public_ip)
    _check_ours(tx.world, eip)
    interface = _target(tx.world, instance_id, network_interface_id)
    if is_classic(tx.world, interface.vpc_id):
        raise errors.UNSUPPORTED(what="An Elastic IP address in EC2-Classic")
    check_border_group(eip, interface.region, interface.zone, interface.id)
    private = interface.address
    if private_ip_address:
        private = parse_address(private_ip_address, "privateIpAddress")
        if private not in interface.private_ips:
            raise NOT_ITS_ADDRESS(ip=private, id=interface.id)
    if (eip.interface_id, eip.private_ip) == (interface.id, private):
        return {"AssociationId": eip.association_id}
    if eip.association_id and not allow_reassociation:
        raise TAKEN(id=eip.id, association=eip.association_id)
    before = elastic_ip_of(tx.world, interface.id, private)
    if before and not allow_reassociation:
        raise TAKEN(id=interface.id, association=before.association_id)
    if internet_gateway_of(tx.world, interface.vpc_id) is None:
        raise NO_GATEWAY(vpc=interface.vpc_id)
    if before:
        free(tx, before)
    association = tx.new_id("eipassoc")
    tx.put(
        eip.but(
            association_id=association,
            interface_id=interface.id,
            private_ip=private,
            instance_id=interface.instance_id,
        )
    )
    return {"AssociationId": association}


def _target(world: World, instance_id: str | None, interface_id: str | None) -> Interface:
    """Return the interface that is meant; an instance with one interface stands for it."""
    if instance_id and interface_id:
        raise BOTH_TARGETS()
    if interface_id:
        interface = find(world, Interface, interface_id)
        if interface.requester_managed:
            raise SERVICE_OWNED()
        return interface
    if not instance_id:
        raise errors.MISSING(name="InstanceId or NetworkInterfaceId")
    instance = find(world, Instance, instance_id)
    if instance.state not in ("running", "stopping", "stopped"):
        raise BAD_STATE(state=instance.state, id=instance.id)
    interfaces = interfaces_of(world, instance.id)
    if len(interfaces) > 1:
        raise SEVERAL_INTERFACES(id=instance.id)
    return interfaces[0]


@operation("ec2", "DisassociateAddress", network=True)
def disassociate_address(tx: Tx, *, association_id: str | None = None, public_ip: str | None = None) -> None:
    """Take an address from its interface, which gets its automatic one back if it had one."""
    if association_id:
        found = tx.all(ElasticIp, association_id=association_id)
        if not found:
            check_id(association_id, "eipassoc", NOT_FOUND)
            raise NOT_FOUND(id=association_id)
        _check_ours(tx.world, found[0])
        free(tx, found[0])
    elif public_ip:
        eip = find_by_ip(tx.world, public_ip)
        if not eip.association_id:
            raise NO_ASSOCIATION(ip=eip.public_ip)
        _check_ours(tx.world, eip)
        free(tx, eip)
    else:
        raise errors.MISSING(name="AssociationId")


def _check_ours(world: World, eip: ElasticIp) -> None:
    """Refuse to touch an association that a service made: a NAT gateway's."""
    if eip.interface_id and world[Interface, eip.interface_id].requester_managed:
        raise SERVICE_OWNED()


def free(tx: Tx, eip: ElasticIp) -> None:
    """Put an address that leads nowhere."""
    tx.put(eip.but(association_id=None, interface_id=None, private_ip=None, instance_id=None))
