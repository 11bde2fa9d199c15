"""Secrets: made once, the owner's alone."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from local.secret_store import SecretStore, public_key_of


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = SecretStore(path).password("one")
    assert SecretStore(path).password("one") == made
    assert SecretStore(path).password("two") != made
    assert len(made) == 32


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    SecretStore(path).password("one")
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_who_share_the_file_get_the_same_secret(tmp_path: Path) -> None:
    stores = [SecretStore(tmp_path / "secrets.json") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda store: store.password("one"), stores))
    assert len(made) == 1


def test_a_key_pair_is_as_snowflake_wants_it(tmp_path: Path) -> None:
    private = SecretStore(tmp_path / "secrets.json").private_key("snowflake")
    key = load_der_private_key(base64.b64decode(private), password=None)
    public = load_der_public_key(base64.b64decode(public_key_of(private)))
    assert key.public_key() == public
    assert "\n" not in private


def test_an_access_key_has_the_shape_of_one(tmp_path: Path) -> None:
    store = SecretStore(tmp_path / "secrets.json")
    assert len(store.access_key_id("root_id")) == 20
    assert store.access_key_id("root_id").startswith("AKIA")
    assert len(store.secret_access_key("root")) == 40
