"""The SQL files say, once rendered, what their pipelines promise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from estate.tables import SOURCE_TABLES, SourceTable

FOLDER = Path(__file__).parents[3] / "include" / "estate" / "sql"


def render(name: str, **params: object) -> list[str]:
    environment = Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined)
    environment.filters |= {"ts_nodash": lambda at: at.strftime("%Y%m%dT%H%M%S"), "ds": lambda at: str(at.date())}
    text = environment.get_template(name).render(params=params, data_interval_start=datetime(2026, 1, 2, tzinfo=UTC))
    return [statement.strip() for statement in text.split(";") if statement.strip()]


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_a_merge_writes_every_column_and_never_an_older_row(table: SourceTable) -> None:
    create, copy, merge, drop = render("merge_table.sql", table=table.name, key=table.key, columns=list(table.columns))
    delta = f"RAW.{table.name.upper()}_DELTA_20260102T000000"
    assert create == f"CREATE OR REPLACE TEMPORARY TABLE {delta} LIKE RAW.{table.name.upper()}"
    assert f"FROM @RAW.LAKE/raw/{table.name}/interval=20260102T000000/" in copy and "FORCE = TRUE" in copy
    assert f"ON target.{table.key} = delta.{table.key}" in merge
    assert "WHEN MATCHED AND delta.updated_at >= target.updated_at" in merge
    assert all(f"    {column} = delta.{column}" in merge for column in table.columns if column != table.key)
    assert merge.count("delta.") == 2 * len(table.columns) + 1
    assert drop == f"DROP TABLE {delta}"


def test_a_day_is_replaced_in_one_transaction() -> None:
    begin, delete, copy, commit = render("replace_day.sql", table="settlements")
    assert (begin, commit) == ("BEGIN", "COMMIT")
    assert delete == "DELETE FROM RAW.SETTLEMENTS WHERE landed_on = '2026-01-02'::DATE"
    assert "FROM @RAW.LAKE/raw/settlements/dt=2026-01-02/" in copy and "FORCE = TRUE" in copy


def test_card_events_are_known_by_their_place_in_the_topic() -> None:
    *_, merge, _drop = render("merge_card_events.sql")
    assert "target.kafka_partition = delta.kafka_partition AND target.kafka_offset = delta.kafka_offset" in merge
    assert "WHEN MATCHED" not in merge
