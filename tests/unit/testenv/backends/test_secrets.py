"""Credentials are random, complete for their system, and shown nowhere."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from testenv.backends.secrets import HOLDERS, make_credentials, public_key
from testenv.core.naming import EnvId, Names
from testenv.core.resources import System

NAMES = Names(EnvId("sbx-pay-fix"))


@pytest.mark.parametrize("system", HOLDERS)
def test_no_two_are_alike(system: System) -> None:
    one, other = make_credentials(NAMES, system), make_credentials(NAMES, system)
    assert one.keys() == other.keys()
    assert all(one[key] != other[key] for key in one.keys() - {"user"})


@pytest.mark.parametrize("system", HOLDERS)
def test_each_is_one_line_of_printable_ascii(system: System) -> None:
    for value in make_credentials(NAMES, system).values():
        assert value.isascii() and value.isprintable()


def test_users_are_the_environments() -> None:
    users = {system: make_credentials(NAMES, system)["user"] for system in HOLDERS}
    assert users == {
        System.POSTGRES: "te_sbx_pay_fix",
        System.SNOWFLAKE: "TE_SBX_PAY_FIX",
        System.KAFKA: "te-sbx-pay-fix",
        System.ORCHESTRATOR: "admin",
    }


def test_snowflakes_is_an_rsa_key_pair_of_2048_bits() -> None:
    made = make_credentials(NAMES, System.SNOWFLAKE)
    private = load_der_private_key(base64.b64decode(made["private_key"], validate=True), password=None)
    public = load_der_public_key(base64.b64decode(public_key(made["private_key"]), validate=True))
    assert private.key_size == 2048
    assert private.public_key().public_numbers() == public.public_numbers()


def test_the_orchestrators_fernet_key_is_one() -> None:
    key = Fernet(make_credentials(NAMES, System.ORCHESTRATOR)["fernet_key"])
    assert key.decrypt(key.encrypt(b"x")) == b"x"


def test_a_system_without_a_login_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="spark has no login"):
        make_credentials(NAMES, System.SPARK)
