"""What a World in a file takes along and leaves behind: who has the file may not call for that, here or there."""

from datetime import timedelta
from ipaddress import IPv4Address

from atoll.cache.carrying import Brought, arrive, carried, made
from atoll.model.account import AccessKey
from atoll.model.address import ElasticIp
from atoll.model.credentials import issue, lasting
from tests.cache.worlds import ACCOUNT, REGION, Life

WHOSE = {"account": ACCOUNT, "region": REGION, "arn": f"arn:aws:iam::{ACCOUNT}:root"}

PUBLIC = IPv4Address("198.51.100.7")


def with_keys(*, dice=0, instance_id=None):
    """Return a life with an address, a key that lasts and one of a session."""
    life = Life()
    life.dice = dice
    life.put(ElasticIp(id=f"eipalloc-{dice}", account=ACCOUNT, region=REGION, public_ip=PUBLIC, border_group=REGION))
    life.write(lambda tx: lasting(tx, **WHOSE))
    life.write(lambda tx: issue(tx, **WHOSE, lifetime=timedelta(hours=1), instance_id=instance_id))
    return life


def kinds(resources):
    return {type(resource) for resource in resources}


def ids(world):
    return {key.id for key in world.all(AccessKey)}


def test_no_access_key_leaves_in_a_file():
    world = with_keys().world

    assert AccessKey in kinds(world)
    assert kinds(carried(world)) == {ElasticIp}


def test_no_access_key_arrives_from_a_file_and_ones_own_stay():
    life, other = with_keys(), with_keys(dice=100).world
    own = ids(life.world)
    assert len(own | ids(other)) == 4

    life.write(lambda tx: arrive(tx, list(other), Brought()))

    assert ids(life.world) == own
    assert [address.id for address in life.world.all(ElasticIp)] == ["eipalloc-100"]


def test_keys_of_an_instance_go_with_it():
    life = with_keys(instance_id="i-0a")

    life.write(lambda tx: arrive(tx, [], Brought()))

    assert [key.expires for key in life.world.all(AccessKey)] == [None]


def test_access_keys_are_nothing_that_a_file_would_replace():
    life = with_keys()
    life.write(lambda tx: [tx.delete(address) for address in tx.all(ElasticIp)])

    assert made(life.world) == 0
