"""A daemon with replication groups whose users are a user group's, and clients that log in from an instance."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon.atoll import Atoll, own_mode, running, until

NODE = {"CacheNodeType": "cache.t3.micro"}
SECRET, OTHER = "correct-horse-battery", "another-horse-battery"

# Runs inside an instance's network, with the packages of the tests: for each line a login, one command, its answer.
PORTER = """
import json, sys
from importlib import import_module as load
for line in sys.stdin:
    library, host, port, authority, user, password, *words = json.loads(line)
    module, once = load(library), load(library + ".retry").Retry(load(library + ".backoff").NoBackoff(), 0)
    client = module.Redis(host, int(port), username=user or None, password=password or None, decode_responses=True,
                          socket_timeout=5, retry=once, ssl=True, ssl_ca_certs=authority)
    try:
        said = ["ok", client.execute_command(*words)]
    except (module.exceptions.ConnectionError, module.exceptions.ResponseError) as error:
        said = [type(error).__name__, str(error)]
    client.close()
    print(json.dumps(said, default=str), flush=True)
"""


class Club:
    """A group of two nodes and one of a single node, which the users of `team` may use."""

    def __init__(self, atoll: Atoll):
        self.atoll, self.cache, ec2 = atoll, atoll.client("elasticache"), atoll.client("ec2")
        self._authority = atoll.status()["authority"]
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.instance = launched["Instances"][0]["InstanceId"]
        for name, members in (("club", 2), ("lone", 1)):
            self.cache.create_replication_group(
                ReplicationGroupId=name, ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=members,
                AutomaticFailoverEnabled=members > 1, TransitEncryptionEnabled=True, **NODE,
            )  # fmt: skip
        self.available("club"), self.available("lone")
        self.user("app", AccessString="on ~app:* +@all")
        self.user("reader", AccessString="on ~* +@read +@connection")
        self.cache.create_user_group(UserGroupId="team", Engine="valkey", UserIds=["app", "reader"])
        until(lambda: self.team()["Status"] == "active", what="a user group")

    def user(self, id: str, **more: Any) -> None:
        asked = {"UserName": id, "Engine": "valkey", "Passwords": [SECRET]} | more
        self.cache.create_user(UserId=id, **asked)

    def available(self, name: str = "club") -> None:
        until(lambda: self.described(name)["Status"] == "available", 60, f"an available group ({self.atoll.log})")

    def active(self, user: str = "app") -> bool:
        """Tell whether a user is active."""
        status: str = self.cache.describe_users(UserId=user)["Users"][0]["Status"]
        return status == "active"

    def knows(self, id: str) -> bool:
        """Tell whether there is such a user."""
        return id in {user["UserId"] for user in self.cache.describe_users()["Users"]}

    def settled(self) -> None:
        """Wait until no user and no group is changing."""
        until(lambda: {u["Status"] for u in self.cache.describe_users()["Users"]} == {"active"}, 30, "active users")
        until(lambda: self.team()["Status"] == "active", 30, "an active user group")

    def team(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cache.describe_user_groups(UserGroupId="team")["UserGroups"][0]
        return found

    def described(self, name: str = "club") -> dict[str, Any]:
        found = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
        group: dict[str, Any] = found[0]
        return group

    def change(self, name: str = "club", **more: Any) -> None:
        self.cache.modify_replication_group(ReplicationGroupId=name, ApplyImmediately=True, **more)
        self.available(name)

    def members(self, name: str = "club") -> dict[str, str]:
        """Return the roles of a group's members."""
        members = self.described(name)["NodeGroups"][0]["NodeGroupMembers"]
        return {member["CacheClusterId"]: member["CurrentRole"] for member in members}

    def address(self, member: str) -> tuple[str, int]:
        found = self.cache.describe_cache_clusters(CacheClusterId=member, ShowCacheNodeInfo=True)
        endpoint = found["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]
        return endpoint["Address"], endpoint["Port"]

    def say(self, member: str, user: str, *words: str, password: str = SECRET, library: str = "redis") -> list[Any]:
        """Log in to a member and give one command: `["ok", answer]`, or the error's type and words."""
        host, port = self.address(member)
        assert self._porter.stdin
        assert self._porter.stdout
        self._porter.stdin.write(
            json.dumps([library, host, port, self._authority, user, password, *words]).encode() + b"\n"
        )
        self._porter.stdin.flush()
        said: list[Any] = json.loads(self._porter.stdout.readline())
        return said

    def start_porter(self) -> None:
        """Start what logs in, in the instance's network."""
        program = [
            sys.executable,
            "-m",
            "atoll.cli",
            "run",
            "--in",
            self.instance,
            "--",
            sys.executable,
            "-c",
            PORTER,
        ]
        self._porter = self.atoll.start_process(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        """End what logs in."""
        assert self._porter.stdin
        assert self._porter.stdout
        self._porter.stdin.close()
        self._porter.wait(10)
        self._porter.stdout.close()

    def pid(self, member: str) -> int:
        pid: int = self.atoll.get(f"/_atoll/machines/{member}")["pid"]
        return pid


@pytest.fixture(scope="module")
def club() -> Iterator[Club]:
    with running(own_mode()) as atoll:
        made = Club(atoll)
        made.change(UserGroupIdsToAdd=["team"])
        made.change("lone", UserGroupIdsToAdd=["team"])
        made.start_porter()
        yield made
        made.close()
