"""Who signs: the root user, IAM users and assumed roles, with the policies that bind them.

Faults of moto mended here: sessions never expire, session policies are ignored, and there is no root user, so nothing
could be set up while permissions are enforced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.credentials import Credentials
from moto.core.exceptions import _RESTError
from moto.core.utils import utcnow
from moto.iam.access_control import CreateAccessKeyFailure
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local.aws.policy import Permission, permits
from local.aws.settings import AccessKey


class ExpiredTokenError(_RESTError):
    """The session's end has passed."""

    code = 403

    def __init__(self) -> None:
        super().__init__("ExpiredToken", "The security token included in the request is expired.")


@dataclass(frozen=True)
class Principal:
    """The one who signed a request. `session` holds the session policy of an assumed role, if one was given."""

    arn: str
    credentials: Credentials
    identity: tuple[dict[str, Any], ...] = ()
    session: tuple[dict[str, Any], ...] = ()
    is_root: bool = False

    def may(self, need: Permission) -> bool:
        """True if the policies permit `need`; a session policy can only take away."""
        if self.is_root:
            return True
        return permits(self.identity, need) and (not self.session or permits(self.session, need))


def find(root: AccessKey, account: str, key_id: str, headers: dict[str, str]) -> Principal:
    """The owner of the access key `key_id`. Raises moto's CreateAccessKeyFailure if there is none, ExpiredTokenError
    if past.
    """
    if key_id == root.access_key_id:
        return Principal(f"arn:aws:iam::{account}:root", Credentials(key_id, root.secret_access_key), is_root=True)
    token = headers.get("X-Amz-Security-Token")
    return _user(account, key_id) if token is None else _role(account, key_id, token)


def _user(account: str, key_id: str) -> Principal:
    for user in list(iam_backends[account]["aws"].users.values()):
        for key in user.access_keys:
            if key.access_key_id == key_id and key.status == "Active":
                return Principal(user.arn, Credentials(key_id, key.secret_access_key), _policies(user))
    raise CreateAccessKeyFailure(reason="InvalidId")


def _role(account: str, key_id: str, token: str) -> Principal:
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(key_id)
    if session is None:
        raise CreateAccessKeyFailure(reason="InvalidId")
    if session.session_token != token:
        raise CreateAccessKeyFailure(reason="InvalidToken")
    if session.expiration < utcnow():
        raise ExpiredTokenError
    role = iam_backends[account]["aws"].get_role_by_id(str(session.role_id))  # type: ignore[attr-defined]
    if role is None:  # it was deleted while its session lived
        raise CreateAccessKeyFailure(reason="InvalidId")
    credentials = Credentials(key_id, session.secret_access_key, token)
    return Principal(session.arn, credentials, _policies(role), (_document(session.policy),) if session.policy else ())


def _policies(holder: Any) -> tuple[dict[str, Any], ...]:
    """The inline policies of a user or a role, the only ones that can be made here."""
    return tuple(map(_document, list(holder.policies.values())))


@lru_cache(maxsize=1024)
def _document(text: str) -> dict[str, Any]:
    """TEXT, parsed; nobody changes the answer."""
    return dict(json.loads(text))
