"""Images: the catalogue, as EC2 describes it.  Nobody makes images here."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BOTH, MALFORMED_MESSAGE
from atoll.ec2.filters import Table, absent, select
from atoll.ec2.kinds import check_id
from atoll.ec2.path import iso, shown
from atoll.ec2.tags import render_tags
from atoll.model import image as catalogue
from atoll.model.image import Image
from atoll.model.image_parameter import RESOLVE, listing, split
from atoll.model.image_parameter import find as named_by
from atoll.model.world import World

IMAGE_NOT_FOUND = Err("InvalidAMIID.NotFound", "The image id '[{id}]' does not exist")
IMAGES_NOT_FOUND = Err("InvalidAMIID.NotFound", "The image ids '[{ids}]' do not exist")
IMAGE_MALFORMED = Err("InvalidAMIID.Malformed", MALFORMED_MESSAGE)
BAD_PARAMETER = Err(  # Systems Manager's words are not known; the code is what EC2 says of parameters it cannot use
    "SsmInvalidParameter",
    "There is no parameter {name}. Atoll has the public ones that `aws ssm get-parameters-by-path {listing}` lists.",
)
NOT_YOUR_IMAGE = Err("AuthFailure", "Not authorized for image:{id}", 403)


@operation("ec2", "DescribeImages")
def describe_images(
    world: World,
    *,
    image_ids: Sequence[str] = (),
    owners: Sequence[str] = (),
    executable_users: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    include_deprecated: bool = False,
    include_disabled: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List images.  None is deprecated or disabled, so including those adds nothing."""
    del include_deprecated, include_disabled
    if image_ids and max_results is not None:
        raise BOTH(one="imageIds", other="maxResults")
    assert world.caller, "the wire knows the caller"
    found = find_all(world, image_ids) if image_ids else list(catalogue.images(world.caller.region))
    if owners:
        found = [i for i in found if _is_owned(i, owners, world.caller.account)]
    if executable_users and "all" not in executable_users:
        found = []  # every image is public, none is shared with one account
    page, token = page_ec2(select(world, found, filters, FILTERS), lambda i: i.id, max_results, next_token)
    return {"Images": [render(world, i) for i in page], "NextToken": token}


@operation("ec2", "DescribeImageAttribute")
def describe_image_attribute(world: World, *, attribute: str, image_id: str) -> Shape:
    """Describe one attribute of an image; who may launch it only its owner may ask."""
    image = find(world, image_id)
    if attribute == "launchPermission":
        raise NOT_YOUR_IMAGE(id=image_id)
    shape = render(world, image)
    answers: dict[str, Shape] = {
        "description": {"Description": {"Value": image.description}},
        "kernel": {"KernelId": {}},
        "ramdisk": {"RamdiskId": {}},
        "productCodes": {"ProductCodes": []},
        "blockDeviceMapping": {"BlockDeviceMappings": shape["BlockDeviceMappings"]},
        "sriovNetSupport": {"SriovNetSupport": {"Value": shape["SriovNetSupport"]}},
        "bootMode": {"BootMode": {"Value": image.boot_mode} if image.boot_mode else {}},
        "tpmSupport": {"TpmSupport": {}},
        "uefiData": {"UefiData": {}},
        "lastLaunchedTime": {"LastLaunchedTime": {}},
        "imdsSupport": {"ImdsSupport": {"Value": "v2.0"} if image.imds_v2 else {}},
        "deregistrationProtection": {"DeregistrationProtection": {"Value": "disabled"}},
    }
    return {"ImageId": image.id, **answers[attribute]}


def find(world: World, id: str) -> Image:
    """Return an image of the caller's region; raises IMAGE_MALFORMED, IMAGE_NOT_FOUND."""
    return find_all(world, [id])[0]


def find_for_launch(world: World, id: str) -> Image:
    """Return an image by its id, or by the parameter that names it; raises as `find`, and BAD_PARAMETER."""
    if not id.startswith(RESOLVE):
        return find(world, id)
    assert world.caller, "the wire knows the caller"
    name = id.removeprefix(RESOLVE)
    parameter = named_by(world.caller.region, name)
    if parameter is None or split(name)[1] not in (None, str(parameter.version)):
        raise BAD_PARAMETER(name=name, listing=listing(name))
    return parameter.image


def find_all(world: World, ids: Sequence[str]) -> list[Image]:
    """Return images by id; raises IMAGE_MALFORMED, IMAGE_NOT_FOUND, IMAGES_NOT_FOUND."""
    assert world.caller, "the wire knows the caller"
    found = {id: catalogue.image(world.caller.region, id) for id in ids}
    missing = [id for id, image in found.items() if image is None]
    for id in missing:
        check_id(id, "ami", IMAGE_MALFORMED)
    if len(missing) == 1:
        raise IMAGE_NOT_FOUND(id=missing[0])
    if missing:
        raise IMAGES_NOT_FOUND(ids=", ".join(missing))
    return [image for image in found.values() if image]


def render(world: World, i: Image) -> Shape:
    """Return AWS's Image."""
    del world
    shape: Shape = {
        "ImageId": i.id,
        "ImageLocation": f"{i.owner_alias or i.owner}/{i.name}",
        "ImageType": "machine",
        "Name": i.name,
        "Description": i.description,
        "Architecture": i.architecture,
        "CreationDate": i.created,
        "OwnerId": i.owner,
        "Public": True,
        "State": "available",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "RootDeviceName": i.root_device,
        "RootDeviceType": "ebs",
        "DeregistrationProtection": "disabled",
        "ProductCodes": [],
        "Tags": render_tags(i.tags),
        "BlockDeviceMappings": [
            {
                "DeviceName": i.root_device,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "SnapshotId": i.snapshot_id,
                    "VolumeSize": i.size,
                    "VolumeType": i.volume_type,
                    "Encrypted": False,
                    **({"Iops": 3000, "Throughput": 125} if i.volume_type == "gp3" else {}),
                },
            }
        ],
    }
    if i.owner_alias:
        shape["ImageOwnerAlias"] = i.owner_alias
    if i.boot_mode:
        shape["BootMode"] = i.boot_mode
    if i.imds_v2:
        shape["ImdsSupport"] = "v2.0"
    return shape


def _is_owned(image: Image, owners: Sequence[str], account: str) -> bool:
    """Tell whether one of the owners, as DescribeImages takes them, owns an image."""
    return any(o in (image.owner, image.owner_alias) or (o == "self" and image.owner == account) for o in owners)


FILTERS: Table = {
    "architecture": lambda _, i: i.architecture,
    "block-device-mapping.delete-on-termination": shown(render, "BlockDeviceMappings.Ebs.DeleteOnTermination"),
    "block-device-mapping.device-name": lambda _, i: i.root_device,
    "block-device-mapping.encrypted": shown(render, "BlockDeviceMappings.Ebs.Encrypted"),
    "block-device-mapping.snapshot-id": lambda _, i: i.snapshot_id,
    "block-device-mapping.volume-size": lambda _, i: i.size,
    "block-device-mapping.volume-type": lambda _, i: i.volume_type,
    "boot-mode": lambda _, i: i.boot_mode,
    "creation-date": lambda _, i: iso(i.created),
    "description": lambda _, i: i.description,
    "ena-support": shown(render, "EnaSupport"),
    "hypervisor": shown(render, "Hypervisor"),
    "image-id": lambda _, i: i.id,
    "image-type": shown(render, "ImageType"),
    "is-public": shown(render, "Public"),
    "kernel-id": absent,
    "manifest-location": shown(render, "ImageLocation"),
    "name": lambda _, i: i.name,
    "owner-alias": lambda _, i: i.owner_alias,
    "owner-id": lambda _, i: i.owner,
    "platform": absent,
    "product-code": absent,
    "product-code.type": absent,
    "ramdisk-id": absent,
    "root-device-name": lambda _, i: i.root_device,
    "root-device-type": shown(render, "RootDeviceType"),
    "source-instance-id": absent,
    "sriov-net-support": shown(render, "SriovNetSupport"),
    "state": shown(render, "State"),
    "state-reason-code": absent,
    "state-reason-message": absent,
    "virtualization-type": shown(render, "VirtualizationType"),
}
