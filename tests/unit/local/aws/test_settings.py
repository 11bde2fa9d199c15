"""The settings file and the ids derived from its secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.aws.settings import AccessKey, Settings
from local.aws.stable_ids import application_id, user_key

DOCUMENT = {
    "work_dir": "/w",
    "spark_python": "/p",
    "spark_submit": "/s",
    "spark_jars": "/j",
    "region": "eu-central-1",
    "account_root": {"access_key_id": "AKIA", "secret_access_key": "hidden"},
}


def test_settings_are_read_and_hide_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "aws.json"
    file.write_text(json.dumps(DOCUMENT))
    settings = Settings.load(file)
    assert settings.account_root == AccessKey("AKIA", "hidden")
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("missing", sorted(DOCUMENT))
def test_a_missing_key_is_named_with_the_file(tmp_path: Path, missing: str) -> None:
    file = tmp_path / "aws.json"
    file.write_text(json.dumps({key: value for key, value in DOCUMENT.items() if key != missing}))
    with pytest.raises(ValueError, match=rf"aws\.json.*{missing}"):
        Settings.load(file)


def test_ids_follow_from_the_secret_and_the_name_alone() -> None:
    assert user_key("s", "u") == user_key("s", "u")
    assert len({user_key("s", "u"), user_key("s", "v"), user_key("t", "u"), user_key("s", "u", 1)}) == 4
    assert len(user_key("s", "u").access_key_id) == 20
    assert application_id("s", "a", 0) != application_id("s", "a", 1)
