"""Signatures as botocore makes them, and as the Java SDK does, which signs other headers."""

from __future__ import annotations

from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from local.aws.signature import Authorization, Request, is_valid, sign

SECRET = "secret"
KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda key: not set(key) & {"/"} and key not in {".", ".."}
)


def signed(auth: type[SigV4Auth], service: str, method: str, url: str, body: bytes = b"") -> Request:
    """A request that botocore has signed, as a server sees it."""
    request = AWSRequest(method, url, data=body)
    auth(Credentials("AKIA", SECRET), service, "eu-central-1").add_auth(request)
    prepared = request.prepare()
    path, _, query = prepared.url.removeprefix("http://localhost:1").partition("?")
    headers = CaseInsensitiveDict({**prepared.headers, "Host": "localhost:1"})
    return Request(method, path, query, headers, body)


def valid(request: Request, secret: str = SECRET) -> bool:
    return is_valid(request, Authorization.parse(request.headers["Authorization"]), secret)


@given(key=KEYS, value=KEYS)
def test_what_botocore_signs_for_s3_is_valid(key: str, value: str) -> None:
    url = f"http://localhost:1/bucket/{quote(key, safe='~')}?prefix={quote(value, safe='-_.~')}&x="
    request = signed(S3SigV4Auth, "s3", "PUT", url, b"body")
    assert valid(request)
    assert not valid(request, "another secret")


def test_an_empty_json_body_is_valid() -> None:
    """moto hashes the headers in its stead and refuses."""
    assert valid(signed(SigV4Auth, "emr-serverless", "GET", "http://localhost:1/applications"))


def test_a_changed_body_is_not_valid() -> None:
    request = signed(SigV4Auth, "sts", "POST", "http://localhost:1/", b"Action=GetCallerIdentity")
    changed = Request(request.method, request.path, request.query, request.headers, b"Action=AssumeRole")
    assert valid(request)
    assert not valid(changed)


def test_a_changed_path_is_not_valid() -> None:
    request = signed(S3SigV4Auth, "s3", "GET", "http://localhost:1/bucket/a")
    assert not valid(Request("GET", "/bucket/b", request.query, request.headers, b""))


def test_a_signed_user_agent_counts() -> None:
    """The Java SDK signs `user-agent`, which botocore leaves out; moto refuses every request of Spark for it."""
    headers = CaseInsensitiveDict({"Host": "h", "User-Agent": "aws-sdk-java", "X-Amz-Date": "20240101T000000Z"})
    given_ = Authorization("AKIA", "20240101", "eu-central-1", "s3", ("host", "user-agent", "x-amz-date"), "")
    one = sign(Request("GET", "/b/k", "", headers, b""), given_, SECRET)
    other = sign(Request("GET", "/b/k", "", {**headers, "User-Agent": "x"}, b""), given_, SECRET)
    assert one != other
