"""Every lesson and lab, in the order in which they are best taken."""

from collections.abc import Mapping
from types import MappingProxyType

from atoll.learn.labs import endpoint, ephemeral, forwarding, group, peering, route, source_check, tls, zone
from atoll.learn.lesson import Lesson
from atoll.learn.lessons import (
    acl,
    failover,
    first_cache,
    metadata,
    nat_gateway,
    nat_instance,
    pat,
    privatelink,
    security_group,
    sharding,
)

ALL = (
    first_cache.LESSON, security_group.LESSON, nat_instance.MEMCACHED, nat_instance.VALKEY, nat_gateway.LESSON,
    pat.LESSON, acl.LESSON, privatelink.LESSON, metadata.LESSON, failover.LESSON, sharding.LESSON,
    route.LESSON, group.LESSON, ephemeral.LESSON, source_check.LESSON, forwarding.FORWARD, forwarding.DESTINATION,
    peering.LESSON, endpoint.LESSON, zone.LESSON, tls.LESSON,
)  # fmt: skip

LESSONS: Mapping[str, Lesson] = MappingProxyType({lesson.name: lesson for lesson in ALL})
