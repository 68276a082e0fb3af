"""Random values of a botocore shape, from a seed: what a caller may send and an operation may answer."""

import random
import string
from datetime import UTC, datetime, timedelta

import botocore.session

SESSION = botocore.session.get_session()
SERVICES = ("ec2", "elasticache", "elbv2", "sts")
OPERATIONS = [(name, action) for name in SERVICES for action in SESSION.get_service_model(name).operation_names]

TEXT = string.ascii_letters + string.digits + " .,:;/-_+=&%?#<>'\"\\*~!@()[]{}|é한字\U0001f30a\t\n"
START = datetime(2026, 11, 20, tzinfo=UTC)
MEMBERS_MAX = 12
DEPTH_MAX = 6


class Dice:
    """Throws values of shapes; deeper values get smaller, so that every value is finite and small."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, shape, depth=0):
        return getattr(self, shape.type_name, self.string)(shape, depth)

    def structure(self, shape, depth):
        names = list(shape.members)
        wanted = set(self.random.sample(names, self.random.randint(0, min(len(names), MEMBERS_MAX))))
        if depth >= DEPTH_MAX:
            wanted = {name for name in wanted if shape.members[name].type_name not in ("structure", "list", "map")}
        wanted |= set(shape.required_members)
        return {name: self.value(shape.members[name], depth + 1) for name in names if name in wanted}

    def list(self, shape, depth):
        return [self.value(shape.member, depth + 1) for _ in range(self.random.randint(1, 2))]

    def map(self, shape, depth):
        return {self.string(shape.key, depth): self.value(shape.value, depth + 1) for _ in range(2)}

    def string(self, shape, _depth):
        if getattr(shape, "enum", None):
            return self.random.choice(shape.enum)
        return "".join(self.random.choices(TEXT, k=self.random.randint(0, 12)))

    def integer(self, _shape, _depth):
        return self.random.choice([0, 1, -1, 2**31 - 1, -(2**31), self.random.randint(-1000, 100_000)])

    def long(self, _shape, _depth):
        return self.random.choice([0, 2**63 - 1, -(2**63), self.random.randint(-1000, 10**12)])

    def boolean(self, _shape, _depth):
        return self.random.random() < 0.5

    def double(self, _shape, _depth):
        return self.random.choice([0.0, -1.5, 1e300, 1e-7, self.random.random()])

    float = double

    def timestamp(self, _shape, _depth):
        return START + self.random.randint(-(10**9), 10**9) * timedelta(milliseconds=1)

    def blob(self, _shape, _depth):
        return self.random.randbytes(self.random.randint(0, 20))
