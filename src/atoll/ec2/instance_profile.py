"""Instance profiles of instances: which role an instance plays, from its launch or attached later.

There is no IAM, so every profile exists, with a role of its name.  What an instance sees of it is in its metadata, at
once: `guest/metadata.py`.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import MISSING
from atoll.ec2.filters import Table, select
from atoll.ec2.instance import find
from atoll.ec2.instance_options import profile
from atoll.ec2.instance_render import rendered_profile
from atoll.model.instance import Instance
from atoll.model.world import Tx, World

PREFIX = "iip-assoc-"

BAD_ASSOCIATION = Err("InvalidParameterValue", "Invalid value for associationId.")
NO_ASSOCIATION = Err("NoSuchAssociation", "An invalid association-id of '{id}' was given")
HAS_PROFILE = Err("IncorrectState", "There is an existing association for instance {id}")
NOT_THERE = Err("IncorrectInstanceState", "The instance '{id}' is not in the 'running' or 'stopped' states.")

# Each association is a member of its instance.
FILTERS: Table = {"instance-id": "id", "state": lambda _world, _instance: ["associated"]}


@operation("ec2", "AssociateIamInstanceProfile")
def associate_iam_instance_profile(tx: Tx, *, iam_instance_profile: Shape, instance_id: str) -> Shape:
    """Attach a profile to an instance that has none."""
    i = find(tx.world, instance_id)
    if i.state not in ("pending", "running", "stopping", "stopped"):
        raise NOT_THERE(id=i.id)
    if i.instance_profile:
        raise HAS_PROFILE(id=i.id)
    return {"IamInstanceProfileAssociation": _attach(tx, i, iam_instance_profile)}


@operation("ec2", "ReplaceIamInstanceProfileAssociation")
def replace_iam_instance_profile_association(tx: Tx, *, iam_instance_profile: Shape, association_id: str) -> Shape:
    """Attach another profile in the place of one; the association gets a new id."""
    return {"IamInstanceProfileAssociation": _attach(tx, _find(tx.world, association_id), iam_instance_profile)}


@operation("ec2", "DisassociateIamInstanceProfile")
def disassociate_iam_instance_profile(tx: Tx, *, association_id: str) -> Shape:
    """Take the profile off an instance; keys that it has read stay good until they end, as on AWS."""
    i = _find(tx.world, association_id)
    tx.put(i.but(instance_profile=None, profile_association_id=None))
    return {"IamInstanceProfileAssociation": _render(i, "disassociating")}


@operation("ec2", "DescribeIamInstanceProfileAssociations")
def describe_iam_instance_profile_associations(
    world: World,
    *,
    association_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the profiles that instances have."""
    found = [_find(world, id) for id in association_ids] or [i for i in world.all(Instance) if _has_one(i)]
    page, token = page_ec2(select(world, found, filters, FILTERS), lambda i: i.id, max_results, next_token)
    return {"IamInstanceProfileAssociations": [_render(i, "associated") for i in page], "NextToken": token}


def _attach(tx: Tx, i: Instance, asked: Shape) -> Shape:
    arn = profile(tx, asked)
    if arn is None:
        raise MISSING(name="IamInstanceProfile")
    made = i.but(instance_profile=arn, profile_association_id=tx.new_id(PREFIX[:-1]))
    return _render(tx.put(made), "associating")


def _find(world: World, id: str) -> Instance:
    if not id.startswith(PREFIX):
        raise BAD_ASSOCIATION()
    for i in world.all(Instance, profile_association_id=id):
        if _has_one(i):
            return i
    raise NO_ASSOCIATION(id=id)


def _has_one(i: Instance) -> bool:
    return i.profile_association_id is not None and i.ended_at is None


def _render(i: Instance, state: str) -> Shape:
    """Return AWS's IamInstanceProfileAssociation."""
    return {
        "AssociationId": i.profile_association_id,
        "InstanceId": i.id,
        "IamInstanceProfile": rendered_profile(i),
        "State": state,
    }
