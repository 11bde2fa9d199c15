import pytest
from dbt.tests.adapter.simple_snapshot import (
    new_record_check_mode,
    new_record_dbt_valid_to_current,
    new_record_timestamp_mode,
    test_ephemeral_snapshot_hard_deletes,
    test_snapshot,
    test_various_configs,
)


class _OneStatementAtATime:
    """Those suites send several statements at once, which Snowflake refuses as well."""

    @pytest.fixture(autouse=True)
    def one_statement_at_a_time(self, project, monkeypatch):
        run = project.run_sql

        def run_each(sql, fetch=None):
            return [run(statement, fetch=fetch) for statement in sql.split(";") if statement.strip()][-1]

        monkeypatch.setattr(project, "run_sql", run_each)


class TestSnapshot(test_snapshot.BaseSimpleSnapshot):
    pass


class TestSnapshotCheck(test_snapshot.BaseSnapshotCheck):
    pass


class TestNewRecordTimestampMode(new_record_timestamp_mode.BaseSnapshotNewRecordTimestampMode):
    pass


class TestNewRecordCheckMode(new_record_check_mode.BaseSnapshotNewRecordCheckMode):
    pass


class TestNewRecordDbtValidToCurrent(new_record_dbt_valid_to_current.BaseSnapshotNewRecordDbtValidToCurrent):
    pass


class TestEphemeralHardDeletes(test_ephemeral_snapshot_hard_deletes.BaseSnapshotEphemeralHardDeletes):
    pass


class TestNewColumnTimestampStrategy(test_ephemeral_snapshot_hard_deletes.BaseSnapshotNewColumnTimestampStrategy):
    pass


class TestNewColumnSpecificCheckCols(test_ephemeral_snapshot_hard_deletes.BaseSnapshotNewColumnSpecificCheckCols):
    pass


class TestNewColumnWithDeletes(test_ephemeral_snapshot_hard_deletes.BaseSnapshotNewColumnWithDeletes):
    pass


class TestColumnNames(_OneStatementAtATime, test_various_configs.BaseSnapshotColumnNames):
    pass


class TestColumnNamesFromDbtProject(_OneStatementAtATime, test_various_configs.BaseSnapshotColumnNamesFromDbtProject):
    pass


class TestInvalidColumnNames(_OneStatementAtATime, test_various_configs.BaseSnapshotInvalidColumnNames):
    pass


class TestDbtValidToCurrent(_OneStatementAtATime, test_various_configs.BaseSnapshotDbtValidToCurrent):
    pass


class TestMultiUniqueKey(_OneStatementAtATime, test_various_configs.BaseSnapshotMultiUniqueKey):
    pass
