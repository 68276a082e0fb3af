"""STS: who calls, and temporary keys that the wire verifies."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from atoll.model.account import AccessKey
from tests.api.machines import refused

ROLE = "arn:aws:iam::222222222222:role/path/Deployer"


@pytest.fixture
def sts(paper):
    paper.clock = datetime.now(UTC)  # boto3 signs with the wall's time, so keys must expire by it
    return paper.client("sts")


@pytest.fixture
def as_holder(paper):
    """Make a client that signs with temporary keys."""

    def client(service, keys, **changes):
        made = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url="http://localhost:4566",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=changes.get("secret", keys["SecretAccessKey"]),
            aws_session_token=changes.get("token", keys["SessionToken"]),
            config=Config(retries={"max_attempts": 0}),
        )
        made.meta.events.register("before-send", paper._send)
        return made

    return client


def identity(sts):
    answer = sts.get_caller_identity()
    return answer["Account"], answer["Arn"], answer["UserId"]


def test_an_account_number_is_its_own_root(paper):
    assert identity(paper.client("sts", account="111122223333")) == (
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "111122223333",
    )


def test_any_other_key_is_the_default_account(paper):
    assert identity(paper.client("sts", account="test"))[0] == "000000000000"


def test_a_role_is_assumed_in_its_own_account(sts, as_holder):
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="ci", ExternalId="shared")

    keys = answer["Credentials"]
    account, arn, user = identity(as_holder("sts", keys))
    assert (account, arn) == ("222222222222", "arn:aws:sts::222222222222:assumed-role/Deployer/ci")
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": user, "Arn": arn}
    assert user.startswith("AROA")
    assert user.endswith(":ci")
    assert keys["AccessKeyId"].startswith("ASIA")
    assert len(keys["AccessKeyId"]) == 20
    assert len(keys["SecretAccessKey"]) == 40


def test_the_keys_of_a_role_work_in_its_account_and_nowhere_else(ec2, sts, stranger, as_holder):
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    keys = sts.assume_role(RoleArn=ROLE, RoleSessionName="ci")["Credentials"]

    made = as_holder("ec2", keys).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]

    assert made["OwnerId"] == "222222222222"
    assert made["VpcId"] in {v["VpcId"] for v in stranger.describe_vpcs()["Vpcs"]}
    assert made["VpcId"] not in {v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]}


def test_a_session_is_the_caller_itself(paper, as_holder):
    paper.clock = datetime.now(UTC)
    sts = paper.client("sts", account="111122223333")

    keys = sts.get_session_token()["Credentials"]

    assert identity(as_holder("sts", keys)) == identity(sts)
    with refused("AccessDenied", "Cannot call GetSessionToken with session credentials"):
        as_holder("sts", keys).get_session_token()


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"secret": "wrong"}, "SignatureDoesNotMatch"), ({"token": "wrong"}, "InvalidClientTokenId"),
     ({"token": None}, "InvalidClientTokenId")],
    ids=["another secret", "another token", "no token"],
)  # fmt: skip
def test_what_such_keys_sign_is_verified(sts, as_holder, changes, code):
    keys = sts.get_session_token()["Credentials"]

    with refused(code):
        as_holder("sts", keys, **changes).get_caller_identity()


def test_keys_live_as_long_as_asked_for(paper, sts, as_holder):
    before = paper.clock
    for seconds, call in (
        (3600, lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="ci")),
        (900, lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="ci", DurationSeconds=900)),
        (43200, lambda: sts.get_session_token()),
        (129600, lambda: sts.get_session_token(DurationSeconds=129600)),
    ):
        keys = call()["Credentials"]
        lives = paper.world[AccessKey, keys["AccessKeyId"]].expires - before
        assert timedelta(0) <= lives - timedelta(seconds=seconds) < timedelta(minutes=1)

    key = paper.world[AccessKey, keys["AccessKeyId"]]
    paper.write(lambda tx: tx.put(key.but(expires=before - timedelta(days=1000))))
    with refused("ExpiredToken", "The security token included in the request is expired"):
        as_holder("sts", keys).get_caller_identity()


def test_a_chain_of_roles_lives_an_hour(sts, as_holder):
    first = as_holder("sts", sts.assume_role(RoleArn=ROLE, RoleSessionName="first")["Credentials"])

    assert first.assume_role(RoleArn=ROLE, RoleSessionName="second")["Credentials"]
    with refused("ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining"):
        first.assume_role(RoleArn=ROLE, RoleSessionName="second", DurationSeconds=3601)


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"RoleArn": "arn:aws:iam::222222222222:user/x"}, "ValidationError", ":user/x is invalid"),
        ({"RoleArn": "Deployer-without-an-arn"}, "ValidationError", "Deployer-without-an-arn is invalid"),
        ({"RoleSessionName": "a b"}, "ValidationError", "Value 'a b' at 'roleSessionName'"),
        ({"RoleSessionName": "a"}, "ValidationError", "[\\w+=,.@-]{2,64}"),
        ({"DurationSeconds": 899}, "ValidationError", "Value '899' at 'durationSeconds' failed to satisfy "
         "constraint: Member must have value greater than or equal to 900"),
        ({"DurationSeconds": 43201}, "ValidationError", "less than or equal to 43200"),
        ({"Policy": "{}"}, "ValidationError", "Atoll does not support the parameter Policy of AssumeRole."),
        ({"SerialNumber": "arn:aws:iam::1:mfa/x"}, "ValidationError", "SerialNumber"),
    ],
    ids=["a user", "no ARN", "a blank", "too short a name", "too short", "too long", "a policy", "a second factor"],
)  # fmt: skip
def test_a_role_is_refused_for(paper, sts, parameters, code, message):
    with refused(code, message):
        sts.assume_role(**({"RoleArn": ROLE, "RoleSessionName": "ci"} | parameters))

    assert list(paper.world.all(AccessKey)) == []


def test_a_session_has_limits_too(sts):
    with refused("ValidationError", "greater than or equal to 900"):
        sts.get_session_token(DurationSeconds=60)
    with refused("ValidationError", "less than or equal to 129600"):
        sts.get_session_token(DurationSeconds=129601)


def test_the_account_of_a_key(sts):
    keys = sts.assume_role(RoleArn=ROLE, RoleSessionName="ci")["Credentials"]

    def account(id):
        return sts.get_access_key_info(AccessKeyId=id)["Account"]

    assert account(keys["AccessKeyId"]) == "222222222222"
    assert account("111122223333") == "111122223333"
    assert account("AKIAIOSFODNN7EXAMPLE") == "000000000000"
    with refused("ValidationError", "at 'accessKeyId' failed to satisfy constraint"):
        account("not a key!")


def test_the_rest_of_sts_is_refused_by_name(sts):
    with refused("InvalidAction", "Atoll does not support the operation DecodeAuthorizationMessage."):
        sts.decode_authorization_message(EncodedMessage="x")
    with refused("InvalidAction", "AssumeRoleWithWebIdentity"):
        sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="ci", WebIdentityToken="x" * 8)
