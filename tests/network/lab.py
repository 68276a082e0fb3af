"""A Lab writes small worlds in a few lines, out of the real nouns and through a real `Tx`.

Names make ids: `lab.instance("app", "web")` is the instance `i-app` with the interface `eni-app` in `subnet-web`.
Rules are written as people write them:

    security groups   "tcp 6379 sg-app"   "tcp 1024-65535 0.0.0.0/0"   "icmp 8 10.0.0.0/8"   "all 0.0.0.0/0"
    (a peer may also be a prefix list: "tcp 443 pl-offices")
    network ACLs      "100 allow tcp 6379 10.0.0.0/24"   "90 deny all 0.0.0.0/0"
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import count

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.balancer import HealthCheck, Listener, LoadBalancer, Node, Target, TargetGroup
from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.endpoint import OWN_SERVICES, EndpointService, Foot, VpcEndpoint
from atoll.model.fault import Fault
from atoll.model.flow_log import FlowLog
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.group import Rule, SecurityGroup
from atoll.model.hardware import hosts_of
from atoll.model.image import nat_images
from atoll.model.instance import Instance
from atoll.model.interface import Attachment, Interface
from atoll.model.internet import OutsideHost
from atoll.model.ip import Association6, Ip, Net
from atoll.model.lookup import primary_interface
from atoll.model.names import key, mac_address
from atoll.model.nat_gateway import NatAddress, NatGateway
from atoll.model.peering import Peering, PeeringEnd
from atoll.model.prefix_list import PrefixList, PrefixListEntry
from atoll.model.resource import Resource
from atoll.model.route import Route, RouteAssociation, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, Vpc
from atoll.model.world import Caller, Tx, World
from atoll.network.flow import ALL, At, Code, Trace, Verdict, protocol_number
from atoll.network.flow_format import DEFAULT_FORMAT
from atoll.network.ipam import free_address, free_number
from atoll.network.trace import trace

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ACCOUNT, REGION, ZONE = "111122223333", "us-east-1", "us-east-1a"
CALLER = Caller(account=ACCOUNT, region=REGION, arn=f"arn:aws:iam::{ACCOUNT}:root")
EVERYWHERE = ("all 0.0.0.0/0",)
EVERYWHERE6 = ("all 0.0.0.0/0", "all ::/0")
OPEN_ACL, OPEN_ACL6 = ("100 allow all 0.0.0.0/0",), ("101 allow all ::/0",)


class Lab:
    """Builds one World; `lab.world` is it, `lab.trace` asks it."""

    def __init__(self, caller: Caller = CALLER) -> None:
        numbers = count(1)
        self.tx = Tx(World(), caller=caller, now=NOW, new_hex=lambda digits: f"{next(numbers):0{digits}x}")
        self._rules = count(1)
        self._eips = count(1)
        self._hosts, self._faults = count(), count(1)

    @property
    def world(self) -> World:
        """The World as everybody sees it."""
        return self.tx.world.seen_by(None)

    def put(self, resource: Resource, **changes: object) -> None:
        """Change some fields of a resource."""
        self.tx.put(resource.but(**changes))

    # ---- the network

    def vpc(self, name: str, *cidrs: str, dns_support: bool = True, ipv6: str | None = None) -> Vpc:
        """Make a VPC with its main route table `rtb-NAME`, its open ACL `acl-NAME` and its group `sg-NAME`."""
        ranges = [CidrAssociation(id=f"vpc-cidr-assoc-{c}", cidr=IPv4Network(c)) for c in cidrs or ("10.0.0.0/16",)]
        vpc = self.tx.make(
            Vpc, f"vpc-{name}", ranges=tuple(ranges), dhcp_options_id="dopt-1", dns_support=dns_support,
            ranges6=_ranges6(f"vpc-cidr-assoc-{name}", ipv6),
        )  # fmt: skip
        main = RouteAssociation(id=f"rtbassoc-{name}", main=True)
        cidrs_of_both: tuple[Net, ...] = (*vpc.cidrs, *vpc.cidrs6)
        local = tuple(Route(destination=c, target="local", origin="CreateRouteTable") for c in cidrs_of_both)
        self.tx.make(RouteTable, f"rtb-{name}", vpc_id=vpc.id, routes=local, associations=(main,))
        open_acl = (*OPEN_ACL, *OPEN_ACL6) if ipv6 else OPEN_ACL
        self.acl(name, vpc=name, ingress=open_acl, egress=open_acl, is_default=True)
        self.group(name, vpc=name, ingress=[f"all sg-{name}"])
        return vpc

    def gateway(self, vpc: str) -> InternetGateway:
        """Attach an internet gateway, `igw-VPC`."""
        return self.tx.make(InternetGateway, f"igw-{vpc}", vpc_id=f"vpc-{vpc}")

    def egress_only(self, vpc: str) -> EgressOnlyGateway:
        """Make an egress-only gateway, `eigw-VPC`."""
        return self.tx.make(EgressOnlyGateway, f"eigw-{vpc}", vpc_id=f"vpc-{vpc}")

    def peering(self, name: str, requester: str, accepter: str, *, status: str = "active") -> Peering:
        """Make a peering connection `pcx-NAME` between two VPCs."""
        near, far = self.world[Vpc, f"vpc-{requester}"], self.world[Vpc, f"vpc-{accepter}"]
        ends = [PeeringEnd(account=v.account, region=v.region, vpc_id=v.id) for v in (near, far)]
        made = Peering(
            id=f"pcx-{name}", account="", region="", requester=ends[0], accepter=ends[1], status=status,
            message=status, expires=NOW,
        )  # fmt: skip
        return self.tx.put(made)

    def flow_log(
        self,
        name: str,
        resource_id: str,
        *,
        traffic: str = "ALL",
        format: str = DEFAULT_FORMAT,
        vpc: str | None = None,
    ) -> FlowLog:
        """Make a flow log `fl-NAME` of a VPC, a subnet or an interface."""
        return self.tx.make(
            FlowLog, f"fl-{name}", vpc_id=f"vpc-{vpc or self._only_vpc()}", resource_id=resource_id, traffic=traffic,
            log_group="flows", format=format, interval_seconds=60, created=NOW,
        )  # fmt: skip

    def subnet(
        self,
        name: str,
        cidr: str,
        *,
        vpc: str | None = None,
        acl: str | None = None,
        zone: str = ZONE,
        ipv6: str | None = None,
    ) -> Subnet:
        """Make a subnet with its VPC's main route table and default ACL (or another one)."""
        vpc = vpc or self._only_vpc()
        return self.tx.make(
            Subnet,
            f"subnet-{name}",
            vpc_id=f"vpc-{vpc}",
            cidr=IPv4Network(cidr),
            ranges6=_ranges6(f"subnet-cidr-assoc-{name}", ipv6),
            zone=zone,
            zone_id=f"use1-az{ord(zone[-1]) - ord('a') + 1}",
            number=free_number(self.tx.world, Subnet, f"vpc-{vpc}"),
            acl_id=f"acl-{acl or vpc}",
            acl_association_id=f"aclassoc-{name}",
        )

    def table(
        self, name: str, routes: Mapping[str, str], *, subnets: Iterable[str] = (), vpc: str | None = None
    ) -> RouteTable:
        """Make a route table for some subnets; `igw-NAME` among them is a gateway."""
        vpc = vpc or self._only_vpc()
        locals_ = self.world[RouteTable, f"rtb-{vpc}"].routes
        locals_ = tuple(r for r in locals_ if r.target == "local")
        users = [{"gateway_id": s} if s.startswith("igw-") else {"subnet_id": f"subnet-{s}"} for s in subnets]
        own = tuple(RouteAssociation(id=f"rtbassoc-{name}-{n}", **user) for n, user in enumerate(users))
        table = self.tx.make(RouteTable, f"rtb-{name}", vpc_id=f"vpc-{vpc}", routes=locals_, associations=own)
        for destination, target in routes.items():
            self.route(name, destination, target)
        return table

    def route(self, table: str, destination: str, target: str) -> None:
        """Add a route, to a range or a prefix list; a target `i-...` is an instance's primary interface."""
        instance_id = target if target.startswith("i-") else None
        if instance_id:
            interface = primary_interface(self.world, instance_id)
            assert interface, "an instance that is there"
            target = interface.id
        where = {"prefix_list_id": destination} if destination.startswith("pl-") else {}
        cidr = None if where else ip_network(destination)
        route = Route(destination=cidr, **where, target=target, instance_id=instance_id)
        old = self.world[RouteTable, f"rtb-{table}"]
        self.put(old, routes=(*old.routes, route))

    def prefix_list(self, name: str, *cidrs: str) -> PrefixList:
        """Make a prefix list `pl-NAME`, or give it these ranges anew."""
        entries = tuple(PrefixListEntry(cidr=ip_network(c)) for c in cidrs)
        family = "IPv6" if ":" in "".join(cidrs) else "IPv4"
        return self.tx.make(PrefixList, f"pl-{name}", name=name, family=family, max_entries=9, entries=entries)

    def acl(
        self,
        name: str,
        *,
        ingress: Sequence[str] = OPEN_ACL,
        egress: Sequence[str] = OPEN_ACL,
        vpc: str | None = None,
        is_default: bool = False,
    ) -> NetworkAcl:
        """Make a network ACL."""
        entries = [acl_entry(text, egress=False) for text in ingress] + [acl_entry(t, egress=True) for t in egress]
        vpc_id = f"vpc-{vpc or self._only_vpc()}"
        return self.tx.make(NetworkAcl, f"acl-{name}", vpc_id=vpc_id, is_default=is_default, entries=tuple(entries))

    def use_acl(self, subnet: str, acl: str) -> None:
        """Give a subnet another ACL."""
        self.put(self.world[Subnet, f"subnet-{subnet}"], acl_id=f"acl-{acl}")

    def group(
        self, name: str, *, ingress: Sequence[str] = (), egress: Sequence[str] = EVERYWHERE, vpc: str | None = None
    ) -> SecurityGroup:
        """Make a security group; its rules are `sgr-1`, `sgr-2` ... over the whole Lab."""
        rules = [self._rule(t, egress=False) for t in ingress] + [self._rule(t, egress=True) for t in egress]
        vpc_id = f"vpc-{vpc or self._only_vpc()}"
        return self.tx.make(
            SecurityGroup, f"sg-{name}", vpc_id=vpc_id, name=name, description=name, rules=tuple(rules)
        )

    def _rule(self, text: str, *, egress: bool) -> Rule:
        protocol, low, high, peer = _match(text)
        name = "-1" if protocol == "all" else protocol
        id = f"sgr-{next(self._rules)}"
        vpc, slash, far = peer.partition("/") if peer.startswith("vpc-") else (None, "", "")
        whom = far if slash else (peer if peer.startswith("sg-") else None)
        listed = peer if peer.startswith("pl-") else None
        cidr = None if whom or listed else ip_network(peer)
        account = ACCOUNT if whom else None
        return Rule(
            id=id, egress=egress, protocol=name, from_port=low, to_port=high, cidr=cidr,
            group_id=whom, group_account=account, group_vpc_id=vpc, prefix_list_id=listed,
        )  # fmt: skip

    # ---- what is in it

    def interface(
        self,
        name: str,
        subnet: str,
        *,
        groups: Sequence[str] | None = None,
        ip: str | None = None,
        more_ips: Sequence[str] = (),
        ipv6: Sequence[str] = (),
        attachment: Attachment | None = None,
        check: bool = True,
        public: str | None = None,
    ) -> Interface:
        """Make an interface, attached to nothing unless told."""
        where = self.world[Subnet, f"subnet-{subnet}"]
        first = IPv4Address(ip) if ip else free_address(self.tx.world, where)
        return self.tx.make(
            Interface,
            f"eni-{name}",
            vpc_id=where.vpc_id,
            subnet_id=where.id,
            zone=where.zone,
            number=free_number(self.tx.world, Interface, where.vpc_id),
            mac=mac_address(f"eni-{name}"),
            private_ips=(first, *map(IPv4Address, more_ips)),
            ipv6_addresses=tuple(map(IPv6Address, ipv6)),
            group_ids=tuple(f"sg-{g}" for g in (groups or (where.vpc_id.removeprefix("vpc-"),))),
            source_dest_check=check,
            attachment=attachment,
            public_ip=IPv4Address(public) if public else None,
            created=NOW,
        )

    def instance(
        self,
        name: str,
        subnet: str,
        *,
        groups: Sequence[str] | None = None,
        ip: str | None = None,
        more_ips: Sequence[str] = (),
        ipv6: Sequence[str] = (),
        state: str = "running",
        check: bool = True,
        public: str | None = None,
        nat_image: bool = False,
    ) -> Interface:
        """Make an instance `i-NAME`, tagged with its name, and return its interface `eni-NAME`."""
        where = self.world[Subnet, f"subnet-{subnet}"]
        self.tx.make(
            Instance,
            f"i-{name}",
            tags={"Name": name},
            image_id=min(nat_images([REGION])) if nat_image else "ami-1",
            type="t3.micro",
            state=state,
            reservation_id="r-1",
            launched=NOW,
            vpc_id=where.vpc_id,
            subnet_id=where.id,
            zone=where.zone,
            host=self._host(where.zone),
        )
        plug = Attachment(id=f"eni-attach-{name}", instance_owner=self.tx.account, time=NOW, instance_id=f"i-{name}")
        return self.interface(
            name, subnet, groups=groups, ip=ip, more_ips=more_ips, ipv6=ipv6, attachment=plug, check=check,
            public=public,
        )  # fmt: skip

    def plug(self, interface: Interface, instance: str, index: int = 1) -> None:
        """Attach an interface to an instance `i-INSTANCE`, as its further one of this number."""
        plug = Attachment(
            id=f"eni-attach-{interface.id}", instance_owner=self.tx.account, time=NOW, instance_id=f"i-{instance}",
            device_index=index,
        )  # fmt: skip
        self.put(interface, attachment=plug)

    def nat_gateway(
        self,
        name: str,
        subnet: str,
        *,
        ips: Sequence[str | None] = (None,),
        publics: Sequence[str] = (),
        state: str = "available",
    ) -> NatGateway:
        """Make a NAT gateway `nat-NAME` with the interface `eni-NAME`; `publics` are for its addresses, in order."""
        plug = Attachment(id=f"ela-attach-{name}", instance_owner="amazon-aws", time=NOW, device_index=1)
        eni = self.interface(name, subnet, ip=ips[0], more_ips=ips[1:], attachment=plug, check=False)
        self.put(eni, group_ids=(), kind="nat_gateway", requester_managed=True)
        addresses = []
        for n, private in enumerate(eni.private_ips):
            eip = self.elastic_ip(publics[n], name, str(private)) if n < len(publics) else None
            given = {"allocation_id": eip.id, "public_ip": eip.public_ip} if eip else {}
            addresses.append(NatAddress(private_ip=private, status="succeeded", **given))
        return self.tx.make(
            NatGateway, f"nat-{name}", vpc_id=eni.vpc_id, subnet_id=eni.subnet_id, zone=eni.zone, state=state,
            connectivity="public" if publics else "private", created=NOW, interface_id=eni.id,
            addresses=tuple(addresses),
        )  # fmt: skip

    def balancer(
        self,
        name: str,
        *subnets: str,
        groups: Sequence[str] = (),
        ips: Sequence[str | None] = (),
        cross_zone: bool = False,
        scheme: str = "internal",
    ) -> LoadBalancer:
        """Make a balancer `lb-NAME` with a node `eni-NAME-SUBNET` in each of some subnets."""
        nodes = []
        for n, subnet in enumerate(subnets):
            plug = Attachment(id=f"ela-attach-{name}-{n}", instance_owner="amazon-elb", time=NOW, device_index=1)
            ip = ips[n] if n < len(ips) else None
            eni = self.interface(f"{name}-{subnet}", subnet, ip=ip, attachment=plug)
            groups_of = tuple(f"sg-{g}" for g in groups)
            self.put(eni, group_ids=groups_of, kind="network_load_balancer", requester_managed=True)
            nodes.append(Node(subnet_id=eni.subnet_id, zone=eni.zone, interface_id=eni.id))
        return self.tx.make(
            LoadBalancer, f"lb-{name}", name=name, digits="0123456789abcdef", scheme=scheme, vpc_id=eni.vpc_id,
            nodes=tuple(nodes), group_ids=groups_of, state="active", created=NOW,
            attributes={"load_balancing.cross_zone.enabled": str(cross_zone).lower()},
        )  # fmt: skip

    def targets(self, name: str, balancer: str, listens: str, *targets: str, sticky: bool = False) -> TargetGroup:
        """Have a balancer listen ("tcp 6379") for a target group `tg-NAME`.

        A target is written "10.0.1.20:6379", "i-app:6379" or "10.0.1.20:6379 unhealthy".
        """
        owner = self.world[LoadBalancer, f"lb-{balancer}"]
        protocol, port = listens.split()
        zones = {ip: i.zone for i in self.world.all(Interface, vpc_id=owner.vpc_id) for ip in i.private_ips}
        found = []
        for text in targets:
            place, _, state = text.partition(" ")
            id, _, its_port = place.partition(":")
            address = primary_interface(self.world, id).address if id.startswith("i-") else IPv4Address(id)  # type: ignore[union-attr]
            found.append(Target(id=id, port=int(its_port), zone=zones.get(address, "all"), state=state or "healthy"))
        kind = "instance" if targets and targets[0].startswith("i-") else "ip"
        group = self.tx.make(
            TargetGroup, f"tg-{name}", name=name, digits="0", protocol=protocol.upper(), port=int(port),
            vpc_id=owner.vpc_id, target_type=kind, health=HealthCheck(), targets=tuple(found), created=NOW,
            attributes={"stickiness.enabled": str(sticky).lower()},
        )  # fmt: skip
        self.tx.make(
            Listener, f"listener-{name}", balancer_id=owner.id, vpc_id=owner.vpc_id, protocol=protocol.upper(),
            port=int(port), group_id=group.id, created=NOW,
        )  # fmt: skip
        return group

    def service(self, name: str, *balancers: str) -> EndpointService:
        """Offer balancers as the endpoint service `vpce-svc-NAME`."""
        return self.tx.make(
            EndpointService, f"vpce-svc-{name}", balancer_ids=tuple(f"lb-{b}" for b in balancers), created=NOW
        )

    def endpoint(
        self,
        name: str,
        service: str,
        *subnets: str,
        groups: Sequence[str] | None = None,
        ips: Sequence[str | None] = (),
        state: str = "available",
    ) -> VpcEndpoint:
        """Make an endpoint `vpce-NAME` with interfaces `eni-NAME-SUBNET`; a service `ec2` is AWS's own."""
        feet = []
        for n, subnet in enumerate(subnets):
            plug = Attachment(id=f"ela-attach-{name}-{n}", instance_owner="amazon-aws", time=NOW, device_index=1)
            eni = self.interface(
                f"{name}-{subnet}", subnet, groups=groups, ip=ips[n] if n < len(ips) else None, attachment=plug
            )
            self.put(eni, kind="vpc_endpoint", requester_managed=True)
            feet.append(Foot(subnet_id=eni.subnet_id, zone=eni.zone, interface_id=eni.id))
        is_own = service in OWN_SERVICES
        return self.tx.make(
            VpcEndpoint, f"vpce-{name}", vpc_id=eni.vpc_id, type="Interface", state=state, created=NOW,
            service_name=f"com.amazonaws.{REGION}.{service}", service_id=None if is_own else f"vpce-svc-{service}",
            number=len(list(self.world.all(VpcEndpoint))) + 1, feet=tuple(feet), group_ids=eni.group_ids,
        )  # fmt: skip

    def set_names(self, vpc: str) -> None:
        """Give a VPC DNS host names."""
        self.put(self.world[Vpc, f"vpc-{vpc}"], dns_hostnames=True)

    def gateway_endpoint(self, vpc: str, service: str, tables: Sequence[str]) -> VpcEndpoint:
        """Make a gateway endpoint `vpce-VPC-SERVICE`; its routes are not made."""
        return self.tx.make(
            VpcEndpoint, f"vpce-{vpc}-{service}", vpc_id=f"vpc-{vpc}", type="Gateway", state="available", created=NOW,
            service_name=f"com.amazonaws.{REGION}.{service}", table_ids=tuple(tables),
        )  # fmt: skip

    def set_state(self, instance: str, state: str) -> None:
        """Put an instance into another state."""
        self.put(self.world[Instance, f"i-{instance}"], state=state)

    def elastic_ip(self, public: str, to: str | None = None, private: str | None = None) -> ElasticIp:
        """Allocate an Elastic IP and associate it with an interface (its first address unless told)."""
        n = next(self._eips)
        fields: dict[str, object] = {"public_ip": IPv4Address(public), "border_group": REGION}
        if to:
            interface = self.world[Interface, f"eni-{to}"]
            address = IPv4Address(private) if private else interface.address
            fields |= {"association_id": f"eipassoc-{n}", "interface_id": interface.id, "private_ip": address}
            fields |= {"instance_id": interface.instance_id}
        return self.tx.make(ElasticIp, f"eipalloc-{n}", **fields)

    def cache(
        self,
        name: str,
        subnet: str,
        *,
        ips: Sequence[str | None] = (None,),
        engine: str = "redis",
        groups: Sequence[str] | None = None,
        group_id: str | None = None,
    ) -> CacheCluster:
        """Make a cache cluster with a node for each of `ips`; node 0001 has the interface `eni-NAME-0001`."""
        nodes = []
        for n, ip in enumerate(ips, 1):
            plug = Attachment(id=f"ela-attach-{name}-{n}", instance_owner="amazon-elasticache", time=NOW)
            eni = self.interface(f"{name}-{n:04}", subnet, groups=groups, ip=ip, attachment=plug)
            self.put(eni, host=self._host(eni.zone))
            nodes.append(CacheNode(id=f"{n:04}", interface_id=eni.id, zone=eni.zone, status="available", created=NOW))
        where = self.world[Subnet, f"subnet-{subnet}"]
        return self.tx.make(
            CacheCluster,
            key(self.tx.account, self.tx.region, name),
            name=name,
            engine=engine,
            engine_version="1.6.22" if engine == "memcached" else "7.0.15",
            node_type="cache.t3.micro",
            status="available",
            nodes=tuple(nodes),
            port=11211 if engine == "memcached" else 6379,
            vpc_id=where.vpc_id,
            subnet_group="default",
            parameter_group="default",
            created=NOW,
            maintenance_window="sun:05:00-sun:06:00",
            security_group_ids=tuple(f"sg-{g}" for g in groups or ()),
            group_id=group_id,
        )

    def replication_group(self, name: str, subnet: str, *, members: int = 2) -> ReplicationGroup:
        """Make a replication group with members `NAME-001` (the primary), `NAME-002` ..."""
        id = key(self.tx.account, self.tx.region, name)
        clusters = [self.cache(f"{name}-{n:03}", subnet, group_id=id) for n in range(1, members + 1)]
        return self.tx.make(
            ReplicationGroup, id, name=name, description=name, status="available", engine="redis",
            node_type="cache.t3.micro", created=NOW, port=6379,
            node_groups=(
                NodeGroup(id="0001", member_ids=tuple(c.id for c in clusters), primary_id=clusters[0].id),
            ),
        )  # fmt: skip

    def outside(self, *addresses: str) -> None:
        """Put hosts on the internet."""
        for address in addresses:
            self.tx.put(OutsideHost(id=address, account="", region="", address=ip_address(address)))

    def fault(self, act: str, target: str) -> Fault:
        """Break something, as `atoll chaos` does."""
        id = f"fault-{next(self._faults)}"
        return self.tx.put(Fault(id=id, account="", region="", act=act, target=target, since=NOW))

    def _host(self, zone: str) -> str:
        hosts = hosts_of(zone)
        return hosts[next(self._hosts) % len(hosts)]

    # ---- questions

    def trace(self, sender: str, destination: str, protocol: str = "tcp", port: int = 0, **options: object) -> Trace:
        """Trace from an instance or interface by its name, or an outside address, to an address or a name."""
        address = self.address(destination)
        return trace(self.world, self.at(sender), address, protocol, port, **options)  # type: ignore[arg-type]

    def at(self, name: str) -> At:
        """Return where a sender is."""
        return ip_address(name) if is_address(name) else f"eni-{name}"

    def address(self, name: str) -> Ip:
        """Return an address, or the first address of the interface with that name."""
        return ip_address(name) if is_address(name) else self.world[Interface, f"eni-{name}"].address

    def _only_vpc(self) -> str:
        (vpc,) = self.world.all(Vpc)
        return vpc.id.removeprefix("vpc-")


def is_address(text: str) -> bool:
    """Tell an address from a name."""
    return text[0].isdigit() or ":" in text


def _ranges6(id: str, cidr: str | None) -> tuple[Association6, ...]:
    return (Association6(id=f"{id}-6", cidr=IPv6Network(cidr)),) if cidr else ()


def acl_entry(text: str, *, egress: bool) -> AclEntry:
    """Read an ACL rule: "100 allow tcp 6379 10.0.0.0/24"."""
    number, verb, rest = text.split(" ", 2)
    assert verb in ("allow", "deny"), text
    protocol, low, high, peer = _match(rest)
    number_of = ALL if protocol == "all" else protocol_number(protocol)
    return AclEntry(
        number=int(number), egress=egress, protocol=number_of, allow=verb == "allow",
        cidr=ip_network(peer), from_port=low, to_port=high,
    )  # fmt: skip


def _match(text: str) -> tuple[str, int, int, str]:
    """Read "tcp 6379 WHO", "tcp 1-5 WHO", "icmp 8 WHO", "icmp 3/4 WHO", "icmp WHO", "all WHO"."""
    protocol, *ports, peer = text.split()
    if not ports:
        return protocol, *((-1, -1) if protocol not in ("tcp", "udp") else (0, 65535)), peer
    if protocol in ("icmp", "icmpv6"):
        kind, _, code = ports[0].partition("/")
        return protocol, int(kind), int(code or -1), peer
    low, _, high = ports[0].partition("-")
    return protocol, int(low), int(high or low), peer


def refusal(trace: Trace) -> tuple[Verdict, str, str, Code | None, str]:
    """Say what became of a flow, and who said why."""
    step = trace.refusals[0]
    return trace.verdict, step.layer, step.at, step.code, step.because


def lab_of_two(**app: object) -> Lab:
    """A client in one subnet, a server in another, everything open."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.subnet("a", "10.0.0.0/24")
    lab.subnet("b", "10.0.1.0/24")
    lab.instance("client", "a", groups=["open"], ip="10.0.0.10", **app)  # type: ignore[arg-type]
    lab.instance("server", "b", groups=["open"], ip="10.0.1.20")
    return lab
