"""The signing key lives in SSM: made once, the same for all, and what it signs is verified by the public key alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.datasets.evidence import signing


@pytest.fixture(autouse=True)
def own_parameters(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names of the test's own, so that a key that is in use stays as it is."""
    names = "/testenv/evidence-test/signing-key", "/testenv/evidence-test/public-key"
    monkeypatch.setattr(signing, "PARAMETER", names[0])
    monkeypatch.setattr(signing, "PUBLIC", names[1])
    yield
    client("ssm", world.config).delete_parameters(Names=list(names))


def test_two_that_make_the_key_at_once_have_one(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda _: signing.signing_key(world.config), range(4)))
    public = {key.public_key().public_bytes_raw() for key in keys}
    assert public == {signing.public_key(world.config)}


def test_the_private_key_is_held_encrypted(world: World) -> None:
    key = signing.signing_key(world.config)
    ssm = client("ssm", world.config)
    held = ssm.get_parameter(Name=signing.PARAMETER, WithDecryption=False)["Parameter"]
    assert held["Type"] == "SecureString"
    assert signing._text(key.private_bytes_raw()) != held["Value"]


def test_without_a_key_nothing_can_be_verified(world: World) -> None:
    with pytest.raises(signing.Denied, match="nothing was signed yet"):
        signing.public_key(world.config)
