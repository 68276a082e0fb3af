"""TransitEncryptionEnabled and TransitEncryptionMode: what may be asked for."""

from atoll.aws.errors import Err
from atoll.cache.encryption import MODES, REQUIRED
from atoll.cache.families import Build, numbers
from atoll.elasticache import errors
from atoll.elasticache.subnet_group import CLASSIC
from atoll.model.cache import CacheSubnetGroup

MODE_SINCE = (7, 0, 5)
MEMCACHED_SINCE = (1, 6, 12)

NOT_ENABLED = Err(
    "InvalidParameterCombination", "To modify transit encryption mode, set encryption-in-transit as enabled."
)
OLD_ENGINE = Err(
    "InvalidParameterCombination",
    "Transit encryption mode is not supported for engine version {version}. "
    "Please use engine version 7.0.5 or higher.",
)
OLD_MEMCACHED = Err(
    "InvalidParameterCombination",
    "In-transit encryption is not supported for memcached version {version}. Please use version 1.6.12 or higher.",
)
NO_VPC = Err(
    "InvalidParameterCombination", "In-transit encryption is only supported in a VPC: name a cache subnet group."
)
AT_CREATION = Err(
    "InvalidParameterCombination",
    "In-transit encryption cannot be enabled together with PrimaryClusterId. "
    "Create the replication group first, then modify it.",
)
MEMCACHED_MODE = Err("InvalidParameterCombination", "TransitEncryptionMode is not supported for memcached.")


def asked(enabled: bool | None, mode: str | None) -> str:
    """Return the mode that a new cache is to have; "": none."""
    if mode is not None and mode not in MODES:
        raise errors.BAD_VALUE(got=mode, name="TransitEncryptionMode", why="Must be preferred or required.")
    if not enabled:
        if mode is not None:
            raise NOT_ENABLED()
        return ""
    return mode or REQUIRED


def check(build: Build, subnets: CacheSubnetGroup, mode: str) -> None:
    """Refuse TLS where an engine, a network or this machine has none."""
    if subnets.name == CLASSIC:
        raise NO_VPC()
    if build.engine == "memcached":
        if numbers(build.version) < MEMCACHED_SINCE:
            raise OLD_MEMCACHED(version=build.version)
    elif mode != REQUIRED and numbers(build.version) < MODE_SINCE:
        raise OLD_ENGINE(version=build.version)
    if not build.tls:
        raise errors.UNSUPPORTED(
            what="TransitEncryptionEnabled=true",
            because="nothing on this machine can speak TLS for an engine. Install the package haproxy "
            "(sudo apt-get install --no-install-recommends haproxy, or run bin/setup), then start Atoll again.",
        )
