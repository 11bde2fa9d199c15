"""Makes moto use the derived ids of `stable_ids` in place of random ones."""

from __future__ import annotations

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import AccessKey as MotoAccessKey
from moto.iam.models import User
from moto.moto_api._internal import mock_random

from local.aws.settings import Settings
from local.aws.stable_ids import derive, user_key


def install(settings: Settings) -> None:
    """Derive users' access keys, and create the region's default VPC with derived ids."""
    secret = settings.account_root.secret_access_key
    original = User.create_access_key

    def create_access_key(self: User, prefix: str, status: str = "Active") -> MotoAccessKey:
        key = original(self, prefix, status)
        created = getattr(self, "keys_created", 0)
        derived = user_key(secret, self.name, created)
        self.keys_created = created + 1  # type: ignore[attr-defined]
        key.access_key_id, key.secret_access_key = derived.access_key_id, derived.secret_access_key
        return key

    User.create_access_key = create_access_key  # type: ignore[method-assign]
    # moto creates a default VPC and its subnets when the region's EC2 is first asked for, with ids from its generator.
    mock_random.seed(derive(secret, "network", settings.region))
    ec2_backends[DEFAULT_ACCOUNT_ID][settings.region]
    mock_random.seed()
