from __future__ import annotations

from pathlib import Path

import pytest

from estate.production.settings import Settings, SettingsError

NAMES = [
    "POSTGRES_URL",
    "BUCKET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "KAFKA_BOOTSTRAP",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_USER",
    "KAFKA_PASSWORD",
    "SNOWFLAKE_ACCOUNT",
    "SNOWFLAKE_USER",
    "SNOWFLAKE_PRIVATE_KEY",
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_DATABASE",
    "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_STORAGE_INTEGRATION",
]
COMPLETE = {f"PRODUCTION_{name}": name.lower() for name in NAMES} | {"AWS_REGION": "eu-central-1"}


def test_the_environment_will_do(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path / "none", COMPLETE)
    assert (settings.bucket, settings.snowflake.host, settings.snowflake.port) == ("bucket", "", 443)
    assert settings.aws["endpoint_url"] is None


def test_the_file_wins_over_the_shell(tmp_path: Path) -> None:
    file = tmp_path / "production.env"
    file.write_text("PRODUCTION_BUCKET='a bucket'\nREQUESTS_CA_BUNDLE=/stack/ca.pem\n")
    settings = Settings.read(file, COMPLETE | {"REQUESTS_CA_BUNDLE": "/proxy/ca.pem"})
    assert (settings.bucket, settings.trust) == ("a bucket", {"REQUESTS_CA_BUNDLE": "/stack/ca.pem"})


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    known = {name: value for name, value in COMPLETE.items() if "BUCKET" not in name and "ROLE" not in name}
    with pytest.raises(SettingsError, match=r"not set: PRODUCTION_BUCKET, PRODUCTION_SNOWFLAKE_ROLE\. .*make up"):
        Settings.read(tmp_path / "none", known)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    shown = repr(Settings.read(tmp_path / "none", COMPLETE))
    assert "postgres_url" not in shown and "kafka_password" not in shown and "snowflake_private_key" not in shown
