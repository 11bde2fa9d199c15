"""Masking keys in SSM Parameter Store, one for each epoch.

`ROOT/keys/EPOCH` is a SecureString: 32 random bytes in base64. `ROOT/epoch` names the current epoch. A worker fetches
the key itself: it stands in no argument, plan, environment variable, event log or message.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import secrets
from typing import Any

from testenv.backends.aws import worker_client
from testenv.core.errors import Conflict, Failed, Invalid, NotFound
from testenv.datasets.mask.keyed import LENGTH, Key

ROOT = "/testenv/masking"
_EPOCH = re.compile(r"e[0-9]{4}")


class Keys:
    """The keys below `root`. Workers need `fetch` alone; `rotate` and `retire` are an administrator's."""

    def __init__(self, root: str = ROOT, client: Any = None) -> None:
        self._root = root
        self._given = client

    @property
    def _client(self) -> Any:
        return self._given or worker_client("ssm")

    def fetch(self, epoch: str) -> Key:
        """The key of `epoch`. Raises `NotFound`; what the parameter holds is in no message."""
        name = self._name(epoch)
        try:
            text = self._client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        except self._client.exceptions.ParameterNotFound:
            raise NotFound(f"there is no masking key of epoch {epoch} ({name}). Was it retired?") from None
        try:
            secret = base64.b64decode(text, validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != LENGTH:
            raise Failed(f"the SSM parameter {name} holds no {LENGTH} bytes in base64. Rotate to a new epoch")
        return Key(epoch, secret)

    def current(self) -> str:
        """The epoch that a refresh masks under. Raises `NotFound` where none was ever made."""
        name = f"{self._root}/epoch"
        try:
            epoch = str(self._client.get_parameter(Name=name)["Parameter"]["Value"])
        except self._client.exceptions.ParameterNotFound:
            raise NotFound(f"there is no masking key: the SSM parameter {name} is missing. Make one: rotate") from None
        self._name(epoch)
        return epoch

    def ensure(self) -> str:
        """The current epoch; the first is made if there is none. Of several who come at once, one makes its key."""
        try:
            return self.current()
        except NotFound:
            return self._begin("e0001")

    def rotate(self) -> str:
        """Make the next epoch's key and let it be current: the next refresh moves every store to it in one version.

        The old key stays until `retire`.
        """
        try:
            number = int(self.current()[1:])
        except NotFound:
            number = 0
        return self._begin(f"e{number + 1:04d}")

    def retire(self, epoch: str) -> None:
        """Delete an epoch's key: its tokens can never be made again. Raises `Conflict` for the current one."""
        if self.current() == epoch:
            raise Conflict(f"{epoch} is the current masking epoch, which refreshes need. Rotate first")
        self._client.delete_parameters(Names=[self._name(epoch)])

    def _begin(self, epoch: str) -> str:
        value = base64.b64encode(secrets.token_bytes(LENGTH)).decode()
        # Where another was first, or died before the pointer moved, the key that is there holds.
        with contextlib.suppress(self._client.exceptions.ParameterAlreadyExists):
            self._client.put_parameter(Name=self._name(epoch), Value=value, Type="SecureString", Overwrite=False)
        self._client.put_parameter(Name=f"{self._root}/epoch", Value=epoch, Type="String", Overwrite=True)
        return epoch

    def _name(self, epoch: str) -> str:
        if not _EPOCH.fullmatch(epoch):
            raise Invalid(f"a masking epoch is written e0001, got {epoch!r}")
        return f"{self._root}/keys/{epoch}"
