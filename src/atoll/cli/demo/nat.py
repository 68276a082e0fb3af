"""Access from outside AWS, steps 1 to 3: the NAT instance, the rules of both groups, and whether they hold.

The page's printed errors (E1 to E7 of the inventory) are tried first: each is refused, or fails where it is wrong.
"""

from atoll.cli.demo.authorize import answered, dropped, proof
from atoll.cli.demo.facts import CLIENT, ELASTIC_IP, NAT, NODES, STRANGER, Engine
from atoll.cli.demo.stage import Stage, Typed
from atoll.cli.demo.world import World, launch, named, rule
from atoll.cli.machines import SSH_OPTIONS

NAT_IMAGE = "amzn-ami-vpc-nat-*"
SSH_PORT = 22
SSH_BANNER = "SSH-2.0"
TRUSTED = f"{CLIENT}/32"
TIMED_OUT = 124  # the exit code of timeout(1), which SSH passes on


def create(stage: Stage, world: World, engine: Engine) -> str:
    """Steps 1 and 2: the instance, its rules for the trusted client, its Elastic IP; returns the instance's id."""
    stage.chapter("Step 1: a NAT instance in the cluster's VPC, in the public subnet")
    where = {"image": world.image, "subnet": world.public, "group": world.nat_group, "name": "nat"}
    instance = launch(stage, **where, PrivateIpAddress=NAT, KeyName="demo")
    told = stage.type_in(instance, "sysctl net.ipv4.ip_forward")
    stage.check("44", "IP forwarding is off in a new instance", told.output.endswith("= 0"), told.output)
    _image_of_amazon(stage, world)
    stage.chapter("Step 2: inbound rules of the NAT instance, for the trusted client only")
    _malformed_source(stage, world, engine)
    _allow(stage, world, engine.printed_ports)
    allocation = stage.aws("ec2", "AllocateAddress", Domain="vpc", Address=ELASTIC_IP)["AllocationId"]
    stage.undo("ec2", "ReleaseAddress", AllocationId=allocation)
    if engine.is_memcached:
        _allow(stage, world, SSH_PORT)
    else:
        _own_address_as_source(stage, world, instance, allocation)
        return instance
    before = _ssh_port(stage, CLIENT, expected=False)
    stage.check("32", "without its Elastic IP the NAT instance cannot be reached", not _is_ssh(before), _said(before))
    _associate(stage, instance, allocation)
    return instance


def verify(stage: Stage, world: World, engine: Engine) -> None:
    """Step 3: SSH to the NAT instance, and from there to the cluster; for that, the rules between the two groups."""
    stage.chapter("Step 3: verify the rules")
    login = stage.type_as(CLIENT, ssh(world, "hostname"))
    right = login.code == 0 and login.output.startswith("ip-10-0-0-55")
    stage.check("60, 64", "the trusted client logs in by SSH with its key", right, login.output.splitlines()[-1:][0])
    stranger = _ssh_port(stage, STRANGER, expected=False)
    stage.check("60, 183", "another internet address does not", dropped(stranger), f"{STRANGER}: {_said(stranger)}")
    _wrong_subnet(stage, world)
    _swapped_groups(stage, world, engine)
    stage.say("Right: out to the cluster's group, into the cluster from the NAT instance's group.")
    to_cluster = rule(engine.port, group=world.cluster_group)
    stage.aws("ec2", "AuthorizeSecurityGroupEgress", GroupId=world.nat_group, IpPermissions=to_cluster)
    from_nat = rule(engine.port, group=world.nat_group)
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", GroupId=world.cluster_group, IpPermissions=from_nat)
    inner = _from_the_session(stage, world, engine, seconds=5)
    stage.check("65", "in the SSH session the cluster answers", answered(inner, engine), proof(inner, engine))
    direct = stage.telnet(world.app, NODES[0], engine.port, engine.hello, engine.bye, expected=False)
    stage.check("63", "another instance of the VPC is not let in", dropped(direct), proof(direct, engine))


def ssh(world: World, command: str) -> str:
    """Return the command line that runs a command on the NAT instance from outside."""
    return f"ssh {' '.join(SSH_OPTIONS)} -i {world.key} ec2-user@{ELASTIC_IP} {command}"


def _image_of_amazon(stage: Stage, world: World) -> None:
    stage.say("An instance of Amazon's NAT AMI forwards from the start. The page's commands, which we follow, do it")
    stage.say("by hand; so the NAT instance of this demo is a plain one, and this one is only looked at.")
    filters = [{"Name": "name", "Values": [NAT_IMAGE]}]
    image = stage.aws("ec2", "DescribeImages", Owners=["amazon"], Filters=filters)["Images"][0]["ImageId"]
    ready = launch(stage, image=image, subnet=world.public, group=world.nat_group, name="nat-ami")
    told = stage.type_in(ready, "sysctl -n net.ipv4.ip_forward; iptables -t nat -S POSTROUTING")
    right = told.output.startswith("1") and "MASQUERADE" in told.output
    shown = " ".join(told.output.split("\n")[-1:])
    stage.check("55", "Amazon's NAT AMI boots with forwarding and masquerade on", right, shown)


def _malformed_source(stage: Stage, world: World, engine: Engine) -> None:
    wrong = rule(engine.printed_ports, cidr=f"{CLIENT}-32")
    error = stage.aws_error("ec2", "AuthorizeSecurityGroupIngress", GroupId=world.nat_group, IpPermissions=wrong)
    stage.check(
        "E2",
        "the printed source 198.51.100.27-32 is refused",
        "InvalidParameterValue" in error,
        error.rpartition(": ")[2],
    )


def _allow(stage: Stage, world: World, ports: int | str) -> None:
    permissions = rule(ports, cidr=TRUSTED)
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", GroupId=world.nat_group, IpPermissions=permissions)


def _associate(stage: Stage, instance: str, allocation: str) -> None:
    made = stage.aws("ec2", "AssociateAddress", AllocationId=allocation, InstanceId=instance)
    stage.undo("ec2", "DisassociateAddress", AssociationId=made["AssociationId"])


def _own_address_as_source(stage: Stage, world: World, instance: str, allocation: str) -> None:
    _associate(stage, instance, allocation)
    wrong = {"GroupId": world.nat_group, "IpPermissions": rule(SSH_PORT, cidr=f"{ELASTIC_IP}/32")}
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", **wrong)
    tried = _ssh_port(stage, CLIENT, expected=False)
    claim = f"the printed SSH source {ELASTIC_IP}/32, the NAT instance itself, lets no client in"
    stage.check("E5", claim, dropped(tried), _said(tried))
    stage.aws("ec2", "RevokeSecurityGroupIngress", **wrong)
    _allow(stage, world, SSH_PORT)


def _wrong_subnet(stage: Stage, world: World) -> None:
    stage.say("Printed in one edition: a NAT instance that is *not* in a public subnet.")
    wrong = launch(stage, image=world.image, subnet=world.private, group=world.nat_group, name="nat-in-private")
    allocation = stage.aws("ec2", "AllocateAddress", Domain="vpc", TagSpecifications=named("elastic-ip", "wrong"))
    stage.undo("ec2", "ReleaseAddress", AllocationId=allocation["AllocationId"])
    call = {"AllocationId": allocation["AllocationId"], "InstanceId": wrong}
    stage.undo(
        "ec2", "DisassociateAddress", AssociationId=stage.aws("ec2", "AssociateAddress", **call)["AssociationId"]
    )
    tried = stage.telnet(CLIENT, allocation["PublicIp"], SSH_PORT, expected=False)
    claim = "in the private subnet it cannot be reached, Elastic IP or not"
    stage.check("E1, 31", claim, not _is_ssh(tried), _said(tried))


def _swapped_groups(stage: Stage, world: World, engine: Engine) -> None:
    stage.say("As printed, the ids of the two groups are swapped in the tables.")
    out = {"GroupId": world.nat_group, "IpPermissions": rule(engine.port, group=world.nat_group)}
    into = {"GroupId": world.cluster_group, "IpPermissions": rule(engine.port, group=world.cluster_group)}
    stage.aws("ec2", "AuthorizeSecurityGroupEgress", **out)
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", **into)
    tried = _from_the_session(stage, world, engine, seconds=1.5)
    claim = "with the printed group ids the NAT instance does not reach the cluster"
    stage.check("E6, E7", claim, tried.code == TIMED_OUT, f"timeout says {tried.code}")
    stage.aws("ec2", "RevokeSecurityGroupEgress", **out)
    stage.aws("ec2", "RevokeSecurityGroupIngress", **into)


def _from_the_session(stage: Stage, world: World, engine: Engine, *, seconds: float) -> Typed:
    typing = f"(printf '%s\\n' {engine.hello} {engine.bye}; sleep 0.4)"
    command = f"{typing} | timeout {seconds:g} telnet {NODES[0]} {engine.port}"
    return stage.type_as(CLIENT, ssh(world, f'"{command}"'))


def _ssh_port(stage: Stage, address: str, *, expected: bool) -> Typed:
    return stage.telnet(address, ELASTIC_IP, SSH_PORT, expected=expected)


def _is_ssh(typed: Typed) -> bool:
    return SSH_BANNER in typed.output


def _said(typed: Typed) -> str:
    return "timed out" if dropped(typed) else typed.output.splitlines()[-1]
