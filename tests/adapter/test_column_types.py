import pytest
from dbt.tests.adapter.column_types import test_column_types as suite

_INTEGERS = ("smallint", "int", "bigint", "integer", "tinyint", "byteint", "numeric", "decimal", "number")
_FLOATS = ("float", "float4", "float8", "double", "double precision", "real")
_TEXTS = ("text", "varchar(20)")
_EXPECTED = {
    _INTEGERS: ["numeric", "number", "not string", "not float", "not integer"],
    _FLOATS: ["float", "number", "not string", "not integer", "not numeric"],
    _TEXTS: ["string", "not number"],
}


def _columns():
    for types, expected in _EXPECTED.items():
        for type_ in types:
            yield type_, type_.replace(" ", "_").partition("(")[0] + "_col", expected


class TestColumnTypes(suite.BaseColumnTypes):
    @pytest.fixture(scope="class")
    def models(self):
        columns = ", ".join(f"'7'::{type_} as {name}" for type_, name, _ in _columns())
        column_map = "\n".join(f"            {name}: {expected}" for _, name, expected in _columns())
        schema = (
            "version: 2\nmodels:\n  - name: model\n    data_tests:\n      - is_type:\n          column_map:\n"
            + column_map
        )
        return {"model.sql": f"select {columns}", "schema.yml": schema}

    def test_run_and_test(self, project):
        self.run_and_test()
