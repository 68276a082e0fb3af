"""What is derived from a resource is derived once."""

from dataclasses import replace

from atoll.model.group import SecurityGroup
from atoll.network.compile import fragment
from atoll.network.compile.fragment import Memo


def group(number, description="d"):
    id = f"sg-{number}"
    return SecurityGroup(id=id, account="1", region="us-east-1", vpc_id="vpc-1", name=id, description=description)


def counted():
    asked = []

    def derive(it):
        asked.append(it.description)
        return it.description

    return Memo(derive), asked


def test_a_resource_is_looked_at_once_until_it_changes():
    memo, asked = counted()
    first = group(1)
    second = replace(first, description="e")

    told = [memo(first), memo(first), memo(second), memo(second)]

    assert told == ["d", "d", "e", "e"]
    assert asked == ["d", "e"]


def test_resources_of_different_ids_do_not_displace_each_other():
    memo, asked = counted()
    one, other = group(1), group(2)

    for it in (one, other, one, other):
        memo(it)

    assert len(asked) == 2


def test_its_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(fragment, "MEMO_MAX", 4)
    memo, asked = counted()
    groups = [group(i) for i in range(5)]

    for it in (*groups, groups[0]):
        memo(it)

    assert len(asked) == 6


def test_those_that_have_gone_do_not_displace_those_that_are_asked_for(monkeypatch):
    monkeypatch.setattr(fragment, "MEMO_MAX", 8)
    memo, asked = counted()
    living = [group(i) for i in range(3)]

    for gone in range(10, 30):
        for it in (*living, group(gone)):
            memo(it)

    assert len(asked) == 3 + 20
