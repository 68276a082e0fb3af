"""`python -m tests.load.callers PORT CLIENTS SECONDS VPC`: many clients of the API at once, and what they saw.

Each creates, changes, looks at and deletes things of its own, on a connection of its own, with a short pause as a
program has that does something with the answer.  Prints JSON: calls, errors, and how long the slowest took.
"""

import json
import random
import sys
import threading
import time

from bench.ground import Api

PAUSE_SECONDS = 0.2
ERRORS_MAX = 20  # that are told in full


class Tally:
    """What all clients together saw."""

    def __init__(self) -> None:
        self.calls, self.seconds_max, self.errors = 0, 0.0, []
        self._lock = threading.Lock()

    def add(self, seconds, error=""):
        with self._lock:
            self.calls += 1
            self.seconds_max = max(self.seconds_max, seconds)
            if error:
                self.errors.append(error[:300])


class Client:
    """One client."""

    def __init__(self, port, name, vpc, tally):
        self.api, self.name, self.vpc, self.tally = Api(port, "test"), name, vpc, tally
        self.random = random.Random(name)

    def ask(self, call, action, **parameters):
        begun, error = time.monotonic(), ""
        try:
            return call(action, **parameters)
        except Exception as caught:  # whatever it was, it is told, and no client stops
            error = f"{action}: {type(caught).__name__}: {caught}"
            self.api = Api(self.api.port, "test")
            return None
        finally:
            self.tally.add(time.monotonic() - begun, error)
            time.sleep(self.random.uniform(0, 2 * PAUSE_SECONDS))

    def round(self):
        """Make something, look at everything, and remove it."""
        ec2, cache = self.api.ec2, self.api.cache
        made = self.ask(ec2, "CreateSecurityGroup", GroupName=self.name, GroupDescription="x", VpcId=self.vpc)
        if made is None:
            return
        group = made.findtext("groupId")
        rule = {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": 6379, "IpPermissions.1.ToPort": 6379,
            "IpPermissions.1.IpRanges.1.CidrIp": "10.0.0.0/8"}  # fmt: skip
        self.ask(ec2, "AuthorizeSecurityGroupIngress", GroupId=group, **rule)
        self.ask(ec2, "DescribeSecurityGroups", **{"GroupId.1": group})
        self.ask(ec2, "DescribeInstances")
        self.ask(ec2, "CreateTags", **{"ResourceId.1": group, "Tag.1.Key": "n", "Tag.1.Value": "v"})
        self.ask(cache, "DescribeCacheClusters", ShowCacheNodeInfo="true")
        self.ask(cache, "CreateUser", UserId=self.name, UserName=self.name, Engine="valkey",
            AccessString="on ~* +@all", **{"Passwords.member.1": "nobody-comes-in-by-this"})  # fmt: skip
        self.ask(cache, "DescribeReplicationGroups")
        self.ask(ec2, "DescribeNetworkInterfaces", **{"Filter.1.Name": "vpc-id", "Filter.1.Value.1": self.vpc})
        self.ask(ec2, "RevokeSecurityGroupIngress", GroupId=group, **rule)
        self.ask(ec2, "DeleteSecurityGroup", GroupId=group)
        self.ask(cache, "DeleteUser", UserId=self.name)


def run(client, until):
    while time.monotonic() < until:
        client.round()


def main():
    port, clients, seconds, vpc = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    tally, until = Tally(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=run, args=(Client(port, f"caller-{number}", vpc, tally), until))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"calls": tally.calls, "seconds_max": tally.seconds_max, "errors": len(tally.errors),
        "told": tally.errors[:ERRORS_MAX]}))  # fmt: skip


if __name__ == "__main__":
    main()
