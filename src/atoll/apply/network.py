"""Plan VPCs, subnets, gateways and the tables that lead to them."""

from typing import Any

from atoll.apply.action import CHANGE, CREATE, Planner, call, made, refused
from atoll.model.address import ElasticIp
from atoll.model.gateway import InternetGateway
from atoll.model.lookup import primary_interface
from atoll.model.nat_gateway import STANDING, NatGateway
from atoll.model.peering import Peering, peering_between, visible
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.recipe.step import Step, Wait

ANYWHERE = "0.0.0.0/0"
OF_ROUTE = {"igw": "GatewayId", "nat": "NatGatewayId", "eni": "NetworkInterfaceId", "i": "InstanceId",
    "pcx": "VpcPeeringConnectionId"}  # fmt: skip


def vpcs(planner: Planner) -> None:
    """Plan VPCs with their internet gateways and subnets."""
    for name, said in planner.wish.vpcs.items():
        _vpc(planner, name, said)
        if any(s.get("public") for s in planner.wish.subnets.values() if s["vpc"] == name):
            _internet_gateway(planner, name)
    for name, said in planner.wish.subnets.items():
        _subnet(planner, name, said)


def _vpc(planner: Planner, name: str, said: Any) -> None:
    key = f"vpc:{name}"
    there = planner.there(key, Vpc, name)
    names = said.get("dns_hostnames", False)
    hostnames = call("ec2", "ModifyVpcAttribute", VpcId=planner.id(key), EnableDnsHostnames={"Value": names})
    if there is None:
        make = call("ec2", "CreateVpc", made(key, "Vpc.VpcId"), CidrBlock=said["cidr"],
            **planner.specified("vpc", name, said.get("tags")))  # fmt: skip
        planner.add(CREATE, "vpc", name, make, *([hostnames] if names else []), what=said["cidr"])
        return
    if str(there.cidr) != said["cidr"]:
        raise refused("vpc", name, "range", there.cidr, said["cidr"])
    if there.dns_hostnames != names:
        planner.add(CHANGE, "vpc", name, hostnames, what=f"DNS hostnames {'on' if names else 'off'}")


def _internet_gateway(planner: Planner, vpc: str) -> None:
    key, vpc_id = f"igw:{vpc}", planner.id(f"vpc:{vpc}")
    attached = next((g for g in planner.world.all(InternetGateway) if g.vpc_id == vpc_id), None)
    if attached is not None:
        planner.found(key, attached.id)
        return
    make = call("ec2", "CreateInternetGateway", made(key, "InternetGateway.InternetGatewayId"),
        **planner.specified("internet-gateway", vpc))  # fmt: skip
    attach = call("ec2", "AttachInternetGateway", InternetGatewayId=key, VpcId=vpc_id)
    planner.add(CREATE, "internet gateway", vpc, make, attach)


def _subnet(planner: Planner, name: str, said: Any) -> None:
    key, vpc_id, public = f"subnet:{name}", planner.id(f"vpc:{said['vpc']}"), bool(said.get("public"))
    there = planner.there(key, Subnet, name, vpc_id=vpc_id)
    zone = f"{planner.wish.region}{said.get('zone', 'a')}"
    mapped = call("ec2", "ModifySubnetAttribute", SubnetId=planner.id(key), MapPublicIpOnLaunch={"Value": public})
    if there is None:
        make = call("ec2", "CreateSubnet", made(key, "Subnet.SubnetId"), VpcId=vpc_id, CidrBlock=said["cidr"],
            AvailabilityZone=zone, **planner.specified("subnet", name))  # fmt: skip
        planner.add(CREATE, "subnet", name, make, *([mapped] if public else []), what=f"{said['cidr']} in {zone}")
        return
    for what, now, wanted in (("range", str(there.cidr), said["cidr"]), ("zone", there.zone, zone)):
        if now != wanted:
            raise refused("subnet", name, what, now, wanted)
    if there.map_public_ip != public:
        planner.add(CHANGE, "subnet", name, mapped, what="public" if public else "private")


def nat_gateways(planner: Planner) -> None:
    """Plan NAT gateways, each with an Elastic IP of its own."""
    for name, said in planner.wish.nat_gateways.items():
        key, address = f"nat:{name}", f"eipalloc:{name}"
        standing = [g for g in planner.world.all(NatGateway) if g.state in STANDING]
        there = planner.there(key, NatGateway, name, standing)
        planner.there(address, ElasticIp, name)
        if there is not None:
            if there.subnet_id != planner.id(f"subnet:{said['subnet']}"):
                raise refused("NAT gateway", name, "subnet", there.subnet_id, said["subnet"])
            continue
        steps = []
        if planner.is_new(address):
            steps.append(call("ec2", "AllocateAddress", made(address, "AllocationId"), Domain="vpc",
                **planner.specified("elastic-ip", name)))  # fmt: skip
        wait = Wait(service="ec2", waiter="nat_gateway_available", parameters={"NatGatewayIds": [key]})
        steps.append(Step(service="ec2", operation="CreateNatGateway", made=(made(key, "NatGateway.NatGatewayId"),),
            waits=(wait,), parameters={"SubnetId": planner.id(f"subnet:{said['subnet']}"),
                "AllocationId": planner.id(address), **planner.specified("natgateway", name)}))  # fmt: skip
        planner.add(CREATE, "NAT gateway", name, *steps, what=f"in {said['subnet']}")


def peering(planner: Planner) -> None:
    """Plan peering connections between VPCs of the file."""
    for name, said in planner.wish.peering.items():
        key, one, other = f"pcx:{name}", planner.id(f"vpc:{said['from']}"), planner.id(f"vpc:{said['to']}")
        there: Peering | None = peering_between(planner.world.seen_by(None), one, other)
        asked = next((p for p in visible(planner.world) if p.has(one) and p.has(other)
            and p.status == "pending-acceptance"), None)  # fmt: skip
        if found := there or asked:
            planner.found(key, found.id)
        accept = call("ec2", "AcceptVpcPeeringConnection", VpcPeeringConnectionId=planner.id(key))
        if there is None and asked is not None:
            planner.add(CHANGE, "peering", name, accept, what="accepted")
        elif there is None:
            make = call("ec2", "CreateVpcPeeringConnection",
                made(key, "VpcPeeringConnection.VpcPeeringConnectionId"), VpcId=one, PeerVpcId=other,
                **planner.specified("vpc-peering-connection", name))  # fmt: skip
            planner.add(CREATE, "peering", name, make, accept, what=f"{said['from']} - {said['to']}")


def tables(planner: Planner) -> None:
    """Plan a route table for each way out of a VPC, its routes, and the subnets that use it."""
    wanted: dict[tuple[str, str], str | None] = {}  # VPC and name of a table -> target of the default route
    users: dict[tuple[str, str], list[str]] = {}
    for name, subnet in planner.wish.subnets.items():
        vpc = subnet["vpc"]
        way, target = _way(planner, vpc, subnet)
        if way:
            wanted[vpc, way] = target
        users.setdefault((vpc, way), []).append(name)
    for (vpc, way), target in wanted.items():
        _table(planner, vpc, way, {**({ANYWHERE: target} if target else {}), **_peers(planner, vpc)})
    for vpc in planner.wish.vpcs:
        _main(planner, vpc)
    for (vpc, way), names in users.items():
        for name in names:
            _use(planner, name, f"table:{vpc}-{way}" if way else None)


def _way(planner: Planner, vpc: str, subnet: Any) -> tuple[str, str | None]:
    if subnet.get("public"):
        return "public", planner.id(f"igw:{vpc}")
    nat = subnet.get("nat")
    if nat is None:
        return "", None
    return nat, planner.id(f"nat:{nat}" if nat in planner.wish.nat_gateways else f"i:{nat}")


def _peers(planner: Planner, vpc: str) -> dict[str, str]:
    """Return routes to the VPCs that a VPC is peered with."""
    found = {}
    for name, said in planner.wish.peering.items():
        if vpc in (said["from"], said["to"]) and said.get("routes", True):
            other = said["to"] if vpc == said["from"] else said["from"]
            found[planner.wish.vpcs[other]["cidr"]] = planner.id(f"pcx:{name}")
    return found


def _main(planner: Planner, vpc: str) -> None:
    routes, vpc_id = _peers(planner, vpc), planner.id(f"vpc:{vpc}")
    key = f"table:{vpc} main"
    there = next((t for t in planner.world.all(RouteTable) if t.vpc_id == vpc_id and t.is_main), None)
    if there is not None:
        planner.found(key, there.id)
        _routes(planner, f"{vpc} (main)", there, key, routes, also=False)
    elif routes:
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
        find = call("ec2", "DescribeRouteTables", made(key, "RouteTables[0].RouteTableId"), Filters=filters)
        planner.add(CREATE, "routes", f"{vpc} (main)", find, *(_route(key, to, t) for to, t in routes.items()),
            what=", ".join(routes))  # fmt: skip


def _table(planner: Planner, vpc: str, way: str, routes: dict[str, str]) -> None:
    name, vpc_id = f"{vpc}-{way}", planner.id(f"vpc:{vpc}")
    key = f"table:{name}"
    there = planner.there(key, RouteTable, name, vpc_id=vpc_id)
    if there is None:
        make = call("ec2", "CreateRouteTable", made(key, "RouteTable.RouteTableId"), VpcId=vpc_id,
            **planner.specified("route-table", name))  # fmt: skip
        planner.add(CREATE, "route table", name, make, *(_route(key, to, t) for to, t in routes.items()),
            what=", ".join(routes))  # fmt: skip
    else:
        _routes(planner, name, there, key, routes, also=True)


def _routes(planner: Planner, name: str, there: RouteTable, key: str, routes: dict[str, str], *, also: bool) -> None:
    """Plan what differs in a table's routes; `also`: take away those that nobody wishes for."""
    now = {r.towards: r for r in there.routes if r.origin == "CreateRoute" and r.prefix_list_id is None}
    for to, target in routes.items():
        if to not in now:
            planner.add(CREATE, "route", f"{to} of {name}", _route(planner.id(key), to, target))
        elif not _leads(planner, now[to], target):
            replaced = _route(planner.id(key), to, target, operation="ReplaceRoute")
            planner.add(CHANGE, "route", f"{to} of {name}", replaced)
    for to in now if also else ():
        if to not in routes:
            gone = call("ec2", "DeleteRoute", RouteTableId=there.id, DestinationCidrBlock=to)
            planner.add(CHANGE, "route", f"{to} of {name}", gone, what="no longer")


def _leads(planner: Planner, route: Route, target: str) -> bool:
    if target.startswith("i-"):
        interface = primary_interface(planner.world, target)
        return interface is not None and route.target == interface.id
    return route.target == target


def _route(table: str, to: str, target: str, operation: str = "CreateRoute") -> Step:
    member = OF_ROUTE[target.partition("-")[0].partition(":")[0]]
    return Step(service="ec2", operation=operation,
        parameters={"RouteTableId": table, "DestinationCidrBlock": to, member: target})  # fmt: skip


def _use(planner: Planner, subnet: str, table: str | None) -> None:
    """Plan that a subnet uses a table; None: the VPC's main one."""
    subnet_id = planner.id(f"subnet:{subnet}")
    held = [(t, a) for t in planner.world.all(RouteTable) for a in t.associations if a.subnet_id == subnet_id]
    if not held and table is not None:
        use = call("ec2", "AssociateRouteTable", RouteTableId=planner.id(table), SubnetId=subnet_id)
        planner.add(CREATE, "association", subnet, use, what=f"uses {table.partition(':')[2]}")
    elif held and table is None:
        leave = call("ec2", "DisassociateRouteTable", AssociationId=held[0][1].id)
        planner.add(CHANGE, "association", subnet, leave, what="uses the main table")
    elif held and table is not None and held[0][0].id != planner.id(table):
        change = call("ec2", "ReplaceRouteTableAssociation", AssociationId=held[0][1].id,
            RouteTableId=planner.id(table))  # fmt: skip
        planner.add(CHANGE, "association", subnet, change, what=f"uses {table.partition(':')[2]}")
