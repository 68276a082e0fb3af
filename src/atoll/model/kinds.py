"""Every kind of resource: what the store must know how to read."""

from atoll.model.access import User, UserGroup
from atoll.model.account import AccessKey, Territory
from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.alarm import AlarmEvent, MetricAlarm
from atoll.model.balancer import Listener, LoadBalancer, TargetGroup
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.engine import EngineBuild
from atoll.model.event import Event
from atoll.model.fault import Fault
from atoll.model.flow_log import FlowLog
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.group import SecurityGroup
from atoll.model.insight import InsightsAnalysis, InsightsPath
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.keypair import KeyPair
from atoll.model.lesson import Lesson
from atoll.model.log_delivery import LogDelivery, LogGroup
from atoll.model.nat_gateway import NatGateway
from atoll.model.parameter import CacheParameterGroup
from atoll.model.peering import Peering
from atoll.model.placement_group import PlacementGroup
from atoll.model.prefix_list import PrefixList, PrefixListVersion
from atoll.model.quota import Quota, QuotaRequest
from atoll.model.reserved import ReservedNode
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.serverless import ServerlessCache, ServerlessSnapshot
from atoll.model.signing import SigningKey
from atoll.model.snapshot import Snapshot
from atoll.model.subnet import Subnet
from atoll.model.token import ClientToken
from atoll.model.update import UpdateAction
from atoll.model.volume import Volume
from atoll.model.vpc import DhcpOptions, Vpc

KINDS: tuple[type[Resource], ...] = (
    AccessKey,
    AlarmEvent,
    CacheCluster,
    CacheParameterGroup,
    CacheSecurityGroup,
    CacheSubnetGroup,
    ClientToken,
    DhcpOptions,
    EgressOnlyGateway,
    ElasticIp,
    EndpointService,
    EngineBuild,
    Event,
    InsightsAnalysis,
    InsightsPath,
    FlowLog,
    Fault,
    GlobalReplicationGroup,
    Instance,
    Interface,
    InternetGateway,
    KeyPair,
    Lesson,
    Listener,
    LoadBalancer,
    LogDelivery,
    LogGroup,
    MetricAlarm,
    NatGateway,
    NetworkAcl,
    OutsideHost,
    Peering,
    PlacementGroup,
    PrefixList,
    PrefixListVersion,
    Quota,
    QuotaRequest,
    ReplicationGroup,
    ReservedNode,
    RouteTable,
    SecurityGroup,
    ServerlessCache,
    ServerlessSnapshot,
    SigningKey,
    Snapshot,
    Subnet,
    TargetGroup,
    Territory,
    UpdateAction,
    User,
    UserGroup,
    Volume,
    Vpc,
    VpcEndpoint,
)
