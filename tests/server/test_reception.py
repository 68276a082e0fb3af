"""What is answered before the daemon is whole, and what waits for it.  On loopback, with raw sockets."""

import asyncio
import base64
import socket
import time
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest

from atoll.aws.http import Answer
from atoll.model.kinds import KINDS
from atoll.options import Options
from atoll.reception import Reception
from atoll.store.sqlite import Store


class House:
    """A daemon that is whole; `waits` counts how often somebody waited for its network."""

    def __init__(self):
        self.waits = 0

    async def in_force(self):
        self.waits += 1
        return True

    def printed(self, instance_id):
        return f"{instance_id} is up".encode()

    async def private(self, request):
        return Answer(200, {}, f"private {request.path}".encode())

    async def console(self, request):
        return Answer(200, {}, f"console {request.path}".encode())


@asynccontextmanager
async def opened(directory):
    reception, sock = Reception(Options(state_dir=directory), Store(":memory:", KINDS)), socket.create_server(("", 0))
    await reception.open(sock)
    try:
        yield reception, sock.getsockname()[1]
    finally:
        await reception.close()


async def ask(port, path="/", **form):
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    body = urlencode({"Version": "2016-11-15", **form})
    scope = f"AWS4-HMAC-SHA256 Credential=test/{stamp[:8]}/us-east-1/ec2/aws4_request"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"{'POST' if form else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body) if form else 0}\r\n"
        f"X-Amz-Date: {stamp}\r\nAuthorization: {scope}, SignedHeaders=host;x-amz-date, Signature=0\r\n\r\n"
        f"{body if form else ''}".encode()
    )
    said = await reader.read()
    writer.close()
    return said.decode()


def between(element, text):
    return text.partition(f"<{element}>")[2].partition("<")[0]


SETTLED = {
    "DescribeVpcs": "<cidrBlock>172.31.0.0/16<",
    "DescribeSecurityGroups": "<groupName>default<",
    "DescribeRouteTables": "<gatewayId>igw-",
    "DescribeNetworkAcls": "<ruleNumber>32767<",
}


@pytest.mark.parametrize(("action", "expected"), SETTLED.items(), ids=SETTLED)
def test_what_stands_as_it_was_committed_is_told_before_the_daemon_is_whole(tmp_path, action, expected):
    async def run():
        async with opened(tmp_path) as (_, port), asyncio.timeout(30):
            return await ask(port, Action=action)

    assert expected in asyncio.run(run())


WAITING = [
    ({"Action": "DescribeInstances"}, "HTTP/1.1 200 "),
    ({"Action": "DescribeInstances", "InstanceId.1": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
    ({"Action": "DescribeSubnets"}, "<availableIpAddressCount>4091<"),  # less by the interfaces, which loops know
    ({"Action": "DescribeRegions"}, "HTTP/1.1 200 "),
    ({"Action": "CreateSecurityGroup", "GroupName": "new", "GroupDescription": "new"}, "<groupId>sg-"),
    ({"path": "/_atoll/health"}, "private /_atoll/health"),
    ({"path": "/console/"}, "console /console/"),
]


@pytest.mark.parametrize(("question", "expected"), WAITING, ids=lambda it: str(it)[:60])
def test_what_acts_and_what_a_loop_may_know_better_waits_until_the_daemon_is_whole(tmp_path, question, expected):
    async def run():
        async with opened(tmp_path) as (reception, port), asyncio.timeout(30):
            asked = asyncio.create_task(ask(port, **question))
            for _ in range(2):  # meanwhile others are served
                assert "<vpcId>vpc-" in await ask(port, Action="DescribeVpcs")
            assert not asked.done()
            reception.show_in(House())
            return await asked

    assert expected in asyncio.run(run())


def test_a_change_that_came_early_is_in_force_when_it_is_answered(tmp_path):
    house = House()

    async def run():
        async with opened(tmp_path) as (reception, port), asyncio.timeout(30):
            group = between("groupId", await ask(port, Action="DescribeSecurityGroups"))
            rule = {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "80"}
            rule |= {"IpPermissions.1.ToPort": "80", "IpPermissions.1.IpRanges.1.CidrIp": "10.0.0.0/8"}
            asked = asyncio.create_task(ask(port, Action="AuthorizeSecurityGroupIngress", GroupId=group, **rule))
            await ask(port, Action="DescribeVpcs")
            reception.show_in(house)
            return await asked

    assert "<return>true</return>" in asyncio.run(run())
    assert house.waits == 1


def test_what_an_instance_prints_is_told_on_connections_that_were_accepted_early(tmp_path):
    async def run():
        async with opened(tmp_path) as (reception, port), asyncio.timeout(30):
            reception.show_in(House())
            image = between("imageId", await ask(port, Action="DescribeImages", **{"Owner.1": "amazon"}))
            made = await ask(port, Action="RunInstances", ImageId=image, MinCount=1, MaxCount=1)
            told = await ask(port, Action="GetConsoleOutput", InstanceId=between("instanceId", made))
            return between("instanceId", told), base64.b64decode(between("output", told)).decode()

    instance_id, printed = asyncio.run(run())

    assert printed == f"{instance_id} is up"
