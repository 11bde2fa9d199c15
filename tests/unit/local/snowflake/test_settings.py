"""The server's settings file."""

import json
from pathlib import Path

import pytest

from local.snowflake.settings import Settings

GOOD = {
    "admin_user": "ADMIN", "admin_public_key": "MII", "s3_endpoint": "http://localhost:1", "aws_access_key_id": "a",
    "aws_secret_access_key": "s", "region": "eu-west-1",
}  # fmt: skip


def write(path: Path, settings: dict[str, str], mode: int = 0o600) -> Path:
    path.write_text(json.dumps(settings))
    path.chmod(mode)
    return path


def test_settings_are_read(tmp_path: Path) -> None:
    assert Settings.read(write(tmp_path / "s.json", GOOD)) == Settings(**GOOD)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_file_that_others_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "s.json", GOOD, mode)
    with pytest.raises(SystemExit, match=f"chmod 600 {path}"):
        Settings.read(path)


@pytest.mark.parametrize("change", [{"admin_user": None}, {"password": "x"}])
def test_missing_and_unknown_settings_are_refused(tmp_path: Path, change: dict[str, str | None]) -> None:
    settings = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(SystemExit, match="must hold exactly"):
        Settings.read(write(tmp_path / "s.json", settings))
