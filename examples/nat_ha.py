#!/usr/bin/env python3
"""Watch two NAT instances, and let the second take over from the first when it fails.

    nat_ha.py route i-0aaa i-0bbb --table rtb-0123          # the way out: moves a route of the private subnets
    nat_ha.py address i-0aaa i-0bbb --allocation eipalloc-0 # the way in: moves an Elastic IP

It asks EC2 how the instance is that carries the traffic now, twice a second; `--probe` asks in another way, by a
command that fails when the instance does ({id}, {private} and {public} stand for its id and addresses).  After
`--failures` bad answers in a row, and if the other instance is well, the other one carries the traffic, until it
fails in turn.  Nothing is moved back by itself.

It needs boto3, and works with AWS as with Atoll (AWS_ENDPOINT_URL=http://127.0.0.1:4566).
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import boto3

PROBE_SECONDS_MAX = 3.0  # a probe that takes longer has failed


class Pair:
    """Two NAT instances, and what one of them has: a route that leads to it, or an Elastic IP."""

    def __init__(self, ec2: Any, options: argparse.Namespace) -> None:
        """Remember whom to watch."""
        self.ec2, self.options = ec2, options

    def active(self) -> str | None:
        """Return the instance that carries the traffic now; `None`: neither does."""
        if self.options.what == "address":
            (address,) = self.ec2.describe_addresses(AllocationIds=[self.options.allocation])["Addresses"]
            holder = address.get("InstanceId")
        else:
            (table,) = self.ec2.describe_route_tables(RouteTableIds=[self.options.table])["RouteTables"]
            routes = {r.get("DestinationCidrBlock"): r for r in table["Routes"]}
            holder = routes.get(self.options.destination, {}).get("InstanceId")
        return holder if holder in self.options.pair else None

    def give(self, instance: str) -> None:
        """Let an instance carry the traffic: the call answers when the next packet goes there."""
        if self.options.what == "address":
            self.ec2.associate_address(
                AllocationId=self.options.allocation, InstanceId=instance, AllowReassociation=True
            )
        else:
            self.ec2.replace_route(
                RouteTableId=self.options.table,
                DestinationCidrBlock=self.options.destination,
                InstanceId=instance,
            )

    def is_well(self, instance: str) -> bool:
        """Ask how an instance is: EC2's own checks first, then the probe, if there is one."""
        (status,) = self.ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)[
            "InstanceStatuses"
        ]
        if status["InstanceState"]["Name"] != "running" or status["InstanceStatus"]["Status"] == "impaired":
            return False
        if self.options.probe is None:
            return True
        (reservation,) = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        (found,) = reservation["Instances"]
        names = {"id": instance, "private": found["PrivateIpAddress"], "public": found.get("PublicIpAddress", "")}
        try:
            command = self.options.probe.format(**names)
            probed = subprocess.run(command, shell=True, capture_output=True, timeout=PROBE_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            return False
        return probed.returncode == 0


def watch(pair: Pair, failures_max: int, every_seconds: float) -> None:
    """Watch, and move the traffic, for ever."""
    failures = 0
    say(f"watching: {pair.active() or 'neither instance'} carries the traffic")
    while True:
        active = pair.active()
        failures = failures + 1 if active is None or not pair.is_well(active) else 0
        if failures >= failures_max:
            healthy = [i for i in pair.options.pair if i != active and pair.is_well(i)]
            if healthy:
                pair.give(healthy[0])
                say(f"{active or 'nobody'} failed {failures} times: {healthy[0]} took over")
                failures = 0
            else:
                say(f"{active or 'nobody'} failed {failures} times, and no other instance is well")
        time.sleep(every_seconds)


def say(what: str) -> None:
    """Write a line of the log."""
    print(time.strftime("%H:%M:%S"), what, flush=True)


def main(arguments: Sequence[str]) -> None:
    """Read the command line, and watch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["route", "address"])
    parser.add_argument("pair", nargs=2, metavar="INSTANCE")
    parser.add_argument("--table", help="whose route leads to the NAT instance")
    parser.add_argument("--destination", default="0.0.0.0/0", help="of that route")
    parser.add_argument("--allocation", help="of the Elastic IP")
    parser.add_argument("--probe", help="a command that fails when the instance does")
    parser.add_argument("--failures", type=int, default=2, help="bad answers in a row (2)")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two questions (0.5)")
    options = parser.parse_args(arguments)
    if not (options.table if options.what == "route" else options.allocation):
        parser.error("route needs --table, and address needs --allocation")
    watch(Pair(boto3.client("ec2"), options), options.failures, options.every)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
