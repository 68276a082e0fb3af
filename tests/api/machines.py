"""What tests of instances have in common: launch one, let the host see something, expect a refusal."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from atoll.model.image import images

LINUX = "al2023-ami-2023.9.20260921.0-kernel-6.1-x86_64"
ARM = "al2023-ami-2023.9.20260921.0-kernel-6.1-arm64"
NAT = "amzn-ami-vpc-nat-2018.03.0.20230807.0-x86_64-ebs"


def image_id(name: str = LINUX, region: str = "us-east-1") -> str:
    """Return the id of an image of the catalogue."""
    return next(i.id for i in images(region) if i.name == name)


def launch(ec2: Any, **parameters: Any) -> dict[str, Any]:
    """Launch one instance (or `count`) and return what RunInstances says of the first."""
    count = parameters.pop("count", 1)
    asked = {"ImageId": image_id(), "InstanceType": "t3.micro", "MinCount": count, "MaxCount": count} | parameters
    return ec2.run_instances(**asked)["Instances"][0]


def show(ec2: Any, id: str) -> dict[str, Any]:
    """Return what DescribeInstances says of one instance."""
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def observe(paper: Any, event: Callable[..., bool], *ids: str) -> None:
    """Let the host see the same of several instances."""
    for id in ids:
        assert paper.write(lambda tx, id=id: event(tx, id)), f"{id} was overtaken"


def launch_running(paper: Any, ec2: Any, **parameters: Any) -> dict[str, Any]:
    """Launch one instance and let it boot."""
    instance = launch(ec2, **parameters)
    paper.settle()
    return show(ec2, instance["InstanceId"])


def launch_stopped(paper: Any, ec2: Any, **parameters: Any) -> dict[str, Any]:
    """Launch one instance, let it boot and stop it."""
    instance = launch_running(paper, ec2, **parameters)
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    paper.settle()
    return show(ec2, instance["InstanceId"])


@contextlib.contextmanager
def refused(code: str, message: str = "An error occurred") -> Iterator[None]:
    """Expect an error with exactly this code, and this text in its message."""
    with pytest.raises(ClientError, match=re.escape(message)) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
