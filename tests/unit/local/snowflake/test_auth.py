"""Passwords and keys."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.snowflake import auth


def encoded(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPublicKey:
    return rsa.generate_private_key(65537, 2048).public_key()


def test_password_matches_itself_only() -> None:
    stored = auth.hash_password("correct horse")
    assert "correct" not in stored
    assert auth.password_matches("correct horse", stored)
    assert not auth.password_matches("correct horse ", stored)
    assert stored != auth.hash_password("correct horse")


@pytest.mark.parametrize("password", ["", "anything", "None"])
def test_no_password_is_matched_by_none(password: str) -> None:
    assert not auth.password_matches(password, None)
    assert not auth.password_matches("", auth.hash_password(""))


def test_key_is_read_from_pem_or_base64_in_lines(key: rsa.RSAPublicKey) -> None:
    one_line = encoded(key)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    in_lines = "\n".join(one_line[i : i + 64] for i in range(0, len(one_line), 64))
    assert {auth.read_public_key(form) for form in (one_line, pem, in_lines)} == {one_line}


def test_other_keys_are_refused() -> None:
    small = encoded(rsa.generate_private_key(65537, 1024).public_key())
    curve = encoded(ec.generate_private_key(ec.SECP256R1()).public_key())
    for text in ("", "no base64!", base64.b64encode(b"no key").decode(), small, curve):
        with pytest.raises(ValueError, match="not "):
            auth.read_public_key(text)


def test_malformed_token_is_refused(key: rsa.RSAPublicKey) -> None:
    with pytest.raises(auth.LoginRefused) as caught:
        auth.verify_token("not.a.token", "ACC", "U", [encoded(key)])
    assert caught.value.code == "390144"
