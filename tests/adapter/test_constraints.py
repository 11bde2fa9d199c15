import pytest
from dbt.tests.adapter.constraints import fixtures
from dbt.tests.adapter.constraints import test_constraints as suite

_SELECT = """
    select {columns} from (
    -- depends_on: <foreign_key_model_identifier>
    select 'blue' as {color}, 1 as id, '2019-01-01' as date_day
    ) as model_subq
);
"""
_CREATE = "create or replace transient table <model_identifier> ("
_KEYED_COLUMNS = (
    _CREATE
    + "id integer not null primary key references <foreign_key_model_identifier> (id) unique, "
    + "color text, date_day text ) as ("
    + _SELECT.format(columns="id, color, date_day", color="color")
)
_KEYED_TABLE = (
    _CREATE
    + "id integer not null, color text, date_day text, primary key (id), "
    + "constraint strange_uniqueness_requirement unique (color, date_day), "
    + "foreign key (id) references <foreign_key_model_identifier> (id) ) as ("
    + _SELECT.format(columns="id, color, date_day", color="color")
)
_QUOTED_COLUMN = (
    _CREATE
    + 'id integer not null, "from" text not null, date_day text ) as ('
    + _SELECT.format(columns='id, "from", date_day', color='"from"').replace(
        "-- depends_on: <foreign_key_model_identifier>", ""
    )
)


def _expecting(sql):
    @pytest.fixture(scope="class")
    def expected_sql(self):
        return sql

    return expected_sql


def _with_header(config):
    model = (
        "{{ config(" + config + ") }}\n{% call set_sql_header(config) %}\nSET MY_VARIABLE='test';\n{% endcall %}\n"
        "SELECT $MY_VARIABLE as column_name"
    )

    @pytest.fixture(scope="class")
    def models(self):
        name = "my_model_contract_sql_header"
        return {f"{name}.sql": model, "constraints_schema.yml": fixtures.model_contract_header_schema_yml}

    return models


class _SnowflakeTypes:
    @pytest.fixture
    def int_type(self):
        return "FIXED"

    @pytest.fixture
    def schema_int_type(self):
        return "INT"

    @pytest.fixture
    def data_types(self, int_type, schema_int_type, string_type):
        """SQL, the type to declare, the type an error names: those of dbt-snowflake but for GEOGRAPHY and GEOMETRY."""
        return [
            ["1", schema_int_type, int_type],
            ["'1'", string_type, string_type],
            ["cast('2019-01-01' as date)", "date", "DATE"],
            ["true", "boolean", "BOOLEAN"],
            ["'2013-11-03 00:00:00-07'::timestamptz", "timestamp_tz", "TIMESTAMP_TZ"],
            ["'2013-11-03 00:00:00-07'::timestamp", "timestamp", "TIMESTAMP_NTZ"],
            ["ARRAY_CONSTRUCT('a','b','c')", "array", "ARRAY"],
            ["ARRAY_CONSTRUCT(1,2,3)", "array", "ARRAY"],
            ["""TO_VARIANT(PARSE_JSON('{"key3": "value3", "key4": "value4"}'))""", "variant", "VARIANT"],
        ]


class TestTableColumnsEqual(_SnowflakeTypes, suite.BaseTableConstraintsColumnsEqual):
    pass


class TestViewColumnsEqual(_SnowflakeTypes, suite.BaseViewConstraintsColumnsEqual):
    pass


class TestIncrementalColumnsEqual(_SnowflakeTypes, suite.BaseIncrementalConstraintsColumnsEqual):
    pass


class TestTableContractSqlHeader(suite.BaseTableContractSqlHeader):
    models = _with_header("materialized='table'")


class TestIncrementalContractSqlHeader(suite.BaseIncrementalContractSqlHeader):
    models = _with_header("materialized='incremental', on_schema_change='append_new_columns'")


class TestTableDdl(suite.BaseConstraintsRuntimeDdlEnforcement):
    expected_sql = _expecting(_KEYED_COLUMNS)


class TestIncrementalDdl(suite.BaseIncrementalConstraintsRuntimeDdlEnforcement):
    expected_sql = _expecting(_KEYED_COLUMNS)


class TestModelDdl(suite.BaseModelConstraintsRuntimeEnforcement):
    expected_sql = _expecting(_KEYED_TABLE)


class TestQuotedColumn(suite.BaseConstraintQuotedColumn):
    expected_sql = _expecting(_QUOTED_COLUMN)


class _NullRefused:
    @pytest.fixture(scope="class")
    def expected_error_messages(self):
        return ["NULL result in a non-nullable column"]


class TestTableRollback(_NullRefused, suite.BaseConstraintsRollback):
    pass


class TestIncrementalRollback(_NullRefused, suite.BaseIncrementalConstraintsRollback):
    pass


class TestIncrementalForeignKey(suite.BaseIncrementalForeignKeyConstraint):
    pass
