"""How the metadata service answers an instance: its options, the account's defaults, and which tags it can show.

A launch takes each option from the first that says something: the call, the account's defaults, the image.
Source: EC2 User Guide, "Configure the Instance Metadata Service options".
"""

import re
from collections.abc import Iterable

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.errors import BAD_VALUE
from atoll.ec2.instance import find, refuse_members
from atoll.ec2.instance_attribute import ENDED
from atoll.ec2.instance_render import metadata_options
from atoll.model.account import MetadataDefaults, Territory
from atoll.model.image import Image
from atoll.model.instance import MetadataOptions
from atoll.model.names import key
from atoll.model.world import Tx, World

HOP_LIMITS = range(1, 65)
NO_PREFERENCE, NO_HOP_PREFERENCE = "no-preference", -1

_HOPS = "HttpPutResponseHopLimit"
_MEMBERS = {
    "HttpTokens": "tokens",
    "HttpEndpoint": "endpoint",
    _HOPS: "hop_limit",
    "InstanceMetadataTags": "instance_tags",
    "HttpProtocolIpv6": "ipv6",
}
_TAG_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
_RESERVED_TAG_KEYS = (".", "..", "_index")

BAD_TAG_KEY = Err(
    "InvalidParameterValue",
    "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a "
    "reserved name ('.', '..', '_index')",
)
TOKENS_ENFORCED = Err(
    "UnsupportedOperation",
    "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account. Either launch "
    "the instance with httpTokens=required or contact your account owner to disable httpTokensEnforced using the "
    "ModifyInstanceMetadataDefaults API or the account settings in the EC2 console.",
)
TOKENS_ENFORCED_LATER = Err(
    "UnsupportedOperation",
    "You can't set httpTokens to optional because httpTokensEnforced is enabled for this account.",
)


@operation("ec2", "ModifyInstanceMetadataOptions")
def modify_instance_metadata_options(
    tx: Tx,
    *,
    instance_id: str,
    http_tokens: str | None = None,
    http_put_response_hop_limit: int | None = None,
    http_endpoint: str | None = None,
    http_protocol_ipv6: str | None = None,
    instance_metadata_tags: str | None = None,
) -> Shape:
    """Change how the metadata service answers an instance; it does so at once, though the answer says `pending`."""
    asked = {
        "HttpTokens": http_tokens,
        _HOPS: http_put_response_hop_limit,
        "HttpEndpoint": http_endpoint,
        "HttpProtocolIpv6": http_protocol_ipv6,
        "InstanceMetadataTags": instance_metadata_tags,
    }
    i = find(tx.world, instance_id)
    if i.state in ("shutting-down", "terminated"):
        raise ENDED(id=i.id)
    changed = _changed({name: v for name, v in asked.items() if v is not None}, i.metadata)
    if http_tokens == "optional" and _defaults(tx.world, i.account, i.region).tokens_enforced:
        raise TOKENS_ENFORCED_LATER()
    check_tags(changed, i.tags)
    tx.put(i.but(metadata=changed))
    return {"InstanceId": i.id, "InstanceMetadataOptions": metadata_options(changed) | {"State": "pending"}}


@operation("ec2", "ModifyInstanceMetadataDefaults")
def modify_instance_metadata_defaults(
    tx: Tx,
    *,
    http_tokens: str | None = None,
    http_put_response_hop_limit: int | None = None,
    http_endpoint: str | None = None,
    instance_metadata_tags: str | None = None,
    http_tokens_enforced: str | None = None,
) -> Shape:
    """Change what instances launched from now on get if their launch says nothing; `no-preference` says nothing."""
    before = _defaults(tx.world, tx.account, tx.region)
    hops = http_put_response_hop_limit
    if hops is not None and hops != NO_HOP_PREFERENCE and hops not in HOP_LIMITS:
        raise BAD_VALUE(value=hops, name=_HOPS, why="Specify a number from 1 to 64, or -1 for no preference.")
    after = MetadataDefaults(
        tokens=_preference(http_tokens, before.tokens),
        endpoint=_preference(http_endpoint, before.endpoint),
        hop_limit=before.hop_limit if hops is None else None if hops == NO_HOP_PREFERENCE else hops,
        instance_tags=_preference(instance_metadata_tags, before.instance_tags),
        tokens_enforced=before.tokens_enforced if http_tokens_enforced is None else http_tokens_enforced == "enabled",
    )
    territory = tx.get(Territory, key(tx.account, tx.region, ""))
    assert territory, "the first call opens it"
    tx.put(territory.but(metadata=after))
    return {"Return": True}


@operation("ec2", "GetInstanceMetadataDefaults")
def get_instance_metadata_defaults(world: World) -> Shape:
    """Return the account's defaults; what has no preference is not there."""
    assert world.caller, "the wire knows the caller"
    found = _defaults(world, world.caller.account, world.caller.region)
    shape: Shape = {
        "HttpTokens": found.tokens,
        _HOPS: found.hop_limit,
        "HttpEndpoint": found.endpoint,
        "InstanceMetadataTags": found.instance_tags,
        "HttpTokensEnforced": "enabled" if found.tokens_enforced else None,
    }
    said = {name: value for name, value in shape.items() if value is not None}
    return {"AccountLevel": said | {"ManagedBy": "account"}}


def options_of_launch(tx: Tx, asked: Shape, image: Image, tags: Iterable[str]) -> MetadataOptions:
    """Return the options of an instance that is launched with some tags."""
    account = _defaults(tx.world, tx.account, tx.region)
    of_image = MetadataOptions(tokens="required", hop_limit=2) if image.imds_v2 else MetadataOptions()
    before = MetadataOptions(
        tokens=account.tokens or of_image.tokens,
        endpoint=account.endpoint or of_image.endpoint,
        hop_limit=account.hop_limit or of_image.hop_limit,
        instance_tags=account.instance_tags or of_image.instance_tags,
    )
    found = _changed(asked, before)
    if account.tokens_enforced and found.tokens != "required":
        raise TOKENS_ENFORCED()
    check_tags(found, tags)
    return found


def check_tags(options: MetadataOptions, keys: Iterable[str]) -> None:
    """Raise BAD_TAG_KEY if tags are to be shown that no path can name."""
    if options.instance_tags == "enabled":
        for tag in keys:
            if not _TAG_KEY.fullmatch(tag) or tag in _RESERVED_TAG_KEYS:
                raise BAD_TAG_KEY(key=tag)


def _changed(asked: Shape, before: MetadataOptions) -> MetadataOptions:
    refuse_members(asked, "MetadataOptions", tuple(_MEMBERS))
    hops = asked.get(_HOPS, 1)
    if hops not in HOP_LIMITS:
        raise BAD_VALUE(value=hops, name=_HOPS, why="Specify a number from 1 to 64.")
    known = {field: getattr(before, field) for field in _MEMBERS.values()}
    return MetadataOptions(**(known | {_MEMBERS[name]: value for name, value in asked.items()}))


def _preference(asked: str | None, before: str | None) -> str | None:
    return before if asked is None else None if asked == NO_PREFERENCE else asked


def _defaults(world: World, account: str, region: str) -> MetadataDefaults:
    territory = world.seen_by(None).get(Territory, key(account, region, ""))
    return territory.metadata if territory else MetadataDefaults()
