"""Who may log in: password hashes and key-pair tokens. Pure functions over a user's stored properties."""

import base64
import binascii
import hashlib
import hmac
import os
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

_MAX_TOKEN_SECONDS = 3600 + 60  # Snowflake takes no token issued more than an hour ago; a minute for the clocks
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


class LoginRefused(Exception):
    """A login that Snowflake would refuse, with the code that its clients know it by."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def bad_password() -> LoginRefused:
    return LoginRefused("390100", "Incorrect username or password was specified.")


def bad_token(reason: str) -> LoginRefused:
    return LoginRefused("390144", f"JWT token is invalid. [{reason}]")


def hash_password(password: str) -> str:
    """A salted scrypt hash, ``salt$hash`` in hex."""
    salt = os.urandom(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def password_matches(password: str, stored: str | None) -> bool:
    """Whether the password is the one that was hashed; never true when none is stored."""
    if not stored or not password:
        return False
    salt, expected = stored.split("$")
    actual = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT)
    return hmac.compare_digest(actual.hex(), expected)


def read_public_key(text: str) -> str:
    """Normalise a public key, given as base64 DER or PEM, to base64 DER on one line.

    Raises:
        ValueError: if it is no RSA public key of at least 2048 bits.
    """
    body = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode(body, validate=True))
    except (ValueError, binascii.Error) as e:
        raise ValueError("not the base64 of a DER public key") from e
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise ValueError("not an RSA public key of at least 2048 bits")
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def fingerprint(public_key: str) -> str:
    """``SHA256:…`` of a base64 DER public key, as DESCRIBE USER shows it and tokens name it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(public_key)).digest()).decode()


def verify_token(token: str, account: str, login_name: str, public_keys: list[str]) -> None:
    """Check a key-pair token: RS256, signed by one of the user's keys, issued for this account and user, fresh.

    Raises:
        LoginRefused: 390144, naming what is wrong with the token.
    """
    principal = f"{account.upper().partition('.')[0]}.{login_name.upper()}"
    for key in public_keys:
        if _issuer(token) != f"{principal}.{fingerprint(key)}":
            continue
        try:
            claims = jwt.decode(
                token,
                load_der_public_key(base64.b64decode(key)),  # type: ignore[arg-type]  # read_public_key let in RSA only
                algorithms=["RS256"],
                options={"require": ["iss", "sub", "iat", "exp"]},
                leeway=30,
            )
        except jwt.InvalidTokenError as e:
            raise bad_token(str(e)) from e
        if claims["sub"] != principal:
            raise bad_token(f"subject is not {principal}")
        if time.time() - claims["iat"] > _MAX_TOKEN_SECONDS:
            raise bad_token("issued more than an hour ago")
        return
    raise bad_token("issuer is not ACCOUNT.USER.SHA256:fingerprint of a key of this user")


def _issuer(token: str) -> str:
    try:
        return str(jwt.decode(token, options={"verify_signature": False}).get("iss"))
    except jwt.InvalidTokenError as e:
        raise bad_token("malformed") from e
