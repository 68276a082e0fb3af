"""The resolver: what each name means, seen from a VPC and from the internet, and what garbage gets."""

import asyncio
import contextlib
import random
import socket
from dataclasses import replace

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from atoll.cache.endpoint import node_name, reader_name
from atoll.guest import dns
from atoll.guest.dns import Resolver, answer
from atoll.model.cache import CacheCluster
from atoll.model.names import public_dns
from atoll.model.vpc import Vpc
from tests.network.worlds import ACCOUNT, REGION, prod_lab


@pytest.fixture(scope="module")
def prod():
    world = prod_lab().world.seen_by(None)
    vpc = next(iter(world.all(Vpc)))
    return world, vpc.id


def ask(world, vpc_id, name, kind="A"):
    reply = answer(world, vpc_id, DNSRecord.question(name, kind).pack())
    assert reply is not None
    record = DNSRecord.parse(reply)
    return RCODE[record.header.rcode], [str(r.rdata) for r in record.rr]


def test_a_cache_node_has_its_private_address_everywhere(prod):
    world, vpc = prod
    cluster = next(c for c in world.all(CacheCluster) if c.name == "sessions-001")
    name = node_name(cluster, "0001")
    assert ask(world, vpc, name) == ("NOERROR", ["10.0.1.230"])
    assert ask(world, None, name) == ("NOERROR", ["10.0.1.230"])
    assert ask(world, vpc, name.upper()) == ("NOERROR", ["10.0.1.230"])
    assert ask(world, vpc, name, "AAAA") == ("NOERROR", [])


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("ip-10-0-0-55.ec2.internal", ("NOERROR", ["10.0.0.55"]), ("NXDOMAIN", [])),
        ("ip-10-9-0-55.ec2.internal", ("NXDOMAIN", []), ("NXDOMAIN", [])),
        ("ip-10-0-0-55.eu-west-1.compute.internal", ("NXDOMAIN", []), ("NXDOMAIN", [])),
        ("ip-10-0-0-555.ec2.internal", ("NXDOMAIN", []), ("NXDOMAIN", [])),
        ("example.com", ("NXDOMAIN", []), ("NXDOMAIN", [])),
    ],
    ids=["private name", "not of this VPC", "not of this region", "no address", "nothing else exists"],
)
def test_names_of_instances(prod, name, inside, outside):
    world, vpc = prod
    assert (ask(world, vpc, name), ask(world, None, name)) == (inside, outside)


def test_a_public_name_means_the_private_address_inside_and_the_public_one_outside(prod):
    world, vpc_id = prod
    vpc = world[Vpc, vpc_id]
    named = world.after({(Vpc, vpc_id): vpc.but(dns_hostnames=True)})
    assert ask(named, vpc_id, "ec2-203-0-113-73.compute-1.amazonaws.com") == ("NOERROR", ["10.0.0.55"])
    assert ask(named, None, "ec2-203-0-113-73.compute-1.amazonaws.com") == ("NOERROR", ["203.0.113.73"])
    assert ask(named, None, "ec2-203-0-113-99.compute-1.amazonaws.com") == ("NXDOMAIN", [])


def test_a_public_name_means_the_private_address_in_a_peer_when_the_option_is_on():
    lab = prod_lab()
    lab.put(lab.world[Vpc, "vpc-prod"], dns_hostnames=True)
    lab.put(lab.vpc("far", "10.9.0.0/16"), dns_hostnames=True)
    public, private = ("NOERROR", ["203.0.113.73"]), ("NOERROR", ["10.0.0.55"])

    def seen():
        return ask(lab.world, "vpc-far", "ec2-203-0-113-73.compute-1.amazonaws.com")

    peering = lab.peering("p", "far", "prod")
    assert seen() == public
    lab.put(peering, requester=replace(peering.requester, allow_dns=True))
    assert seen() == public  # the option is that of the VPC which is asked about
    open_to_far = peering.but(accepter=replace(peering.accepter, allow_dns=True))
    lab.put(open_to_far)
    assert seen() == private
    lab.put(lab.world[Vpc, "vpc-far"], dns_hostnames=False)
    assert seen() == public
    lab.put(lab.world[Vpc, "vpc-far"], dns_hostnames=True)
    lab.put(open_to_far, status="deleting")
    assert seen() == public


def test_addresses_have_names(prod):
    world, vpc_id = prod
    named = world.after({(Vpc, vpc_id): world[Vpc, vpc_id].but(dns_hostnames=True)})
    assert ask(world, vpc_id, "55.0.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["ip-10-0-0-55.ec2.internal."])
    assert ask(world, vpc_id, "55.0.9.10.in-addr.arpa", "PTR") == ("NXDOMAIN", [])
    outside = ask(named, None, "73.113.0.203.in-addr.arpa", "PTR")
    assert outside == ("NOERROR", ["ec2-203-0-113-73.compute-1.amazonaws.com."])
    assert public_dns(next(iter(named.all(Vpc))).cidr.network_address, REGION).startswith("ec2-10-0-0-0.")
    assert ACCOUNT.isdigit()


def test_garbage_gets_no_answer_and_does_no_harm(prod):
    world, vpc = prod
    rnd = random.Random(53)
    question = DNSRecord.question("example.com").pack()
    for _ in range(2_000):
        junk = bytearray(question)
        for _ in range(rnd.randrange(1, 6)):
            junk[rnd.randrange(len(junk))] = rnd.randrange(256)
        answer(world, vpc, bytes(junk[: rnd.randrange(len(junk) + 1)]))
        answer(world, vpc, rnd.randbytes(rnd.randrange(64)))
    assert answer(world, vpc, b"") is None


def test_of_a_query_only_its_one_question_is_read(prod):
    """To read ten thousand, each a pointer to a long name, took seconds, in which nobody else was answered."""
    world, vpc = prod
    many, name = DNSRecord.question("ip-10-0-0-55.ec2.internal"), b"\1a" * 127 + b"\0\0\1\0\1"
    one = many.pack()
    pointers = b"\xc0\x0c\0\1\0\1" * 8_000

    assert answer(world, vpc, one[:4] + (8_001).to_bytes(2, "big") + one[6:] + pointers) is None
    behind = answer(world, vpc, one[:10] + (8_000).to_bytes(2, "big") + one[12:] + pointers)
    assert [str(rr.rdata) for rr in DNSRecord.parse(behind).rr] == ["10.0.0.55"]
    assert DNSRecord.parse(answer(world, vpc, one[:12] + name)).header.rcode == RCODE.NXDOMAIN
    assert answer(world, vpc, one[:12] + b"\1a" + name) is None, "longer than a name may be"


def test_the_server_answers_by_datagram_and_by_stream(prod):
    world, vpc = prod

    async def scenario():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for sock in (udp, tcp):
            sock.bind(("127.0.0.1", 0))
        tcp.listen()
        places = udp.getsockname(), tcp.getsockname()
        resolver = Resolver(vpc, lambda: world)
        await resolver.serve([udp, tcp])
        question = DNSRecord.question("ip-10-0-0-55.ec2.internal", QTYPE[QTYPE.A])
        replies = [
            await asyncio.to_thread(question.send, place[0], place[1], tcp=is_tcp, timeout=5)
            for place, is_tcp in zip(places, (False, True), strict=True)
        ]
        resolver.close()
        return [str(DNSRecord.parse(r).rr[0].rdata) for r in replies]

    assert asyncio.run(scenario()) == ["10.0.0.55", "10.0.0.55"]


def ask_on(deaf, asked):
    while True:
        with contextlib.suppress(TimeoutError):
            deaf.sendall(asked * 1_000)


def test_one_guest_leaves_connections_to_the_resolver_to_the_rest(prod, monkeypatch):
    """And who does not read what he asked for is cut."""
    monkeypatch.setattr(dns, "_TCP_SECONDS", 60.0)  # for who is greedy to hold what he has, on a slow machine, too
    monkeypatch.setattr(dns, "_TCP_PART_SECONDS", 60.0)
    world, vpc = prod
    question = DNSRecord.question("ip-10-0-0-55.ec2.internal").pack()
    asked = len(question).to_bytes(2, "big") + question

    async def scenario():
        resolver = Resolver(vpc, lambda: world)
        await resolver.serve([listening := socket.create_server(("127.0.0.1", 0))])
        place = listening.getsockname()
        greedy = [await asyncio.open_connection(*place, local_addr=("127.0.0.2", 0)) for _ in range(40)]
        for reader, _ in greedy[dns._TCP_CLIENTS_OF_ONE_MAX :]:
            assert await reader.read() == b""
        async with asyncio.timeout(20):
            while resolver._tcp_clients != {"127.0.0.2": dns._TCP_CLIENTS_OF_ONE_MAX}:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_connection(*place)
        writer.write(asked)
        assert (await reader.read(2))[0] == 0
        writer.close()
        for _, one in greedy:
            one.close()

        monkeypatch.setattr(dns, "_TCP_SECONDS", 1.0)
        monkeypatch.setattr(dns, "_TCP_PART_SECONDS", 0.1)
        deaf = socket.create_connection(place)
        deaf.settimeout(0.1)
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionError, match=r"."):
                await asyncio.to_thread(ask_on, deaf, asked)
            while resolver._tcp_clients:  # noqa: ASYNC110  # the resolver has no event for it
                await asyncio.sleep(0.02)
        resolver.close()
        deaf.close()

    asyncio.run(scenario())


def test_the_readers_name_leads_to_the_replicas_in_turn():
    lab = prod_lab()
    group = lab.replication_group("more", "private", members=4)
    world, firsts = lab.world.seen_by(None), set()
    for id in range(6):
        query = DNSRecord.question(reader_name(group))
        query.header.id = id
        found = [str(r.rdata) for r in DNSRecord.parse(answer(world, None, query.pack())).rr]
        assert len(found) == len(set(found)) == 3, "the replicas, and not the primary"
        firsts.add(found[0])
    assert len(firsts) == 3
