"""The catalogue of kinds is checked when it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from testenv.core.catalog import CATALOG
from testenv.core.errors import InvalidCatalog
from testenv.core.kinds import load_kinds

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_the_catalogue_holds_finsights_bounds() -> None:
    kinds = load_kinds()
    assert {name: kind.at_once for name, kind in kinds.items()} == {"ci": 30, "sandbox": 10, "integration": 2}
    assert kinds["ci"].over_quota == "queue"


def test_an_environment_lives_as_long_as_its_kind_or_as_asked() -> None:
    kinds = load_kinds()
    assert kinds["sandbox"].expires(NOON, None) == NOON + timedelta(hours=72)
    assert kinds["sandbox"].expires(NOON, 5) == NOON + timedelta(hours=5)
    assert kinds["integration"].expires(NOON, None) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at_once": 0}, r"ci\.at_once: .*got 0"),
        ({"over_quota": "panic"}, r"ci\.over_quota: .*got 'panic'"),
        ({"warehouse": "FINSIGHT_WH"}, r"ci\.warehouse"),
        ({"colour": "red"}, r"ci\.colour"),
    ],
)
def test_a_wrong_entry_names_file_key_and_value(tmp_path: Path, change: dict[str, object], said: str) -> None:
    content = yaml.safe_load((CATALOG / "kinds.yaml").read_text())
    content["ci"] |= change
    file = tmp_path / "kinds.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidCatalog, match=r"kinds\.yaml: " + said):
        load_kinds(file)


@pytest.mark.parametrize("content", ["", "[]", "ci: {", "prod: {}"])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kinds.yaml"
    file.write_text(content)
    with pytest.raises(InvalidCatalog, match=r"kinds\.yaml"):
        load_kinds(file)
