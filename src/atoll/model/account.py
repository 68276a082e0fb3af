"""Accounts: what an account has opened in a region, and the access keys that Atoll issued."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataDefaults:
    """How the metadata service answers instances whose launch does not say; `None`: as the image asks."""

    tokens: str | None = None
    endpoint: str | None = None
    hop_limit: int | None = None
    instance_tags: str | None = None
    tokens_enforced: bool = False  # a launch without required tokens is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory(Resource):
    """The mark that an account's region has been opened: its default VPC was made, once."""

    opened: datetime
    metadata: MetadataDefaults = MetadataDefaults()
    opted_in: tuple[str, ...] = ()  # groups of Local Zones
    classic_vpc_id: str | None = None  # its EC2-Classic network, if it has one: see `classic`


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey(Resource):
    """An access key that Atoll issued; its signatures are verified.  `id` is the access key id."""

    secret: str
    arn: str
    session_token: str | None = None
    issued: datetime | None = None
    expires: datetime | None = None
    instance_id: str | None = None  # whose metadata gave it out; an index field
