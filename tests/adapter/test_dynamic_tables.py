"""The suites of materialized views, with what Snowflake has in their place: dynamic tables."""

import pytest
from dbt.adapters.snowflake.relation_configs import SnowflakeRelationType
from dbt.tests.adapter.materialized_view import basic, changes, files
from dbt.tests.util import get_model_file, set_model_file

_CONFIG = "materialized='dynamic_table', snowflake_warehouse='DBT_TESTING', target_lag='2 minutes'"
_MODEL = files.MY_MATERIALIZED_VIEW.replace("materialized='materialized_view'", _CONFIG)


def _replace(project, relation, old, new):
    set_model_file(project, relation, get_model_file(project, relation).replace(old, new))


def _relation_type(project, relation):
    """The suites' word for it."""
    rows = project.run_sql(
        "select case when is_dynamic = 'YES' then 'materialized_view' when table_type = 'BASE TABLE' then 'table' "
        f"else lower(table_type) end from information_schema.tables where table_name = '{relation.identifier.upper()}' "
        f"and table_schema = '{relation.schema.upper()}'",
        fetch="all",
    )
    return rows[0][0] if rows else None


def _option(project, relation, column):
    shown = project.run_sql(
        f"show dynamic tables like '{relation.identifier}' in schema {relation.schema}", fetch="all"
    )
    assert len(shown) == 1
    columns = [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "cluster_by",
        "rows",
        "bytes",
        "owner",
        "target_lag",
    ]
    return shown[0][columns.index(column)]


class _DynamicTable:
    """dbt logs the name that SHOW gave it, quoted and in capitals, so the model and its file are called so."""

    @pytest.fixture(scope="class")
    def my_materialized_view(self, project):
        return project.adapter.Relation.create(
            identifier="MY_MATERIALIZED_VIEW",
            schema=project.test_schema.upper(),
            database=project.database,
            type=SnowflakeRelationType.DynamicTable,
            quote_policy=dict.fromkeys(("database", "schema", "identifier"), True),
        )

    @staticmethod
    def query_relation_type(project, relation):
        return _relation_type(project, relation)


class TestDynamicTableBasic(_DynamicTable, basic.MaterializedViewBasic):
    @pytest.fixture(scope="class", autouse=True)
    def models(self):
        return {
            "my_table.sql": files.MY_TABLE,
            "my_view.sql": files.MY_VIEW,
            "MY_MATERIALIZED_VIEW.sql": _MODEL,
        }

    @staticmethod
    def insert_record(project, table, record):
        project.run_sql(f"insert into {table} (id, value) values {record}")

    @staticmethod
    def refresh_materialized_view(project, materialized_view):
        project.run_sql(f"alter dynamic table {materialized_view} refresh")

    @staticmethod
    def query_row_count(project, relation):
        return project.run_sql(f"select count(*) from {relation}", fetch="one")[0]

    @staticmethod
    def swap_table_to_materialized_view(project, table):
        _replace(project, table, "materialized='table'", _CONFIG)

    @staticmethod
    def swap_view_to_materialized_view(project, view):
        _replace(project, view, "materialized='view'", _CONFIG)

    @staticmethod
    def swap_materialized_view_to_table(project, materialized_view):
        _replace(project, materialized_view, _CONFIG, "materialized='table'")

    @staticmethod
    def swap_materialized_view_to_view(project, materialized_view):
        _replace(project, materialized_view, _CONFIG, "materialized='view'")


class _Changes(_DynamicTable, changes.MaterializedViewChanges):
    @pytest.fixture(scope="class", autouse=True)
    def models(self):
        return {"MY_MATERIALIZED_VIEW.sql": _MODEL}

    @staticmethod
    def check_start_state(project, materialized_view):
        assert _option(project, materialized_view, "target_lag") == "2 minutes"

    @staticmethod
    def change_config_via_alter(project, materialized_view):
        _replace(project, materialized_view, "target_lag='2 minutes'", "target_lag='5 minutes'")

    @staticmethod
    def check_state_alter_change_is_applied(project, materialized_view):
        assert _option(project, materialized_view, "target_lag") == "5 minutes"

    @staticmethod
    def change_config_via_replace(project, materialized_view):
        _replace(project, materialized_view, "materialized=", "refresh_mode='FULL', materialized=")

    @staticmethod
    def check_state_replace_change_is_applied(project, materialized_view):
        assert _relation_type(project, materialized_view) == "materialized_view"


class TestDynamicTableChangesApply(_Changes, changes.MaterializedViewChangesApplyMixin):
    pass


def _project(on_configuration_change):
    """What is not altered is logged by the name that the model has, which is to be the same."""

    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {
            "models": {"on_configuration_change": on_configuration_change},
            "quoting": dict.fromkeys(("database", "schema", "identifier"), True),
        }

    return project_config_update


class _NotApplied(_Changes):
    @pytest.fixture(scope="class")
    def unique_schema(self, unique_schema):
        return unique_schema.upper()


class TestDynamicTableChangesContinue(_NotApplied, changes.MaterializedViewChangesContinueMixin):
    project_config_update = _project("continue")


class TestDynamicTableChangesFail(_NotApplied, changes.MaterializedViewChangesFailMixin):
    project_config_update = _project("fail")
