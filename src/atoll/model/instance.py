"""Instances."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource

ENDED = ("stopped", "terminated")  # states in which nothing runs behind its interfaces


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataOptions:
    """How the instance metadata service answers."""

    tokens: str = "optional"
    endpoint: str = "enabled"
    hop_limit: int = 1
    instance_tags: str = "disabled"
    ipv6: str = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Resource):
    """A light machine.  Its interfaces are those whose attachment names it.

    `state` moves along `lifecycle.INSTANCE`: operations ask (pending, stopping, shutting-down), the reconciler
    answers (running, stopped, terminated).  `boot` counts the boots asked for: a reboot is one more.
    """

    image_id: str
    type: str
    state: str
    reservation_id: str
    launched: datetime
    vpc_id: str | None  # None once terminated
    subnet_id: str | None
    zone: str
    host: str | None = None  # where it stands (`hardware`); None: it is stopped or terminated.  An index field
    placement_group_id: str | None = None  # an index field
    partition: int | None = None  # of a placement group of that strategy: 1, 2 ...
    launch_index: int = 0
    key_name: str | None = None
    public_key: str | None = None  # of the key pair, as it was at launch
    user_data: str | None = None  # base64, as the API gives it
    boot: int = 1
    disk: str | None = None  # below the state directory: it came with the World, and its next boot takes it
    state_reason: tuple[str, str] | None = None  # code, message
    state_transition: str = ""  # "User initiated (2026-11-20 12:00:00 GMT)"
    forced: bool = False  # while stopping: without waiting for the guest to shut down
    stopped_at: datetime | None = None
    ended_at: datetime | None = None  # terminated; forgotten an hour later
    shutdown_behavior: str = "stop"
    api_termination_disabled: bool = False
    api_stop_disabled: bool = False
    ebs_optimized: bool = False
    monitoring: str = "disabled"
    tenancy: str = "default"
    instance_profile: str | None = None  # an ARN
    profile_association_id: str | None = None  # iip-assoc-
    client_token: str | None = None
    metadata: MetadataOptions = MetadataOptions()
    private_ip: str | None = None  # kept for Describe after its interface has gone
    group_ids: tuple[str, ...] = ()
    volume_id: str = ""  # its root volume; gone once it is terminated
    root_device: str = "/dev/xvda"
    public_ip_wanted: bool = False  # at launch: each start takes a new automatic public address
    hostname_type: str = "ip-name"
    resource_name_a_record: bool = False
    resource_name_aaaa_record: bool = False
    cpu_credits: str | None = None  # "standard" or "unlimited"; None: the type's own default, or not burstable
    auto_recovery: str = "default"
    host_error: str | None = None  # why the machine could not do what was asked; shown in StateReason

    @property
    def silent_in(self) -> str | None:
        """The VPC in which nothing runs behind its interfaces, as it is not meant to run; an index field."""
        return self.vpc_id if self.state in ENDED else None

    @property
    def is_troubled(self) -> bool:
        """Tell whether the machine could not do what was asked; an index field."""
        return self.host_error is not None
