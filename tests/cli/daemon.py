"""A daemon of a test's own, started and spoken to by the command line alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config

SECONDS_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Atoll:
    """The command line, and clients, of one installation."""

    def __init__(self, state: Path, host: str = "auto"):
        self.state, self.host, self.port = state, host, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_"))}
        self.env = clean | {"ATOLL_ENDPOINT": self.endpoint, "ATOLL_STATE": str(state)}

    def __call__(self, *arguments, given="", **environment):
        command = [sys.executable, "-m", "atoll.cli", *map(str, arguments)]
        env = self.env | environment
        return subprocess.run(
            command, input=given, capture_output=True, text=True, env=env, timeout=SECONDS_MAX, check=False
        )

    def up(self, **environment):
        return self("up", "-d", "--port", self.port, "--host", self.host, **environment)

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def image(self):
        names = [{"Name": "name", "Values": ["amzn2-ami-hvm-*-x86_64-gp2"]}]
        return self.client("ec2").describe_images(Owners=["amazon"], Filters=names)["Images"][0]["ImageId"]

    def launch(self, name, **more):
        """Launch an instance, and wait until it runs; returns its id."""
        ec2 = self.client("ec2")
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        call = {"ImageId": self.image(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        made = ec2.run_instances(**call | more, TagSpecifications=tags)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        return made
