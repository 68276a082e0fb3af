"""IAM authentication tokens: made as AWS's examples make them, with botocore's signer, and judged."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from atoll.aws.connect_token import looks_like_one, refusal, seconds_left
from atoll.cache.login import Login, logins, outdated
from atoll.model.account import AccessKey

ACCOUNT = "111111111111"
KEY = AccessKey(
    id="AKIAKNOWN", account=ACCOUNT, region="us-east-1", secret="known-secret", arn="arn:aws:iam::1:user/u"
)


def token(
    *, cache="sessions", user="app", action="connect", seconds=900, key="AKIAKNOWN", secret="known-secret",
    session=None, region="us-east-1", service="elasticache",
):  # fmt: skip
    credentials, events = Credentials(key, secret, session), HierarchicalEmitter()  # a signer does not keep them
    signer = RequestSigner(ServiceId(service), region, service, "v4", credentials, events)
    query = urlencode({"Action": action, "User": user})
    asked = {"method": "GET", "url": f"https://{cache}/?{query}", "body": {}, "headers": {}, "context": {}}
    return signer.generate_presigned_url(
        asked, operation_name="connect", expires_in=seconds, region_name=region
    ).removeprefix("https://")


def judged(text, *, mode="strict", later=timedelta(), key=KEY, owner=(ACCOUNT, "us-east-1")):
    return refusal(
        text,
        user_id="app",
        cache="sessions",
        owner=owner,
        secret_of={key.id: key}.get,
        mode=mode,
        now=datetime.now(UTC) + later,
    )


def test_a_good_token_opens_the_door_for_as_long_as_it_is_valid():
    made = token()

    assert looks_like_one(made)
    assert judged(made) is None
    assert 890 < seconds_left(made, datetime.now(UTC)) <= 900
    assert judged(made, later=timedelta(minutes=14)) is None


@pytest.mark.parametrize(
    ("made", "because"),
    [
        ({"cache": "others"}, "not for the cache sessions"),
        ({"user": "root"}, "not for the user app"),
        ({"action": "describe"}, "not for the user app"),
        ({"seconds": 901}, "more than 900 seconds"),
        ({"secret": "guessed"}, "signature"),
        ({"key": "AKIAOTHER"}, "security token"),
        ({"service": "s3"}, "not signed as a presigned request to elasticache"),
        ({"region": "eu-west-1"}, "another account or region"),
    ],
)
def test_a_token_that_is_not_meant_or_not_signed_opens_nothing(made, because):
    assert because in judged(token(**made))


def test_a_token_is_good_for_a_quarter_of_an_hour():
    assert "xpired" in judged(token(), later=timedelta(minutes=16))
    assert "xpired" in judged(token(key="test", secret="x"), mode="local", later=timedelta(minutes=16))


def test_an_unknown_key_is_taken_at_its_word_as_by_the_api_and_only_where_the_api_does():
    made = token(key="test", secret="test")

    assert judged(made, mode="local", owner=("000000000000", "us-east-1")) is None
    assert judged(made, mode="local") == "it is signed for another account or region"
    assert judged(made, mode="strict", owner=("000000000000", "us-east-1")) is not None


def test_temporary_keys_come_with_their_session_token():
    key = AccessKey(
        id="ASIA", account=ACCOUNT, region="us-east-1", secret="s", arn="arn:aws:sts::1:x", session_token="tok/en+=",
        expires=datetime.now(UTC) + timedelta(minutes=5),
    )  # fmt: skip

    assert judged(token(key="ASIA", secret="s", session="tok/en+="), key=key) is None
    assert judged(token(key="ASIA", secret="s"), key=key) is not None
    assert judged(token(key="ASIA", secret="s", session="tok/en+="), key=key, later=timedelta(minutes=6)) is not None


UNSIGNED = "sessions/?Action=connect&User=app"


@pytest.mark.parametrize(
    "text", ["", "sessions", "sessions/", "sessions/?", "?", UNSIGNED, f"{UNSIGNED}&X-Amz-Signature=1"]
)
def test_what_is_no_token_opens_nothing(text):
    assert judged(text, mode="local") is not None


def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)


def test_logins_are_found_among_the_first_commands():
    sent = resp("CLIENT", "SETNAME", "x") + resp("hello", "3", "AUTH", "app", "t1") + resp("AUTH", "other", "t2")

    assert list(logins(sent)) == [Login("app", "t1"), Login("other", "t2")]
    assert list(logins(resp("AUTH", "alone"))) == [Login("default", "alone")]


@pytest.mark.parametrize(
    "sent",
    [b"", b"PING\r\n", b"*2\r\n$4\r\nAUTH\r\n", b"*1\r\n$-1\r\n", b"*9999\r\n", b"*2\r\n$99\r\nAUTH\r\n", b"$4\r\n"],
)
def test_what_is_not_whole_is_no_login(sent):
    assert list(logins(sent)) == []


def test_connections_of_token_users_are_outdated_after_twelve_hours():
    said = (
        "id=3 addr=10.0.0.9:5000 laddr=10.0.1.4:6379 name= age=43199 idle=0 user=app resp=2\n"
        "id=4 addr=10.0.0.9:5001 laddr=10.0.1.4:6379 name= age=43200 idle=7 user=app resp=2\n"
        "id=5 addr=10.0.0.9:5002 laddr=10.0.1.4:6379 name= age=99999 idle=7 user=default resp=2\n"
    )

    assert outdated(said, {"app"}, 12 * 3600) == ["4"]
    assert outdated(said, set(), 12 * 3600) == []
