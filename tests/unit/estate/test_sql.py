"""The SQL files say, once rendered, what their pipelines promise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow import macros
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from estate.tables import SOURCE_TABLES, SourceTable

FOLDER = Path(__file__).parents[3] / "include" / "estate" / "sql"


def render(name: str, **params: object) -> list[str]:
    environment = Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined)
    environment.filters |= {"ts_nodash": lambda at: at.strftime("%Y%m%dT%H%M%S"), "ds": lambda at: str(at.date())}
    started = datetime(2026, 1, 2, tzinfo=UTC)
    text = environment.get_template(name).render(params=params, data_interval_start=started, macros=macros)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_a_merge_writes_every_column_and_never_an_older_row(table: SourceTable) -> None:
    create, copy, merge, drop = render(
        "merge_table.sql",
        table=table.name,
        key=table.key,
        columns=list(table.columns),
        folder=f"raw/{table.name}/",
        suffix="",
    )
    delta = f"RAW.{table.name.upper()}_DELTA_20260102T000000"
    assert create == f"CREATE OR REPLACE TEMPORARY TABLE {delta} LIKE RAW.{table.name.upper()}"
    assert f"FROM @RAW.LAKE/raw/{table.name}/interval=20260102T000000/" in copy and "FORCE = TRUE" in copy
    assert f"ON target.{table.key} = delta.{table.key}" in merge
    assert "WHEN MATCHED AND delta.updated_at >= target.updated_at" in merge
    assert all(f"    {column} = delta.{column}" in merge for column in table.columns if column != table.key)
    assert merge.count("delta.") == 2 * len(table.columns) + 1
    assert drop == f"DROP TABLE {delta}"


def test_a_day_is_replaced_in_one_transaction() -> None:
    begin, delete, copy, commit = render("replace_day.sql", table="settlements", days_back=0)
    assert (begin, commit) == ("BEGIN", "COMMIT")
    assert delete == "DELETE FROM RAW.SETTLEMENTS WHERE landed_on = '2026-01-02'::DATE"
    assert "FROM @RAW.LAKE/raw/settlements/dt=2026-01-02/" in copy and "FORCE = TRUE" in copy


def test_a_correction_replaces_the_day_that_was_delivered_anew() -> None:
    _, delete, copy, _ = render("replace_day.sql", table="settlements", days_back=7)
    assert delete.endswith("WHERE landed_on = '2025-12-26'::DATE") and "/dt=2025-12-26/" in copy


def test_pipelines_of_one_table_do_not_share_files_or_delta() -> None:
    common = {"table": "logins", "key": "login_id", "columns": ["login_id", "updated_at"]}
    create, copy, *_ = render("merge_table.sql", folder="raw/logins_hourly/logins/", suffix="_logins_hourly", **common)
    assert "RAW.LOGINS_DELTA_20260102T000000_logins_hourly" in create
    assert "FROM @RAW.LAKE/raw/logins_hourly/logins/interval=20260102T000000/" in copy


def test_documents_of_a_topic_are_known_by_their_place_too() -> None:
    _, copy, merge, _drop = render("merge_topic.sql", table="login_events", folder="raw/x/", suffix="_x")
    assert "FROM @RAW.LAKE/raw/x/interval=20260102T000000/" in copy
    assert "target.kafka_partition = delta.kafka_partition AND target.kafka_offset = delta.kafka_offset" in merge
    assert merge.startswith("MERGE INTO RAW.LOGIN_EVENTS") and "WHEN MATCHED" not in merge


def test_card_events_are_known_by_their_place_in_the_topic() -> None:
    *_, merge, _drop = render("merge_card_events.sql", folder="raw/x/", suffix="_x")
    assert "target.kafka_partition = delta.kafka_partition AND target.kafka_offset = delta.kafka_offset" in merge
    assert "WHEN MATCHED" not in merge
