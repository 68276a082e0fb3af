"""Everything once more as an ordinary user, from a key pair to a purge."""

import os
import signal
import sys
from subprocess import PIPE

import pytest

from tests.daemon.atoll import Atoll, running, until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]
CLIENT = "198.51.100.27"


def keyed_instance(atoll: Atoll, stage: Stage) -> str:
    """Run an instance with a key, which only the trusted client may log in to."""
    key = atoll.place / "home" / "key.pem"
    key.write_text(stage.ec2.create_key_pair(KeyName="k")["KeyMaterial"])
    key.chmod(0o600)
    if atoll.uid is not None:
        os.chown(key, atoll.uid, atoll.uid)
    group = stage.ec2.create_security_group(GroupName="ssh", Description="ssh")["GroupId"]
    stage.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp=f"{CLIENT}/32"
    )
    default = stage.describe(stage.instance)["SecurityGroups"][0]["GroupId"]
    return stage.run(KeyName="k", SecurityGroupIds=[group, default])


def test_an_ordinary_user_has_it_all():
    with running("rootless") as atoll:
        stage = Stage(atoll)
        assert atoll.status()["mode"] == "rootless"
        keeper = atoll.status()["keeper"]
        assert os.stat(f"/proc/{keeper}").st_uid == (atoll.uid or os.getuid()), "no process of root's"

        # ssh with a key, from where it is allowed
        instance = keyed_instance(atoll, stage)
        key = str(atoll.place / "home" / "key.pem")
        assert atoll.cli("ssh", "-i", key, instance, "pwd").strip() == "/home/ec2-user"
        public = stage.describe(instance)["PublicIpAddress"]
        knock = ("bash", "-c", f"exec 3<>/dev/tcp/{public}/22 && head -c 3 <&3")
        assert "SSH" in atoll.client_at(CLIENT, "timeout", "5", *knock)
        assert "SSH" not in atoll.client_at("198.51.100.99", "timeout", "2", *knock, ok=False)

        # both engines, and a replica; what is shut is shut
        with stage.shell(instance) as shell:
            shell.connect(*stage.node("mem"))
            assert shell.say("version").startswith("VERSION")
            shell.connect(*stage.node("val-001"))
            assert shell.say("SET a 1") == "+OK"
            shell.connect(*stage.node("val-002"))
            until(lambda: shell.say("EXISTS a") == ":1", 5, "the replica's copy")
            assert not shell.reaches(*stage.node("shut"))

        # a capture, by a process that has no rights on the host
        command = [sys.executable, "-m", "atoll.cli", "capture", instance, "-w", "-", "-c", "2"]
        capture = atoll.start_process(command, stdout=PIPE)
        until(lambda: "SSH" in atoll.client_at(CLIENT, "timeout", "5", *knock) and capture.poll() == 0, 10, "packets")
        assert capture.stdout is not None
        assert capture.stdout.read(4) == b"\xd4\xc3\xb2\xa1"

        # what is counted and logged
        assert "FlowLogIds" in str(
            stage.ec2.create_flow_logs(
                ResourceIds=[stage.describe(instance)["VpcId"]], ResourceType="VPC", TrafficType="ALL",
                LogDestinationType="s3", LogDestination="arn:aws:s3:::logs",
            )
        )  # fmt: skip
        assert "SSH" in atoll.client_at(CLIENT, "timeout", "5", *knock)
        assert " 22 6 " in atoll.cli("flow-logs", "--flush")
        assert "no rule in" in atoll.cli("status", "--drops")
        assert instance in atoll.cli("usage")

        # a crash
        pids = stage.pids()
        atoll.kill()
        atoll.up()
        assert stage.pids() == pids
        os.kill(pids["mem:0001"], signal.SIGKILL)
        stage.settled()
        assert atoll.inside(instance, "id -u").strip() == "0"
        assert not (atoll.reset() > 1)
        disks = atoll.state / "instances"
        until(lambda: not list(disks.glob("*")), 5, "the end of disks that only their user namespace can delete")
