"""Whatever a caller sends to the verbs of instances, the answer is an answer or a refusal, never a fault of ours."""

import pytest
from botocore.exceptions import ClientError

from atoll.aws.bind import snake_names
from atoll.aws.operation import OPERATIONS
from tests.api.machines import ARM, NAT, image_id, launch_running, launch_stopped
from tests.aws.shapes import SESSION, Dice

MODULES = ("instance", "keypair", "image", "volume", "console", "credentials", "identity")
MINE = sorted(
    key for key, operation in OPERATIONS.items() if operation.run.__module__.rpartition(".")[2].startswith(MODULES)
)
ROUNDS = 40  # random requests for each operation


class Loaded(Dice):
    """Dice that often throw what exists, so that requests get past the first check."""

    def __init__(self, seed, known):
        super().__init__(seed)
        self.known = known
        self.supported = None

    def request(self, operation, shape):
        names = snake_names(operation.service, operation.name)
        may = [n for n in shape.members if names[n] in operation.parameters]
        must = {n for n in may if names[n] in operation.required}
        chosen = must | set(self.random.sample(may, self.random.randint(0, min(4, len(may)))))
        return {n: self.value(shape.members[n], 1) for n in chosen}

    def structure(self, shape, depth):
        names = self.random.sample(list(shape.members), self.random.randint(0, min(3, len(shape.members))))
        return {n: self.value(shape.members[n], depth + 1) for n in names} if depth < 6 else {}

    def list(self, shape, depth):
        return [self.value(shape.member, depth + 1) for _ in range(self.random.randint(0, 3))]

    def string(self, shape, depth):
        if not getattr(shape, "enum", None) and self.random.random() < 0.8:
            return self.random.choice(self.known)
        return super().string(shape, depth)

    def integer(self, shape, depth):
        if self.random.random() < 0.8:
            return self.random.choice([0, 1, 1, 2, 8, 100])
        return super().integer(shape, depth)


def test_the_verbs_of_instances_are_known():
    assert len(MINE) > 25


@pytest.mark.parametrize(("service", "action"), MINE, ids=[action for _, action in MINE])
def test_no_request_is_a_fault_of_ours(paper, ec2, service, action):
    running, stopped = launch_running(paper, ec2), launch_stopped(paper, ec2)
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    interface = ec2.create_network_interface(SubnetId=running["SubnetId"])["NetworkInterface"]
    known = [
        running["InstanceId"], stopped["InstanceId"], running["SubnetId"], running["VpcId"], "i-0123456789abcdef0",
        running["SecurityGroups"][0]["GroupId"], interface["NetworkInterfaceId"], "k", "default", "172.31.0.20",
        image_id(), image_id(NAT), image_id(ARM), "t3.micro", "t4g.micro", "m5.large", "gp3", "/dev/xvda", "true",
        "us-east-1a", "instance-id", "tag:Name", "instance", "volume", "network-interface", "*", "", "dGV4dA==",
        "arn:aws:iam::222222222222:role/a", "unlimited", "terminate", "userData", "sourceDestCheck",
    ]  # fmt: skip
    dice = Loaded(action, known)
    sound = {
        "RunInstances": {"ImageId": image_id(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1},
        "ImportKeyPair": {"PublicKeyMaterial": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIQlFYVnCUhmTONRJpzjGHXv"},
        "AssumeRole": {"RoleArn": "arn:aws:iam::222222222222:role/a", "RoleSessionName": "session"},
    }.get(action, {"InstanceId": running["InstanceId"], "InstanceIds": [stopped["InstanceId"]]})
    operation, client = OPERATIONS[service, action], paper.client(service)
    shape = SESSION.get_service_model(service).operation_model(action).input_shape
    call = getattr(client, next(m for m, a in client.meta.method_to_api_mapping.items() if a == action))

    for _ in range(ROUNDS):
        request = dice.request(operation, shape)
        if dice.random.random() < 0.7:
            request |= {name: value for name, value in sound.items() if name in shape.members}
        assert status(call, request) < 500, request
        paper.settle()


def status(call, request):
    """Return the HTTP status with which a request is answered."""
    try:
        return call(**request)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
