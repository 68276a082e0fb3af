"""Signatures: botocore signs, Atoll verifies."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws import sigv4
from atoll.aws.dialect import DIALECTS, EC2
from atoll.aws.errors import AwsError
from atoll.aws.http import Request
from atoll.model.account import AccessKey
from tests.aws.conftest import as_received, client
from tests.aws.paper import ask

ARN = "arn:aws:iam::111122223333:user/alice"
ISSUED = AccessKey(id="AKIAIOSFODNN7EXAMPLE", account="111122223333", region="", secret="s3cret/+", arn=ARN)


def signed(method="POST", data=b"Action=DescribeVpcs", *, params=(), signer=SigV4Auth, **headers):
    request = AWSRequest(
        method, "http://localhost:4566/", data=data, params=params, headers={"Host": "localhost:4566", **headers}
    )
    signer(Credentials(ISSUED.id, ISSUED.secret), "ec2", "us-east-1").add_auth(request)
    return as_received(request.prepare())


def identify(request, *, words=EC2, keys=(ISSUED,), mode="strict", now=None):
    return sigv4.identify(
        request,
        sigv4.read_claim(request),
        words,
        secret_of={key.id: key for key in keys}.get,
        mode=mode,
        now=now or datetime.now(UTC),
    )


def refused(request, **how):
    with pytest.raises(AwsError) as error:
        identify(request, **how)
    return error.value.status, error.value.code


def but(request, **changes):
    fields = ("method", "path", "query", "headers", "body")
    return Request(*(changes.get(name, getattr(request, name)) for name in fields))


@pytest.mark.parametrize("service", ["ec2", "elasticache", "elbv2", "sts"])
def test_an_issued_key_that_signs_correctly_is_its_owner(backend, service):
    backend.mode, backend.keys = "strict", {ISSUED.id: ISSUED}
    call = {"ec2": "describe_vpcs", "elbv2": "describe_load_balancers", "sts": "get_caller_identity"}.get(service)
    made = client(backend, service, key=ISSUED.id, secret=ISSUED.secret, region="eu-west-1")
    if call:
        getattr(made, call)()
    else:
        made.delete_cache_subnet_group(CacheSubnetGroupName="g")
    caller = backend.calls[0].caller
    assert (caller.account, caller.region, caller.arn) == ("111122223333", "eu-west-1", ARN)
    assert caller.access_key_id == ISSUED.id


@pytest.mark.parametrize(
    ("service", "call", "status", "code"),
    [
        ("ec2", "describe_vpcs", 401, "AuthFailure"),
        ("elbv2", "describe_load_balancers", 403, "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", 403, "SignatureDoesNotMatch"),
    ],
)
@pytest.mark.parametrize("mode", ["local", "strict"])
def test_an_issued_key_with_a_wrong_secret_is_refused_in_every_mode(backend, service, call, status, code, mode):
    backend.mode, backend.keys = mode, {ISSUED.id: ISSUED}
    with pytest.raises(ClientError) as error:
        getattr(client(backend, service, key=ISSUED.id, secret="wrong"), call)()
    response = error.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)
    assert backend.opened == []


@pytest.mark.parametrize(("key", "account"), [("test", "000000000000"), ("999988887777", "999988887777")])
def test_unknown_keys_are_taken_at_their_word_in_local_mode_only(key, account):
    request = AWSRequest("POST", "http://localhost/", data=b"", headers={"Host": "localhost"})
    SigV4Auth(Credentials(key, "anything"), "ec2", "us-east-1").add_auth(request)
    received = as_received(request.prepare())
    caller = identify(received, mode="local")
    assert (caller.account, caller.arn) == (account, f"arn:aws:iam::{account}:root")
    assert refused(received) == (401, "AuthFailure")
    assert refused(received, words=DIALECTS["sts"]) == (403, "InvalidClientTokenId")


@pytest.mark.parametrize("mode", ["local", "strict"])
def test_an_unsigned_request_is_refused_in_every_mode(mode):
    request = Request("POST", "/", "", {}, b"Action=DescribeVpcs")
    assert refused(request, mode=mode) == (401, "AuthFailure")
    assert refused(request, mode=mode, words=DIALECTS["elasticache"]) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"Action=DeleteVpc"},
        {"method": "GET"},
        {"path": "/other"},
        {"query": "a=b"},
    ],
    ids=["body", "method", "path", "query"],
)
def test_whatever_is_changed_on_the_way_breaks_the_signature(changes):
    assert identify(signed())
    assert refused(but(signed(), **changes)) == (401, "AuthFailure")


def test_a_changed_header_breaks_the_signature_if_it_was_signed():
    request = signed(**{"X-Amz-Meta": "a  b "})
    assert identify(request)
    assert refused(but(request, headers={**request.headers, "x-amz-meta": "c"})) == (401, "AuthFailure")
    assert identify(but(request, headers={**request.headers, "unsigned": "c"}))


def test_the_scope_of_a_signature_cannot_be_borrowed():
    request = signed()
    moved = request.headers["authorization"].replace("us-east-1", "eu-west-1")
    assert refused(but(request, headers={**request.headers, "authorization": moved})) == (401, "AuthFailure")


def test_a_signature_that_does_not_cover_the_host_is_refused():
    class Hostless(SigV4Auth):
        def headers_to_sign(self, request):
            headers = super().headers_to_sign(request)
            del headers["host"]
            return headers

    assert refused(signed(signer=Hostless)) == (401, "AuthFailure")


def test_a_header_that_is_signed_twice_is_refused():
    """Ten thousand times one of 32 KB would be a text of 320 MB to sign."""

    class Twice(SigV4Auth):
        def signed_headers(self, headers_to_sign):
            return super().signed_headers(headers_to_sign) + ";host"

        def canonical_headers(self, headers_to_sign):
            return f"{super().canonical_headers(headers_to_sign)}\nhost:{headers_to_sign['host']}"

    assert refused(signed(signer=Twice)) == (401, "AuthFailure")


@pytest.mark.parametrize(
    ("minutes", "fine"),
    [(-16, False), (-14, True), (14, True), (16, False)],
    ids=["early", "ahead", "behind", "late"],
)
def test_clocks_may_differ_by_a_quarter_of_an_hour(minutes, fine):
    request, now = signed(), datetime.now(UTC) + timedelta(minutes=minutes)
    if fine:
        assert identify(request, now=now)
    else:
        assert refused(request, now=now) == (400, "RequestExpired")
        assert refused(request, now=now, words=DIALECTS["sts"]) == (403, "SignatureDoesNotMatch")


@given(st.lists(st.tuples(st.text("aB 1=+&/~é%", min_size=1), st.text("aB 1=+&/~é%")), max_size=5))
def test_any_query_string_verifies(pairs):
    assert identify(signed("GET", b"", params=pairs))


def test_a_request_with_two_scopes_is_refused(backend):
    both = GOOD.replace("Signed", "Credential=k/20261120/us-east-1/sts/aws4_request, Signed")
    headers = {"authorization": both, "x-amz-date": "20261120T000000Z"}
    out = ask(backend, Request("POST", "/", "", headers, b"Action=DescribeVpcs"))
    assert (out.status, b"AuthFailure" in out.body) == (401, True)


# Presigned


def presign(seconds=900, token=None, service="sts", **params):
    made = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url="http://localhost:4566",
        aws_access_key_id=ISSUED.id,
        aws_secret_access_key=ISSUED.secret,
        aws_session_token=token,
    )
    action = {"sts": "get_caller_identity", "ec2": "describe_vpcs"}[service]
    url = made.generate_presigned_url(action, params, ExpiresIn=seconds, HttpMethod="GET")
    path, _, query = url.partition("4566")[2].partition("?")
    return Request("GET", path, query, {"host": "localhost:4566"}, b"")


def test_a_presigned_request_verifies():
    assert identify(presign()).account == "111122223333"
    assert identify(presign(service="ec2", VpcIds=["a b", "é/+"])).region == "us-east-1"


def test_a_presigned_request_is_answered(backend):
    backend.mode, backend.keys = "strict", {ISSUED.id: ISSUED}
    out = ask(backend, presign())
    assert (out.status, b"<Account>111122223333</Account>" in out.body) == (200, True)


def test_a_presigned_request_lives_as_long_as_it_says():
    request, now = presign(60), datetime.now(UTC)
    assert identify(request, now=now + timedelta(seconds=55))
    assert refused(request, now=now + timedelta(seconds=65), words=DIALECTS["sts"]) == (403, "SignatureDoesNotMatch")


def test_a_presigned_request_lives_at_most_a_week():
    request = presign(700_000)
    assert refused(request) == (400, "IncompleteSignature")
    longer = but(request, query=request.query.replace("X-Amz-Expires=700000", "X-Amz-Expires=600000"))
    assert refused(longer) == (401, "AuthFailure")


def test_a_presigned_signature_covers_its_parameters():
    request = presign(service="ec2", VpcIds=["vpc-1"])
    assert refused(but(request, query=request.query.replace("vpc-1", "vpc-2"))) == (401, "AuthFailure")


# Temporary keys


def test_a_temporary_key_needs_its_token_and_its_time():
    now = datetime.now(UTC)
    key = AccessKey(
        id=ISSUED.id, account="1" * 12, region="", secret=ISSUED.secret, arn=ARN, session_token="tok/+=",
        expires=now + timedelta(hours=1),
    )  # fmt: skip
    words = DIALECTS["sts"]
    assert identify(presign(token="tok/+="), keys=[key])
    assert refused(presign(token="other"), keys=[key], words=words) == (403, "InvalidClientTokenId")
    assert refused(presign(), keys=[key], words=words) == (403, "InvalidClientTokenId")
    stale = key.but(expires=now - timedelta(seconds=1))
    assert refused(presign(token="tok/+="), keys=[stale], words=words) == (403, "ExpiredToken")


def test_a_client_sends_its_session_token(backend):
    key = ISSUED.but(session_token="a-token")
    backend.mode, backend.keys = "strict", {key.id: key}
    assert client(backend, "sts", key=key.id, secret=key.secret, token="a-token").get_caller_identity()
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client(backend, "sts", key=key.id, secret=key.secret, token="another").get_caller_identity()


# Malformed


GOOD = "AWS4-HMAC-SHA256 Credential=k/20261120/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("authorization", "stamp", "says"),
    [
        ("AWS4-HMAC-SHA256", "20261120T000000Z", "requires 'Credential' parameter"),
        ("Basic dGVzdDp0ZXN0", "20261120T000000Z", "not 'Basic'"),
        (GOOD, "", "requires existence of a 'X-Amz-Date' header"),
        (GOOD, "yesterday", "ISO-8601 'basic format'"),
        (GOOD, "20261199T000000Z", "ISO-8601 'basic format'"),
        (GOOD, "20261121T000000Z", "does not match YYYYMMDD"),
        (GOOD.replace("/ec2", ""), "20261120T000000Z", "exactly 5 slash-delimited elements"),
        (GOOD.replace("aws4_", "aws5_"), "20261120T000000Z", "exactly 5 slash-delimited elements"),
        (GOOD.replace("us-east-1", "mars"), "20261120T000000Z", "valid region, not 'mars'"),
        (GOOD.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), "20261120T000000Z", "Atoll verifies AWS4-HMAC-SHA256"),
    ],
)
def test_a_malformed_signature_is_refused_with_its_reason(authorization, stamp, says):
    headers = {"authorization": authorization, "x-amz-date": stamp}
    with pytest.raises(AwsError) as error:
        identify(Request("POST", "/", "", headers, b""), mode="local")
    assert (error.value.status, error.value.code) == (400, "IncompleteSignature")
    assert says in error.value.message
