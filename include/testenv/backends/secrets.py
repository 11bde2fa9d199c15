"""Credentials of environments in SSM Parameter Store: made once, before what they open exists."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from testenv.backends.aws import client, translate
from testenv.backends.guards import require_derived
from testenv.backends.protocol import Credentials, Site, Vault
from testenv.backends.redaction import remember
from testenv.config import Config
from testenv.core.errors import Drifted
from testenv.core.naming import EnvId, Names, owner_of
from testenv.core.resources import Resource, System

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

HOLDERS = (System.POSTGRES, System.SNOWFLAKE, System.KAFKA, System.ORCHESTRATOR)
"""Systems that an environment logs in to."""

_DERIVED = {"credentials": lambda names, name: name in {names.parameter("credentials", s) for s in HOLDERS}}


class SsmVault:
    """Credentials as SecureString parameters `/testenv/ID/credentials/SYSTEM`, each a JSON object."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def credentials(self, env_id: EnvId, system: System) -> Credentials:
        """The environment's credentials for `system`; made and kept on first use, by whoever comes first."""
        return self.find(env_id, system) or self._create(env_id, system)

    @translate
    def find(self, env_id: EnvId, system: System) -> Credentials | None:
        ssm = client("ssm", self._config)
        try:
            answer = ssm.get_parameter(Name=_parameter(env_id, system), WithDecryption=True)
        except ssm.exceptions.ParameterNotFound:
            return None
        found = dict(json.loads(answer["Parameter"]["Value"]))
        remember(found)
        return found

    @translate
    def _create(self, env_id: EnvId, system: System) -> Credentials:
        made = make_credentials(Names(env_id), system)
        remember(made)
        ssm = client("ssm", self._config)
        try:
            ssm.put_parameter(
                Name=_parameter(env_id, system),
                Value=json.dumps(made),
                Type="SecureString",
                Overwrite=False,
                Tags=[{"Key": "testenv:env", "Value": Names(env_id).tag}],
            )
        except ssm.exceptions.ParameterAlreadyExists:  # another process was first: its credentials hold
            return self.find(env_id, system) or self._create(env_id, system)
        return made


class SecretsBackend:
    """Kind `credentials`: one parameter for each system that an environment logs in to."""

    system = System.SECRETS

    def __init__(self, config: Config, vault: Vault) -> None:
        self._config = config
        self._vault = vault

    def ensure(self, resource: Resource, site: Site) -> None:
        names = require_derived(resource, _DERIVED)
        self._vault.credentials(names.env_id, System(resource.name.rsplit("/", 1)[1]))

    @translate
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        # Names only, never values: nothing here may decrypt.
        path = Names(env_id).parameter("credentials") if env_id else "/testenv"
        pages = client("ssm", self._config).get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        found = [entry["Name"] for page in pages for entry in page["Parameters"]]
        return frozenset(
            Resource(self.system, "credentials", name)
            for name in found
            if (owner := owner_of(name)) and name.startswith(Names(owner).parameter("credentials", ""))
        )

    @translate
    def destroy(self, resource: Resource) -> None:
        require_derived(resource, _DERIVED)
        client("ssm", self._config).delete_parameters(Names=[resource.name])

    def probe(self, site: Site) -> Mapping[str, int]:
        """How many credentials there are. Raises `Drifted` where one is missing."""
        missing = [system for system in HOLDERS if not self._vault.find(site.spec.env_id, system)]
        if missing:
            raise Drifted(
                f"{site.spec.env_id} lacks credentials for {', '.join(missing)}. Heal it, or destroy and provision anew"
            )
        return {"secrets.credentials": len(HOLDERS)}


def make_credentials(names: Names, system: System) -> dict[str, str]:
    """New credentials of an environment for `system`, random. Raises `ValueError` for one that has no login."""
    match system:
        case System.POSTGRES:
            return {"user": names.postgres_role, "password": secrets.token_urlsafe(24)}
        case System.KAFKA:
            return {"user": names.kafka_user, "password": secrets.token_urlsafe(24)}
        case System.SNOWFLAKE:
            return {"user": names.snowflake_user, "private_key": _new_private_key()}
        case System.ORCHESTRATOR:
            return {
                "user": "admin",
                "password": secrets.token_urlsafe(24),
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "secret_key": secrets.token_urlsafe(32),
            }
        case _:
            raise ValueError(f"{system} has no login of its own; those that have are {', '.join(HOLDERS)}")


def public_key(private_key: str) -> str:
    """A private key's public half as `RSA_PUBLIC_KEY` takes it: base64 of the DER (SubjectPublicKeyInfo), one line."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = _load(private_key).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _load(private_key: str) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    key = load_der_private_key(base64.b64decode(private_key), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("a Snowflake key pair is RSA; make the environment's credentials anew")
    return key


def _new_private_key() -> str:
    """RSA-2048, base64 of the PKCS#8 DER, one line."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _parameter(env_id: EnvId, system: System) -> str:
    return Names(env_id).parameter("credentials", system)
