"""Sessions of roles: found by their access key, kept across restarts, ended with their role.

moto looks for a session in a list of all there ever were, and lets a session of a deleted role live on in the next role
of that name. AWS ties it to the role itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts import urls
from moto.sts.models import AssumedRole, STSBackend, sts_backends

from local.aws.changes import Thing

Keep = Callable[[Iterable[Thing]], None]
"""Writes things down: `kept.Keeper.keep`."""


class KeptBackend(STSBackend):
    """moto's backend, with sessions by their access key."""

    keep: Keep  # set by install()

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.sessions: dict[str, AssumedRole] = {}

    @property
    def _url_module(self) -> Any:
        return urls

    def assume_role(self, *arguments: Any, **options: Any) -> AssumedRole:
        """A session, written down before anyone knows of it."""
        session = super().assume_role(*arguments, **options)
        self.assumed_roles.remove(session)
        session.role_id = _role_id(session.role_arn)  # type: ignore[attr-defined]
        self.sessions[session.access_key_id] = session
        self.keep([Thing("session", session.access_key_id)])
        return session

    def get_assumed_role_from_access_key(self, access_key_id: str) -> AssumedRole | None:
        return self.sessions.get(access_key_id)


def is_over(session: Any) -> bool:
    """True if the session's end has passed, or its role is gone."""
    return bool(session.expiration < utcnow()) or session.role_id != _role_id(session.role_arn)


def _role_id(arn: str) -> str | None:
    try:
        return str(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_role_by_arn(arn).id)
    except NotFoundException:
        return None


def install(keep: Keep) -> None:
    """Make moto use this backend."""
    KeptBackend.keep = staticmethod(keep)
    sts_backends.backend = KeptBackend
