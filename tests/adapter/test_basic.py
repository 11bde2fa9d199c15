import pytest
from dbt.adapters.snowflake.relation_configs import SnowflakeRelationType
from dbt.tests.adapter.basic import (
    test_adapter_methods,
    test_base,
    test_docs_generate,
    test_empty,
    test_ephemeral,
    test_generic_tests,
    test_get_catalog_for_single_relation,
    test_incremental,
    test_singular_tests,
    test_singular_tests_ephemeral,
    test_snapshot_check_cols,
    test_snapshot_timestamp,
    test_table_materialization,
    test_validate_connection,
)
from dbt.tests.adapter.basic.expected_catalog import base_expected_catalog, expected_references_catalog, no_stats
from dbt.tests.util import AnyInteger, AnyString
from dbt_common.contracts.metadata import CatalogTable, ColumnMetadata, StatsItem, TableMetadata

_SEED_TYPES = {
    "ID": "NUMBER", "FIRST_NAME": "VARCHAR", "EMAIL": "VARCHAR", "IP_ADDRESS": "VARCHAR", "UPDATED_AT": "TIMESTAMP_NTZ",
}  # fmt: skip


class TestSimpleMaterializations(test_base.BaseSimpleMaterializations):
    pass


class TestSingularTests(test_singular_tests.BaseSingularTests):
    pass


class TestSingularTestsEphemeral(test_singular_tests_ephemeral.BaseSingularTestsEphemeral):
    pass


class TestEmpty(test_empty.BaseEmpty):
    pass


class TestEphemeral(test_ephemeral.BaseEphemeral):
    pass


class TestIncremental(test_incremental.BaseIncremental):
    pass


class TestIncrementalNotSchemaChange(test_incremental.BaseIncrementalNotSchemaChange):
    pass


class TestGenericTests(test_generic_tests.BaseGenericTests):
    pass


class TestSnapshotCheckCols(test_snapshot_check_cols.BaseSnapshotCheckCols):
    pass


class TestSnapshotTimestamp(test_snapshot_timestamp.BaseSnapshotTimestamp):
    pass


class TestTableMaterialization(test_table_materialization.BaseTableMaterialization):
    pass


class TestValidateConnection(test_validate_connection.BaseValidateConnection):
    pass


class TestAdapterMethod(test_adapter_methods.BaseAdapterMethod):
    @pytest.fixture(scope="class")
    def equal_tables(self):
        return ["MODEL", "EXPECTED"]


def _docs_stats():
    return {
        key: {"id": key, "label": label, "value": value, "description": description, "include": key != "has_stats"}
        for key, label, value, description in (
            ("has_stats", "Has Stats?", True, "Indicates whether there are statistics for this table"),
            ("bytes", "Approximate Size", AnyInteger(), "Approximate size of the table as reported by Snowflake"),
            ("last_modified", "Last Modified", AnyString(), "The timestamp for last update/change"),
            ("row_count", "Row Count", 1.0, "An approximate count of rows in this table"),
        )
    }


_CATALOG = {
    "id_type": "NUMBER", "text_type": "TEXT", "time_type": "TIMESTAMP_NTZ", "view_type": "VIEW",
    "table_type": "BASE TABLE", "case": str.upper, "case_columns": False,
}  # fmt: skip


class TestDocsGenerate(test_docs_generate.BaseDocsGenerate):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project):
        """The models are views, of which Snowflake has no statistics."""
        return base_expected_catalog(
            project, role="DBT_TESTER", model_stats=no_stats(), seed_stats=_docs_stats(), **_CATALOG
        )


class TestDocsGenReferences(test_docs_generate.BaseDocsGenReferences):
    """The seed's columns are not quoted here, as its models do not quote them: Snowflake would not find them."""

    @pytest.fixture(scope="class")
    def project_config_update(self, unique_schema):
        return {"vars": {"test_schema": unique_schema, "alternate_schema": f"{unique_schema}_test"}}

    @pytest.fixture(scope="class")
    def expected_catalog(self, project):
        """One model is a table, the other a view of it."""
        catalog = expected_references_catalog(
            project, role="DBT_TESTER", model_stats=_docs_stats(), view_summary_stats=no_stats(), bigint_type="NUMBER",
            **_CATALOG,
        )  # fmt: skip
        for node in (*catalog["nodes"].values(), *catalog["sources"].values()):
            node["columns"] = {
                name.upper(): column | {"name": name.upper()} for name, column in node["columns"].items()
            }
        return catalog


class TestGetCatalogForSingleRelation(test_get_catalog_for_single_relation.BaseGetCatalogForSingleRelation):
    @pytest.fixture(scope="class")
    def current_role(self):
        return "DBT_TESTER"

    @pytest.fixture(scope="class")
    def expected_catalog_my_seed(self, project):
        return _single_relation(project, SnowflakeRelationType.Table, "MY_SEED", rows=1)

    @pytest.fixture(scope="class")
    def expected_catalog_my_view_model(self, project):
        return _single_relation(project, SnowflakeRelationType.View, "MY_VIEW_MODEL", rows=None)

    @pytest.fixture(scope="class")
    def expected_catalog_my_table_model(self, project):
        return _single_relation(project, SnowflakeRelationType.Table, "MY_TABLE_MODEL", rows=1)


def _single_relation(project, kind, name, rows):
    """What dbt says of one relation. Bytes are any number: they are Snowflake's storage, which differs by release."""
    stats = (
        ("has_stats", "Has Stats?", True, False, "Indicates whether there are statistics for this table"),
        ("row_count", "Row Count", rows or 0, rows is not None, "Number of rows in the table as reported by Snowflake"),
        ("bytes", "Approximate Size", AnyInteger() if rows else 0, rows is not None,
         "Size of the table as reported by Snowflake"),
    )  # fmt: skip
    return CatalogTable(
        metadata=TableMetadata(
            type=kind.upper(), schema=project.test_schema.upper(), name=name, database=project.database, comment="",
            owner="DBT_TESTER",
        ),
        columns={
            column: ColumnMetadata(type=type_, index=i, name=column, comment=None)
            for i, (column, type_) in enumerate(_SEED_TYPES.items(), 1)
        },
        stats={
            key: StatsItem(id=key, label=label, value=value, include=include, description=description)
            for key, label, value, include, description in stats
        },
        unique_id=None,
    )  # fmt: skip
