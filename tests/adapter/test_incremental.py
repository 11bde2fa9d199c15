import pytest
from dbt.tests.adapter.incremental import (
    test_incremental_merge_exclude_columns,
    test_incremental_microbatch,
    test_incremental_on_schema_change,
    test_incremental_predicates,
    test_incremental_unique_id,
)


def _models_config(**config):
    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {"models": {f"+{key}": value for key, value in config.items()}}

    return project_config_update


class TestMergeExcludeColumns(test_incremental_merge_exclude_columns.BaseMergeExcludeColumns):
    pass


class TestOnSchemaChange(test_incremental_on_schema_change.BaseIncrementalOnSchemaChange):
    pass


class TestPredicatesDefault(test_incremental_predicates.BaseIncrementalPredicates):
    pass


class TestPredicatesDeleteInsert(test_incremental_predicates.BaseIncrementalPredicates):
    project_config_update = _models_config(predicates=["id != 2"], incremental_strategy="delete+insert")


class TestPredicatesMerge(test_incremental_predicates.BaseIncrementalPredicates):
    project_config_update = _models_config(
        incremental_predicates=["dbt_internal_dest.id != 2"], incremental_strategy="merge"
    )


class TestUniqueKey(test_incremental_unique_id.BaseIncrementalUniqueKey):
    pass


class TestUniqueKeyDeleteInsert(test_incremental_unique_id.BaseIncrementalUniqueKey):
    project_config_update = _models_config(incremental_strategy="delete+insert")


class TestMicrobatch(test_incremental_microbatch.BaseMicrobatch):
    @pytest.fixture(scope="class")
    def input_model_sql(self):
        rows = " union all ".join(
            f"select {i} as id, to_timestamp_tz('2020-01-0{i} 00:00:00-0') as event_time" for i in (1, 2, 3)
        )
        return "{{ config(materialized='table', event_time='event_time') }} " + rows

    @pytest.fixture(scope="class")
    def insert_two_rows_sql(self, project):
        return (
            f"insert into {project.database}.{project.test_schema}.input_model (id, event_time) "
            "values (4, '2020-01-04 00:00:00-0'), (5, '2020-01-05 00:00:00-0')"
        )
