"""The public parameters of Systems Manager that name the newest machine images.

They are a view of the catalogue (`image.py`): nobody can write them, and nothing here is kept.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from atoll.model.image import Image, images

AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest"
UBUNTU = "/aws/service/canonical/ubuntu/server"
EVERYBODY = "/aws/service"
RESOLVE = "resolve:ssm:"  # in the place of an image's id

# The name below AMAZON_LINUX, without the architecture -> how the images' names begin and end around their version.
_NEWEST = {
    "al2023-ami-kernel-default-{}": ("al2023-ami-2023.", "-kernel-6.1-{}"),
    "al2023-ami-kernel-6.1-{}": ("al2023-ami-2023.", "-kernel-6.1-{}"),
    "al2023-ami-minimal-kernel-default-{}": ("al2023-ami-minimal-2023.", "-kernel-6.1-{}"),
    "al2023-ami-minimal-kernel-6.1-{}": ("al2023-ami-minimal-2023.", "-kernel-6.1-{}"),
    "amzn2-ami-hvm-{}-gp2": ("amzn2-ami-hvm-2.0.", "-{}-gp2"),
    "amzn2-ami-hvm-{}-ebs": ("amzn2-ami-hvm-2.0.", "-{}-ebs"),
    "amzn2-ami-kernel-5.10-hvm-{}-gp2": ("amzn2-ami-kernel-5.10-hvm-2.0.", "-{}-gp2"),
    "amzn-ami-hvm-{}-gp2": ("amzn-ami-hvm-2018.03.", "-{}-gp2"),
}
_ARCHITECTURES = ("x86_64", "arm64")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A public parameter in a region; its value is the image's id."""

    name: str
    image: Image
    version: int = 1


@functools.lru_cache(maxsize=64)  # regions; there are some 40
def parameters(region: str) -> Mapping[str, Parameter]:
    """Return the public parameters of a region by name, in the order of their names."""
    found = {}
    for name, (begin, end) in _NEWEST.items():
        for architecture in _ARCHITECTURES:
            full = f"{AMAZON_LINUX}/{name.format(architecture)}"
            named = [
                i for i in images(region) if i.name.startswith(begin) and i.name.endswith(end.format(architecture))
            ]
            if named:
                found[full] = Parameter(full, max(named, key=lambda i: i.created))
    for release, code, disk in (("20.04", "focal", "gp2"), ("22.04", "jammy", "gp2"), ("24.04", "noble", "gp3")):
        for image in (i for i in images(region) if f"/ubuntu-{code}-{release}-" in i.name):
            architecture = image.name.split("-server-")[0].rpartition("-")[2]
            for name in (release, code):
                full = f"{UBUNTU}/{name}/stable/current/{architecture}/hvm/ebs-{disk}/ami-id"
                found[full] = Parameter(full, image)
    return dict(sorted(found.items()))


def split(text: str) -> tuple[str, str | None]:
    """Return the name in "NAME", "NAME:VERSION", "NAME:LABEL" or the ARN of one, and the version or label."""
    if text.startswith("arn:"):
        text = "/" + text.partition(":parameter/")[2]
    name, _, selector = text.partition(":")
    return name, selector or None


def find(region: str, text: str) -> Parameter | None:
    """Return the parameter that a text names, whatever version it asks for, or None."""
    return parameters(region).get(split(text)[0])


def listing(text: str) -> str:
    """Return the options of `aws ssm get-parameters-by-path` that list what somebody may have meant."""
    name = split(text)[0]
    if name.startswith(f"{AMAZON_LINUX}/"):
        return f"--path {AMAZON_LINUX}"
    return f"--recursive --path {UBUNTU if 'ubuntu' in name else EVERYBODY}"
