"""A second network interface of an instance: there at launch, or plugged in later, with its own subnet and groups.

Source: EC2 User Guide, "Elastic network interfaces", "Attach a network interface to an EC2 instance".
"""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, CLIENT, PLAIN_IMAGE, Stage
from tests.scenario.test_why import why

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Net:
    """Two subnets with a way out, and a group that admits SSH."""

    front: str
    back: str
    open_group: str
    shut_group: str


@pytest.fixture(scope="module")
def net(stage: Stage) -> Net:
    vpc = stage.vpc("10.0.0.0/16")
    front = stage.subnet(vpc, "10.0.0.0/24", public=True, zone="us-east-1a")
    back = stage.subnet(vpc, "10.0.1.0/24", public=True, zone="us-east-1a")
    group = stage.group(vpc)
    stage.allow(group, 22, ANYWHERE)
    return Net(front, back, group, stage.group(vpc))


def addresses(stage: Stage, instance: str, link: str) -> str:
    """Return what `ip` inside says of a link; nothing if there is no such link."""
    return stage.type(instance, f"ip -o -4 addr show dev {link} 2>/dev/null").output


def test_an_instance_has_both_interfaces_that_it_was_launched_with(stage: Stage, net: Net) -> None:
    wanted = [
        {"DeviceIndex": 0, "SubnetId": net.front, "Groups": [net.open_group], "PrivateIpAddress": "10.0.0.10"},
        {"DeviceIndex": 1, "SubnetId": net.back, "Groups": [net.shut_group], "PrivateIpAddress": "10.0.1.10"},
    ]
    neighbour = stage.instance(net.front)
    call = {"ImageId": stage.image(PLAIN_IMAGE), "InstanceType": "m1.small", "MinCount": 1, "MaxCount": 1}
    made = stage.ec2.run_instances(**call, NetworkInterfaces=wanted)["Instances"][0]["InstanceId"]
    stage.booted(made)
    assert "10.0.1.10/24" in addresses(stage, made, "eth1")
    assert stage.connects(neighbour, "10.0.0.10", 22)
    assert stage.is_dropped(neighbour, "10.0.1.10", 22), "its second interface has another group"


def test_an_interface_that_is_plugged_in_answers_under_an_elastic_ip_of_its_own_until_it_is_pulled_out(
    stage: Stage, net: Net
) -> None:
    instance = stage.instance(net.front, net.shut_group)
    made = stage.ec2.create_network_interface(SubnetId=net.back, Groups=[net.open_group])["NetworkInterface"]
    eni, private = made["NetworkInterfaceId"], made["PrivateIpAddress"]
    eip = stage.elastic_ip()
    stage.ec2.associate_address(AllocationId=eip["AllocationId"], NetworkInterfaceId=eni)
    assert stage.is_dropped(CLIENT, eip["PublicIp"], 22)
    plug = stage.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    assert f"{private}/24" in addresses(stage, instance, "eth1")
    assert stage.connects(CLIENT, eip["PublicIp"], 22)
    is_heard_on_its_own_link(stage, eni, eip["PublicIp"])
    stage.typed(instance, "iptables -A INPUT -i eth1 -p tcp --dport 22 -j DROP")
    assert why(stage, CLIENT, f"{eip['PublicIp']}:22") == ["GUEST_FIREWALL"]
    stage.typed(instance, "iptables -D INPUT -i eth1 -p tcp --dport 22 -j DROP; iptables -A INPUT -i eth0 -j DROP")
    assert why(stage, CLIENT, f"{eip['PublicIp']}:22") == []
    stage.stop(instance)
    assert stage.is_dropped(CLIENT, eip["PublicIp"], 22)
    stage.start(instance)
    assert stage.connects(CLIENT, eip["PublicIp"], 22), "it is there after a stop and a start"
    stage.ec2.detach_network_interface(AttachmentId=plug["AttachmentId"])
    assert addresses(stage, instance, "eth1") == ""
    assert stage.is_dropped(CLIENT, eip["PublicIp"], 22)


def is_heard_on_its_own_link(stage: Stage, eni: str, public: str) -> None:
    command = [sys.executable, "-m", "atoll.cli", "capture", eni, "-f", "tcp port 22", "-c", "1"]
    capture = stage.atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert capture.stderr is not None
    assert b"listening on eth1" in capture.stderr.readline()
    assert stage.connects(CLIENT, public, 22)
    shown, said = capture.communicate(timeout=WAIT_SECONDS)
    assert b".22: tcp" in shown, said
