import pytest
from dbt.tests.adapter.catalog import files, relation_types
from dbt.tests.adapter.relations import test_changing_relation_type, test_dropping_schema_named


class TestChangeRelationTypes(test_changing_relation_type.BaseChangeRelationTypeValidator):
    pass


class TestDropSchemaNamed(test_dropping_schema_named.BaseDropSchemaNamed):
    pass


class TestCatalogRelationTypes(relation_types.CatalogRelationTypes):
    @pytest.fixture(scope="class", autouse=True)
    def models(self):
        dynamic = (
            "{{ config(materialized='dynamic_table', snowflake_warehouse='DBT_TESTING', target_lag='30 minutes') }}"
        )
        return {
            "my_table.sql": files.MY_TABLE,
            "my_view.sql": files.MY_VIEW,
            "my_dynamic_table.sql": dynamic + " select * from {{ ref('my_seed') }}",
        }

    @pytest.mark.parametrize(
        ("node_name", "relation_type"),
        [
            ("seed.test.my_seed", "BASE TABLE"),
            ("model.test.my_table", "BASE TABLE"),
            ("model.test.my_view", "VIEW"),
            ("model.test.my_dynamic_table", "DYNAMIC TABLE"),
        ],
    )
    def test_relation_types_populate_correctly(self, docs, node_name, relation_type):
        super().test_relation_types_populate_correctly(docs, node_name, relation_type)
