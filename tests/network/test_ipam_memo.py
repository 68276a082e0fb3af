"""The numbers that are taken are those of the resources that are there, however they came and went."""

import random
from ipaddress import IPv4Address

from atoll.model.interface import Interface
from atoll.network.ipam import Taken


def interface(number):
    return Interface(
        id=f"eni-{number}", account="1", region="us-east-1", vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1a",
        number=number, mac="02:00:00:00:00:01", private_ips=(IPv4Address(number),),
    )  # fmt: skip


def test_numbers_are_those_of_the_bucket_however_it_has_changed():
    dice, taken, asked = random.Random(1), Taken(lambda it: (it.number,)), {}
    for number in range(500):
        name = dice.choice("ab")
        bucket = dict(asked.get(name, {}))
        if bucket and dice.random() < 0.3:
            del bucket[dice.choice(list(bucket))]
        if dice.random() < 0.2 and bucket:
            id = dice.choice(list(bucket))
            bucket[id] = interface(1000 + number)
        bucket[f"eni-{number}"] = interface(number)
        forgotten = dice.random() < 0.2  # its transaction failed
        assert taken(bucket, name) == {it.number for it in bucket.values()}
        if not forgotten:
            asked[name] = bucket


def test_a_bucket_that_has_grown_costs_what_is_new():
    looked = []
    taken = Taken(lambda it: looked.append(it.number) or (it.number,))
    bucket = {}
    for number in range(5):
        bucket = bucket | {number: interface(number)}
        assert taken(bucket, "a") == set(range(number + 1))
        assert taken(bucket, "a") == set(range(number + 1))

    assert looked == [0, 1, 2, 3, 4]
