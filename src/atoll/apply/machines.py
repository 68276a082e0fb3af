"""Plan security groups, instances and endpoints."""

from typing import Any

from atoll.apply.action import CHANGE, CREATE, Planner, call, made, refused
from atoll.apply.document import Trouble, Wrong, nearest
from atoll.apply.wish import rules
from atoll.model.address import ElasticIp
from atoll.model.endpoint import VpcEndpoint
from atoll.model.group import Rule, SecurityGroup
from atoll.model.image import images
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.lookup import primary_interface
from atoll.model.vpc import Vpc
from atoll.recipe.step import Parameters, Step, Wait
from atoll.recipe.survey_group import permission
from atoll.recipe.survey_instance import STANDING

Row = tuple[bool, str, int, int, str, str]  # egress, protocol, ports, source or target, description
EVERYTHING: Row = (True, "-1", -1, -1, "0.0.0.0/0", "")  # what a new group has
TYPE = "t3.micro"
IMAGE = "amzn2-ami-hvm-"


def groups(planner: Planner) -> None:
    """Plan all groups, and then their rules, which may name each other."""
    for name, said in planner.wish.groups.items():
        key, vpc_id = f"sg:{name}", planner.id(f"vpc:{said['vpc']}")
        there = next((g for g in planner.world.all(SecurityGroup) if g.vpc_id == vpc_id and g.name == name), None)
        if there is not None:
            planner.found(key, there.id)
            continue
        make = call("ec2", "CreateSecurityGroup", made(key, "GroupId"), GroupName=name, VpcId=vpc_id,
            Description=said.get("description", name), **planner.specified("security-group", name, said.get("tags")))
        planner.add(CREATE, "security group", name, make)
    for name, said in planner.wish.groups.items():
        _rules(planner, name, said)


def _rules(planner: Planner, name: str, said: Any) -> None:
    key = f"sg:{name}"
    there = planner.world.get(SecurityGroup, planner.id(key))
    now = {_row(rule): rule for rule in there.rules} if there else {EVERYTHING: None}
    wanted = {(*row[:4], _source(planner, row[4]), row[5]): row for row in rules(said)}
    for row, plain in wanted.items():
        if row not in now:
            way = "Egress" if row[0] else "Ingress"
            asked = [_permission(row)]
            step = call("ec2", f"AuthorizeSecurityGroup{way}", GroupId=planner.id(key), IpPermissions=asked)
            planner.add(CREATE, "rule", name, step, what=told(plain))
    for row, rule in now.items():
        if row not in wanted:
            way = "Egress" if row[0] else "Ingress"
            given = permission(rule) if rule is not None else _permission(row)
            step = call("ec2", f"RevokeSecurityGroup{way}", GroupId=planner.id(key), IpPermissions=[given])
            planner.add(CHANGE, "rule", name, step, what=f"no longer {told(row)}")


def _source(planner: Planner, source: str) -> str:
    return planner.id(f"sg:{source}") if source in planner.wish.groups else source


def _row(rule: Rule) -> Row:
    source = str(rule.cidr or rule.group_id or rule.prefix_list_id)
    low, high = (rule.from_port, rule.to_port) if rule.protocol != "-1" else (-1, -1)
    return rule.egress, rule.protocol, low, high, source, rule.description or ""


def _permission(row: Row) -> Parameters:
    _, protocol, low, high, source, description = row
    said = {"Description": description} if description else {}
    found: Parameters = {"IpProtocol": protocol}
    if protocol != "-1":
        found |= {"FromPort": low, "ToPort": high}
    if ":" in source and "/" in source:
        return {**found, "Ipv6Ranges": [{"CidrIpv6": source, **said}]}
    if "/" in source:
        return {**found, "IpRanges": [{"CidrIp": source, **said}]}
    return {**found, "UserIdGroupPairs": [{"GroupId": source, **said}]}


def told(row: Row) -> str:
    """Say a rule: `in from app: tcp 6379-6380`."""
    egress, protocol, low, high, source, _ = row
    ports = "" if low == -1 else f" {low}" if low == high else f" {low}-{high}"
    return f"{'out to' if egress else 'in from'} {source}: {'all' if protocol == '-1' else protocol}{ports}"


def instances(planner: Planner) -> None:
    """Plan instances, with their Elastic IPs."""
    for name, said in planner.wish.instances.items():
        key = f"i:{name}"
        standing = [i for i in planner.world.all(Instance) if i.state in STANDING]
        there = planner.there(key, Instance, name, standing)
        if there is None:
            _launch(planner, key, name, said)
        else:
            _change(planner, there, name, said)
        if said.get("elastic_ip"):
            _elastic_ip(planner, key, name)


def _launch(planner: Planner, key: str, name: str, said: Any) -> None:
    asked: Parameters = {"ImageId": _image(planner, name, said), "MinCount": 1, "MaxCount": 1,
        "InstanceType": said.get("type", TYPE), "SubnetId": planner.id(f"subnet:{said['subnet']}"),
        "SecurityGroupIds": [planner.id(f"sg:{group}") for group in said["groups"]]}  # fmt: skip
    for member, parameter in (("address", "PrivateIpAddress"), ("key", "KeyName"), ("user_data", "UserData")):
        if member in said:
            asked[parameter] = said[member]
    wait = Wait(service="ec2", waiter="instance_running", parameters={"InstanceIds": [key]})
    step = Step(service="ec2", operation="RunInstances", made=(made(key, "Instances[0].InstanceId"),), waits=(wait,),
        parameters={**asked, **planner.specified("instance", name, said.get("tags"))})  # fmt: skip
    more = [_forwards(key, True)] if said.get("forwards") else []
    planner.add(CREATE, "instance", name, step, *more, what=f"in {said['subnet']}")


def _image(planner: Planner, name: str, said: Any) -> str:
    """Choose an image by its id or the beginning of its name: the newest that fits the type."""
    image, kind = str(said.get("image", IMAGE)), INSTANCE_TYPES.get(said.get("type", TYPE))
    if kind is None:
        there = nearest(said["type"], INSTANCE_TYPES)
        raise Wrong([Trouble(1, 1, f"instance {name}: there is no type {said['type']!r}{there}")])
    if image.startswith("ami-"):
        return image
    fitting = [one for one in images(planner.wish.region or "") if one.name.startswith(image)]
    fitting = [one for one in fitting if one.architecture in kind.architectures]
    fitting.sort(key=lambda one: one.created)
    if not fitting:
        raise Wrong([Trouble(1, 1, f"instance {name}: no image is called {image}...")])
    return fitting[-1].id


def _forwards(id: str, on: bool) -> Step:
    return call("ec2", "ModifyInstanceAttribute", InstanceId=id, SourceDestCheck={"Value": not on})


def _change(planner: Planner, there: Instance, name: str, said: Any) -> None:
    interface = primary_interface(planner.world, there.id)
    assert interface is not None, "an instance that stands has an interface"
    subnet_id = planner.id(f"subnet:{said['subnet']}")
    checks = [("subnet", there.subnet_id, subnet_id), ("type", there.type, said.get("type", there.type)),
        ("address", str(interface.address), said.get("address", str(interface.address)))]  # fmt: skip
    for what, now, wanted in checks:
        if now != wanted:
            raise refused("instance", name, what, now, wanted)
    wished = [planner.id(f"sg:{group}") for group in said["groups"]]
    if set(wished) != set(interface.group_ids):
        step = call("ec2", "ModifyInstanceAttribute", InstanceId=there.id, Groups=wished)
        planner.add(CHANGE, "instance", name, step, what=f"in {', '.join(said['groups'])}")
    if bool(said.get("forwards")) == interface.source_dest_check:
        on = bool(said.get("forwards"))
        planner.add(CHANGE, "instance", name, _forwards(there.id, on), what="forwards" if on else "forwards nothing")


def _elastic_ip(planner: Planner, key: str, name: str) -> None:
    address = f"eipalloc:{name}"
    there = planner.there(address, ElasticIp, name)
    if there is not None and there.instance_id == planner.id(key):
        return
    steps = []
    if there is None:
        steps.append(call("ec2", "AllocateAddress", made(address, "AllocationId"), Domain="vpc",
            **planner.specified("elastic-ip", name)))  # fmt: skip
    steps.append(call("ec2", "AssociateAddress", AllocationId=planner.id(address), InstanceId=planner.id(key)))
    planner.add(CREATE if there is None else CHANGE, "elastic IP", name, *steps)


def endpoints(planner: Planner) -> None:
    """Plan gateway endpoints, for all tables of their VPC, and interface endpoints."""
    for name, said in planner.wish.endpoints.items():
        key, vpc_id = f"vpce:{name}", planner.id(f"vpc:{said['vpc']}")
        standing = [e for e in planner.world.all(VpcEndpoint) if e.stands or e.state == "pendingAcceptance"]
        there = planner.there(key, VpcEndpoint, name, standing)
        service = said["service"]
        if "." not in service:
            service = f"com.amazonaws.{planner.wish.region}.{service}"
        if there is not None:
            _change_endpoint(planner, there, name, said, service)
            continue
        asked: Parameters = {"VpcId": vpc_id, "ServiceName": service}
        if "subnets" in said:
            subnets = [planner.id(f"subnet:{subnet}") for subnet in said["subnets"]]
            asked |= {"VpcEndpointType": "Interface", "SubnetIds": subnets}
            asked |= {"SecurityGroupIds": [planner.id(f"sg:{g}") for g in said["groups"]]} if "groups" in said else {}
            if ".vpce." not in service:
                asked["PrivateDnsEnabled"] = _has_names(planner, said["vpc"])
        else:
            asked |= {"VpcEndpointType": "Gateway", "RouteTableIds": _tables(planner, said["vpc"])}
        step = call("ec2", "CreateVpcEndpoint", made(key, "VpcEndpoint.VpcEndpointId"), **asked,
            **planner.specified("vpc-endpoint", name, said.get("tags")))  # fmt: skip
        planner.add(CREATE, "endpoint", name, step, what=service)


def _has_names(planner: Planner, vpc: str) -> bool:
    """Tell whether private names may be switched on: only in a VPC with DNS host names."""
    there = planner.world.get(Vpc, planner.id(f"vpc:{vpc}"))
    return bool(planner.wish.vpcs[vpc].get("dns_hostnames", there.dns_hostnames if there else False))


def _tables(planner: Planner, vpc: str) -> list[str]:
    ways = {s.get("nat") or ("public" if s.get("public") else "") for s in planner.wish.subnets.values()
        if s["vpc"] == vpc} - {""}  # fmt: skip
    return [planner.id(f"table:{vpc}-{way}") for way in sorted(ways)]


def _change_endpoint(planner: Planner, there: VpcEndpoint, name: str, said: Any, service: str) -> None:
    if there.service_name != service:
        raise refused("endpoint", name, "service", there.service_name, service)
    subnets = [planner.id(f"subnet:{s}") for s in said.get("subnets", [])]
    groups = [planner.id(f"sg:{g}") for g in said.get("groups", [])]
    if there.type == "Gateway":
        tables = _tables(planner, said["vpc"])
        now: Any = (there.table_ids, tables, "RouteTableIds")
        pairs = [now]
    else:
        pairs = [([f.subnet_id for f in there.feet], subnets, "SubnetIds")]
        pairs += [(there.group_ids, groups, "SecurityGroupIds")] if groups else []
    changed: Parameters = {}
    for has, wants, member in pairs:
        if more := [one for one in wants if one not in has]:
            changed[f"Add{member}"] = more
        if less := [one for one in has if one not in wants]:
            changed[f"Remove{member}"] = less
    if changed:
        step = call("ec2", "ModifyVpcEndpoint", VpcEndpointId=there.id, **changed)
        planner.add(CHANGE, "endpoint", name, step, what=", ".join(changed))
