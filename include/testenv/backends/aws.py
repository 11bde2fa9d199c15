"""AWS clients: one place for their timeouts, and for turning their errors into ours."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from testenv.backends.redaction import redacted, shown_cause
from testenv.config import Config
from testenv.core.errors import Busy, Denied, Failed, TestenvError, Unavailable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

P = ParamSpec("P")
R = TypeVar("R")

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 3
"""A service that never answers is given up after a minute and a half, well before a task's own end."""

_BUSY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown", "RequestLimitExceeded"}
SERVICES = ("s3", "ssm", "iam", "sts", "ecs", "emr-serverless")
"""What the backends speak to."""

_DENIED = {"AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"}


def client(service: str, config: Config) -> Any:
    """A boto3 client with timeouts on every call. Cached: making one costs tens of milliseconds."""
    return _client(service, config.region, config.endpoint_url)


def make_clients(config: Config) -> None:
    """Make every client now, in a process whose children shall find them made. They open no connection yet."""
    for service in SERVICES:
        client(service, config)


def session_client(service: str, config: Config, session: Mapping[str, Any]) -> Any:
    """A boto3 client that signs with a session's credentials; the same timeouts, and not cached."""
    return _make(
        service,
        config.region,
        config.endpoint_url,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


@functools.cache
def worker_client(service: str) -> Any:
    """A boto3 client by the variables of the process: a worker of Spark has no other settings."""
    return _make(service, os.environ.get("AWS_REGION"), "")


@functools.lru_cache(maxsize=64)
def _client(service: str, region: str, endpoint: str) -> Any:
    return _make(service, region, endpoint)


def _make(service: str, region: str | None, endpoint: str, **credentials: str) -> Any:
    import boto3
    from botocore.config import Config as Settings

    settings = Settings(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=20,
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    return boto3.client(service, region_name=region, endpoint_url=endpoint or None, config=settings, **credentials)


def translate(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` raise only errors of `testenv.core.errors` for what AWS says."""

    @functools.wraps(function)
    def translated(*args: P.args, **kwargs: P.kwargs) -> R:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return function(*args, **kwargs)
        except ClientError as error:
            raise of_client_error(error) from shown_cause(error)
        except BotoCoreError as error:
            raise of_core_error(error) from shown_cause(error)

    return translated


def of_client_error(error: ClientError) -> TestenvError:
    """What AWS answered, as one of ours: the operation, the code and AWS's own words."""
    code, status = error.response["Error"]["Code"], error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = redacted(f"AWS {error.operation_name}: {code}: {error.response['Error'].get('Message', '')}")
    if code in _BUSY or status == 429:
        return Busy(f"{words}. It will be tried again")
    if status >= 500:
        return Unavailable(f"{words}. It will be tried again")
    if code in _DENIED or status in (401, 403):
        return Denied(f"{words}. The role that asked lacks the permission")
    return Failed(words)


def of_core_error(error: BotoCoreError) -> TestenvError:
    """What kept a call from reaching AWS, as one of ours."""
    from botocore import exceptions as vendor

    if isinstance(error, (vendor.HTTPClientError, vendor.ConnectionError)):
        return Unavailable(f"AWS does not answer: {redacted(str(error))}. Is it up (make status)?")
    if isinstance(error, (vendor.NoCredentialsError, vendor.PartialCredentialsError)):
        return Denied(f"AWS credentials are missing: {error}. Set AWS_ACCESS_KEY_ID and its kin, or a task role")
    return Failed(f"AWS client: {redacted(str(error))}")
