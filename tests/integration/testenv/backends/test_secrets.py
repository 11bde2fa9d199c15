"""Credentials are made once, whoever comes first, and seen by nobody who only looks."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.protocol import Site
from testenv.backends.secrets import SsmVault
from testenv.core.errors import Drifted
from testenv.core.resources import System


def test_ten_who_come_at_once_get_the_same(world: World, site: Site) -> None:
    vaults = [SsmVault(world.config) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda vault: vault.credentials(site.spec.env_id, System.KAFKA), vaults))
    assert all(each == found[0] for each in found)
    assert SsmVault(world.config).find(site.spec.env_id, System.KAFKA) == found[0]


def test_looking_makes_nothing(world: World, site: Site) -> None:
    assert world.vault.find(site.spec.env_id, System.KAFKA) is None
    assert world.backends[System.SECRETS].observe(site.spec.env_id) == frozenset()


def test_they_are_encrypted_and_tagged(world: World, site: Site) -> None:
    world.vault.credentials(site.spec.env_id, System.POSTGRES)
    ssm, name = client("ssm", world.config), site.names.parameter("credentials", "postgres")
    assert ssm.get_parameter(Name=name)["Parameter"]["Type"] == "SecureString"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert {"Key": "testenv:env", "Value": str(site.spec.env_id)} in tags


def test_no_log_and_no_repr_has_them(world: World, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Everything below warnings too, except botocore's wire log at DEBUG, which nobody may switch on."""
    with caplog.at_level(logging.INFO):
        for system in (System.SECRETS, System.POSTGRES, System.SNOWFLAKE, System.KAFKA):
            world.ensure(site, system)
            world.backends[system].probe(site)
    shown = caplog.text + repr(world.config) + "".join(map(repr, world.backends.values())) + repr(site)
    for system in (System.POSTGRES, System.KAFKA, System.SNOWFLAKE, System.ORCHESTRATOR):
        login = world.vault.credentials(site.spec.env_id, system)
        assert not [key for key, value in login.items() if key != "user" and value in shown]


def test_one_that_is_missing_is_drift(world: World, site: Site) -> None:
    world.ensure(site, System.SECRETS)
    client("ssm", world.config).delete_parameter(Name=site.names.parameter("credentials", "kafka"))
    with pytest.raises(Drifted, match="kafka"):
        world.backends[System.SECRETS].probe(site)
