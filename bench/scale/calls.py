"""What is called in each world, over HTTP, and the CPU time that the daemon spends on it.

Not how long the caller waits: on a machine that others use that says more of them.
"""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.ground import Api, Atoll, one, spent
from bench.scale.world import Place
from bench.vpc import PORT, permission

NEIGHBOUR = "111111111111"  # an account may have 500 instances, so another one launches in the large worlds
_numbers = itertools.count()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    answers_all: bool = False  # so it cannot but grow with what it tells


ROWS = (
    Row("DescribeSecurityGroups, all", answers_all=True),
    Row("DescribeSecurityGroups, by id"),
    Row("DescribeSecurityGroups, by the filter group-name"),
    Row("CreateSecurityGroup"),
    Row("DeleteSecurityGroup"),
    Row("AuthorizeSecurityGroupIngress, in force"),
    Row("RevokeSecurityGroupIngress, in force"),
    Row("DescribeNetworkInterfaces, all", answers_all=True),
    Row("DescribeNetworkInterfaces, by id"),
    Row("DescribeNetworkInterfaces, by the filter private-ip-address"),
    Row("CreateNetworkInterface, in force"),
    Row("DeleteNetworkInterface, in force"),
    Row("DescribeInstances, all", answers_all=True),
    Row("DescribeInstances, by id"),
    Row("DescribeInstances, by the filter reservation-id"),
    Row("RunInstances, one, of another account"),
    Row("TerminateInstances, one, of another account"),
    Row("DescribeCacheClusters, a page of 100"),
    Row("DescribeCacheClusters, by name"),
    Row("CreateCacheCluster"),
    Row("DeleteCacheCluster"),
    Row("why, from an instance to a cache"),
)


class Timed(Api):
    """A connection that tells what a call costs the daemon."""

    def __init__(self, atoll: Atoll, key: str = "bench") -> None:
        super().__init__(atoll.port, key)
        self.atoll = atoll

    def timed(self, service: str, action: str, **parameters: object) -> tuple[str, float]:
        """Call an operation, and return the answer and the milliseconds."""
        return spent(self.atoll.pid, lambda: self.text(service, action, **parameters))


def measure(api: Timed, place: Place, address: str, rounds: int) -> dict[str, float]:
    """Return the best of `rounds` of each row, in milliseconds: what others on the machine take is not counted."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds + 1):
        for name, milliseconds in _round(api, place, address).items():
            found.setdefault(name, []).append(milliseconds)
    return {name: min(times[1:]) for name, times in found.items()}  # the first builds indexes


def _round(api: Timed, place: Place, address: str) -> dict[str, float]:
    return {
        **_groups(api, place),
        **_interfaces(api, place, address),
        **_instances(api, place),
        **_caches(api, place),
        "why, from an instance to a cache": _why(api, place),
    }


def _groups(api: Timed, place: Place) -> dict[str, float]:
    call, name = "SecurityGroup", f"new-{next(_numbers)}"
    spent = _described(api, "SecurityGroups", "GroupId", place.group, ("group-name", "group-00000"))
    made, spent[f"Create{call}"] = api.timed(
        "ec2", f"Create{call}", GroupName=name, GroupDescription="one more", VpcId=place.vpc
    )
    id = one(api.read(made), "groupId")
    rule = permission("10.9.0.0/16", PORT)
    _, spent[f"Authorize{call}Ingress, in force"] = api.timed("ec2", f"Authorize{call}Ingress", GroupId=id, **rule)
    _, spent[f"Revoke{call}Ingress, in force"] = api.timed("ec2", f"Revoke{call}Ingress", GroupId=id, **rule)
    _, spent[f"Delete{call}"] = api.timed("ec2", f"Delete{call}", GroupId=id)
    return spent


def _interfaces(api: Timed, place: Place, address: str) -> dict[str, float]:
    call = "NetworkInterface"
    spent = _described(api, f"{call}s", f"{call}Id", place.interface, ("private-ip-address", address))
    made, spent[f"Create{call}, in force"] = api.timed("ec2", f"Create{call}", SubnetId=place.subnet)
    id = one(api.read(made), "networkInterfaceId")
    _, spent[f"Delete{call}, in force"] = api.timed("ec2", f"Delete{call}", NetworkInterfaceId=id)
    return spent


def _instances(api: Timed, place: Place) -> dict[str, float]:
    spent = _described(api, "Instances", "InstanceId", place.instance, ("reservation-id", "r-00000000000000001"))
    like = api.ec2("DescribeInstances", **{"InstanceId.1": place.instance})
    what = {"ImageId": one(like, "imageId"), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    other = Timed(api.atoll, NEIGHBOUR)
    made, spent["RunInstances, one, of another account"] = other.timed("ec2", "RunInstances", **what)
    id = {"InstanceId.1": one(other.read(made), "instanceId")}
    _, spent["TerminateInstances, one, of another account"] = other.timed("ec2", "TerminateInstances", **id)
    return spent


def _caches(api: Timed, place: Place) -> dict[str, float]:
    name, describe = f"new-{next(_numbers)}", "DescribeCacheClusters"
    what: Mapping[str, Any] = {
        "Engine": "redis", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1, "CacheSubnetGroupName": "many",
        "SecurityGroupIds.member.1": place.group,
    }  # fmt: skip
    spent = {
        f"{describe}, a page of 100": api.timed("elasticache", describe)[1],
        f"{describe}, by name": api.timed("elasticache", describe, CacheClusterId=place.cache)[1],
    }
    _, spent["CreateCacheCluster"] = api.timed("elasticache", "CreateCacheCluster", CacheClusterId=name, **what)
    until_available(api, name)
    _, spent["DeleteCacheCluster"] = api.timed("elasticache", "DeleteCacheCluster", CacheClusterId=name)
    return spent


def until_available(api: Api, name: str) -> None:
    """Wait until a cache is available."""
    while one(api.cache("DescribeCacheClusters", CacheClusterId=name), "CacheClusterStatus") != "available":
        time.sleep(0.002)


def _why(api: Timed, place: Place) -> float:
    question = {"from": place.instance, "to": place.cache, "region": "us-east-1"}
    api.private("POST", "/_atoll/why", question)
    return spent(api.atoll.pid, lambda: api.private("POST", "/_atoll/why", question))[1]


def _described(api: Timed, what: str, id_name: str, id: str, filter: tuple[str, str]) -> dict[str, float]:
    action = f"Describe{what}"
    by_id = {f"{id_name}.1": id}
    by_filter = {"Filter.1.Name": filter[0], "Filter.1.Value.1": filter[1]}
    return {
        f"{action}, all": api.timed("ec2", action)[1],
        f"{action}, by id": api.timed("ec2", action, **by_id)[1],
        f"{action}, by the filter {filter[0]}": api.timed("ec2", action, **by_filter)[1],
    }
