"""Listings after random changes: of fragments, each says to the letter what it says when all is written anew."""

import random

import pytest
from botocore.exceptions import ClientError

from atoll.aws import fragments, kept
from tests.api import caches
from tests.api.caches import NODE
from tests.api.paper import Paper
from tests.api.test_kept import QUESTIONS, _keep_nothing, _told, shelf  # noqa: F401

STEPS = 40
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_random_changes_listings_are_what_they_are_without_fragments(seed, monkeypatch):
    differ = _run(seed, STEPS, monkeypatch)

    assert not differ, f"seed {seed}: {differ[0]}"
    assert len(list(fragments.FRAGMENTS)) > 30


@pytest.mark.parametrize("broken", ["stand", "_same"])
def test_fragments_that_are_not_checked_are_found_out(broken, monkeypatch):
    monkeypatch.setattr(fragments, broken, lambda *_: True)
    monkeypatch.setattr(fragments.Fragments, "_mine", lambda self, teller: self._tellers.setdefault(teller, {}))

    assert _run(1, STEPS, monkeypatch)


def _run(seed, steps, monkeypatch):
    """Change a World at random, and return which listings told what was not so, and after which change."""
    paper, dice, differ = Paper(), random.Random(seed), []
    caches.install(paper)
    for done in _changes(paper, dice, steps):
        kept.SHELF.clear()  # of what it would answer `test_kept.py` speaks
        told = {question: _told(paper, *question) for question in QUESTIONS}
        with monkeypatch.context() as patched:
            _keep_nothing(patched)
            fresh = {question: _told(paper, *question) for question in QUESTIONS}
        differ += [(done, question) for question in QUESTIONS if told[question] != fresh[question]]
    return differ


def _changes(paper, dice, steps):
    """Make a network with machines and caches, then do this and that to it, and tell after each what was done."""
    ec2, cache = paper.client(), paper.client("elasticache")
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(2)]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{n}.0.0/24")["Subnet"]["SubnetId"] for n, vpc in enumerate(vpcs)
    ]
    for vpc in vpcs:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    image = next(i["ImageId"] for i in images if i["Architecture"] == "x86_64")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="g", CacheSubnetGroupDescription="d", SubnetIds=subnets[:1]
    )
    names = iter(range(10_000))

    def of(kind):
        return next(value for value in getattr(ec2, f"describe_{kind}")().values() if isinstance(value, list))

    def a_group():
        return dice.choice([group for group in of("security_groups") if group["VpcId"] in vpcs])

    def instance():
        return dice.choice([i for r in of("instances") for i in r["Instances"]])["InstanceId"]

    def rule():
        other = {"GroupId": a_group()["GroupId"]}
        source = dice.choice([{"IpRanges": [{"CidrIp": "10.9.0.0/16"}]}, {"UserIdGroupPairs": [other]}])
        return [{"IpProtocol": "tcp", "FromPort": dice.randrange(9), "ToPort": 9, **source}]

    def new_group():
        ec2.create_security_group(GroupName=f"n{next(names)}", Description="d", VpcId=dice.choice(vpcs))

    def new_instances():
        many = {"MinCount": 1, "MaxCount": dice.randint(1, 2)}
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", SubnetId=dice.choice(subnets), **many)

    def new_cache():
        about = {"Engine": "redis", "CacheNodeType": NODE, "NumCacheNodes": 1, "CacheSubnetGroupName": "g"}
        cache.create_cache_cluster(CacheClusterId=f"c{next(names)}", **about)

    def new_interface():
        ec2.create_network_interface(SubnetId=dice.choice(subnets))

    def address():
        free = [a for a in of("addresses") if "AssociationId" not in a]
        id = free[0]["AllocationId"] if free else ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=id, InstanceId=instance())

    def names_of_a_vpc():
        ec2.modify_vpc_attribute(VpcId=dice.choice(vpcs), EnableDnsHostnames={"Value": dice.random() < 0.5})

    def tag():
        about = [instance(), a_group()["GroupId"], dice.choice(vpcs), dice.choice(of("volumes"))["VolumeId"]]
        ec2.create_tags(Resources=[dice.choice(about)], Tags=[{"Key": "k", "Value": f"{next(names)}"}])

    def carried():
        ec2.modify_instance_attribute(InstanceId=instance(), Groups=[a_group()["GroupId"]])

    acts = {
        "a group": new_group,
        "instances": new_instances,
        "a cache": new_cache,
        "an interface": new_interface,
        "an address": address,
        "an address taken away": lambda: ec2.disassociate_address(
            AssociationId=dice.choice([a for a in of("addresses") if "AssociationId" in a])["AssociationId"]
        ),
        "a rule": lambda: ec2.authorize_security_group_ingress(GroupId=a_group()["GroupId"], IpPermissions=rule()),
        "a group that goes": lambda: ec2.delete_security_group(GroupId=a_group()["GroupId"]),
        "names": names_of_a_vpc,
        "a tag": tag,
        "another group": carried,
        "a stop": lambda: ec2.stop_instances(InstanceIds=[instance()]),
        "a start": lambda: ec2.start_instances(InstanceIds=[instance()]),
        "an end": lambda: ec2.terminate_instances(InstanceIds=[instance()]),
        "what the host saw": lambda: (paper.settle(), caches.settle(paper)),
    }
    for act in (new_group, new_instances, new_cache, acts["what the host saw"], address):
        act()
    for _ in range(steps):
        name = dice.choice(list(acts))
        try:
            acts[name]()
        except (ClientError, IndexError):  # not now: there is none, or it is in the way
            continue
        yield name
