"""Masking keys in SSM Parameter Store, one for each epoch.

`/testenv/masking/keys/EPOCH` is a SecureString: 32 random bytes in base64. `/testenv/masking/epoch` names the current
epoch. A worker fetches the key itself: it stands in no argument, plan, environment variable, event log or message.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import os
import re
import secrets
from typing import Any

from testenv.core.errors import Conflict, Failed, Invalid, NotFound
from testenv.datasets.mask.keyed import LENGTH, Key

FOLDER = "/testenv/masking/keys/"
CURRENT = "/testenv/masking/epoch"
_EPOCH = re.compile(r"e[0-9]{4}")


@functools.cache
def ssm() -> Any:
    """A client by the environment's own settings: a worker has no others."""
    import boto3
    from botocore.config import Config

    settings = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("ssm", region_name=os.environ.get("AWS_REGION"), config=settings)


def current_epoch(client: Any = None) -> str:
    """The epoch that a refresh masks under. Raises `NotFound` where none was ever made."""
    client = client or ssm()
    try:
        return _checked(client.get_parameter(Name=CURRENT)["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        raise NotFound(f"there is no masking key: the SSM parameter {CURRENT} is missing. Make one: rotate()") from None


def fetch(epoch: str, client: Any = None) -> Key:
    """The key of `epoch`. Raises `NotFound`; what the parameter holds is in no message."""
    client = client or ssm()
    try:
        text = client.get_parameter(Name=FOLDER + _checked(epoch), WithDecryption=True)["Parameter"]["Value"]
    except client.exceptions.ParameterNotFound:
        raise NotFound(
            f"there is no masking key of epoch {epoch}: its SSM parameter is missing, or was retired"
        ) from None
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != LENGTH:
        raise Failed(
            f"the SSM parameter {FOLDER}{epoch} holds no key of {LENGTH} bytes in base64. Rotate to a new epoch"
        )
    return Key(epoch, secret)


def ensure_current(client: Any = None) -> str:
    """The current epoch, made if there is none yet. Of two who come first at once, one makes it."""
    client = client or ssm()
    try:
        return current_epoch(client)
    except NotFound:
        return _begin("e0001", client)


def rotate(client: Any = None) -> str:
    """Make the next epoch's key and let it be current; the next refresh moves every store to it in one version.

    The old key stays until `retire`: a version that is masked under it can still be told apart and completed.
    """
    client = client or ssm()
    try:
        number = int(current_epoch(client)[1:])
    except NotFound:
        number = 0
    return _begin(f"e{number + 1:04d}", client)


def retire(epoch: str, client: Any = None) -> None:
    """Delete the key of an epoch: its tokens can never be made again. Raises `Conflict` for the current one."""
    client = client or ssm()
    if current_epoch(client) == _checked(epoch):
        raise Conflict(f"{epoch} is the current masking epoch, which refreshes need. Rotate first")
    client.delete_parameters(Names=[FOLDER + epoch])


def _begin(epoch: str, client: Any) -> str:
    value = base64.b64encode(secrets.token_bytes(LENGTH)).decode()
    # Where another was first, or died before the pointer moved, the key that is there holds.
    with contextlib.suppress(client.exceptions.ParameterAlreadyExists):
        client.put_parameter(Name=FOLDER + epoch, Value=value, Type="SecureString", Overwrite=False)
    client.put_parameter(Name=CURRENT, Value=epoch, Type="String", Overwrite=True)
    return epoch


def _checked(epoch: str) -> str:
    if not _EPOCH.fullmatch(epoch):
        raise Invalid(f"a masking epoch is written e0001, got {epoch!r}")
    return epoch
