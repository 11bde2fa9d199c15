"""Masking keys in the Parameter Store that runs."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Iterator

import pytest

from testenv.backends.aws import client
from testenv.config import Config
from testenv.core.errors import Conflict, Invalid, NotFound
from testenv.datasets.mask.keys import Keys


@pytest.fixture
def keys(config: Config) -> Iterator[Keys]:
    root = f"/testenv/masking-test-{secrets.token_hex(4)}"
    ssm = client("ssm", config)
    yield Keys(root, ssm)
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True)
    if made := [each["Name"] for page in pages for each in page["Parameters"]]:
        ssm.delete_parameters(Names=made)


def test_the_first_key_is_made_on_demand_and_once(keys: Keys) -> None:
    with pytest.raises(NotFound, match="there is no masking key"):
        keys.current()
    assert keys.ensure() == keys.ensure() == "e0001"
    assert keys.fetch("e0001") == keys.fetch("e0001")


def test_rotation_makes_another_key_and_keeps_the_old_one(keys: Keys) -> None:
    old = keys.fetch(keys.ensure())
    assert keys.rotate() == keys.current() == "e0002"
    assert keys.fetch("e0002").secret != old.secret
    assert keys.fetch("e0001") == old


def test_a_retired_key_is_gone_and_the_current_one_cannot_be(keys: Keys) -> None:
    keys.ensure()
    with pytest.raises(Conflict, match="e0001 is the current"):
        keys.retire("e0001")
    keys.rotate()
    keys.retire("e0001")
    with pytest.raises(NotFound, match="no masking key of epoch e0001"):
        keys.fetch("e0001")


def test_a_rotation_that_died_half_way_is_finished_by_the_next(keys: Keys) -> None:
    keys.ensure()
    half = keys._client
    half.put_parameter(Name=keys._name("e0002"), Value="A" * 43 + "=", Type="SecureString")
    assert keys.rotate() == "e0002"
    assert keys.fetch("e0002").secret == bytes(32)


@pytest.mark.parametrize("epoch", ["", "1", "e1", "../credentials", "e0001/x"])
def test_an_epoch_s_name_leads_nowhere_else(keys: Keys, epoch: str) -> None:
    with pytest.raises(Invalid, match="a masking epoch is written e0001"):
        keys.fetch(epoch)


def test_a_key_is_neither_shown_nor_pickled(keys: Keys) -> None:
    key = keys.fetch(keys.ensure())
    assert repr(key) == "Key(epoch='e0001')"
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(key)
