"""Who signs: the root user, IAM users and assumed roles, with the policies that bind them.

Faults of moto mended here: sessions never expire, session policies are ignored, and there is no root user, so nothing
could be set up while permissions are enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials
from moto.core.exceptions import _RESTError
from moto.core.utils import utcnow
from moto.iam.access_control import AssumedRoleAccessKey, CreateAccessKeyFailure, IAMPolicy, IAMUserAccessKey
from moto.iam.exceptions import NotFoundException
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
    if "X-Amz-Security-Token" not in headers:
        user = IAMUserAccessKey(account, "aws", key_id, headers)
        return Principal(user.arn, user.create_credentials(), _documents(user.collect_policies()))
    role = AssumedRoleAccessKey(account, "aws", key_id, headers)
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(key_id)
    if session is None or session.expiration < utcnow():
        raise ExpiredTokenError
    try:
        identity = _documents(role.collect_policies())
    except NotFoundException as error:  # the role was deleted while its session lived
        raise CreateAccessKeyFailure(reason="InvalidId") from error
    return Principal(
        role.arn, role.create_credentials(), identity, _documents([session.policy]) if session.policy else ()
    )


def _documents(policies: list[Any]) -> tuple[dict[str, Any], ...]:
    """The JSON of inline policies (a document, or moto's dict around one) and of managed ones (moto's Policy)."""
    return tuple(IAMPolicy(policy)._policy_json for policy in policies)
