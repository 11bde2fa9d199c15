"""User-defined functions."""

import pytest
from dbt.tests.adapter.functions import files
from dbt.tests.adapter.functions import test_udfs as suite


class _SqlFunction:
    @pytest.fixture(scope="class")
    def functions(self):
        """Snowflake's body is an expression, where the suite's is a query."""
        return {"price_for_xlarge.sql": "price * 2", "price_for_xlarge.yml": files.MY_UDF_YML}


class TestSqlFunction(_SqlFunction, suite.UDFsBasic):
    pass


class TestDeterministic(suite.DeterministicUDF):
    pass


class TestNonDeterministic(suite.NonDeterministicUDF):
    pass


class TestErrorForUnsupportedType(suite.ErrorForUnsupportedType):
    pass


class TestCanFindScalarFunctionRelation(_SqlFunction, suite.CanFindScalarFunctionRelation):
    pass


class TestDefaultArguments(suite.SqlUDFDefaultArgSupport):
    expect_default_arg_support = True

    @pytest.fixture(scope="class")
    def functions(self):
        return {"price_for_xlarge.sql": "price * 2", "price_for_xlarge.yml": files.MY_UDF_WITH_DEFAULT_ARG_YML}


class TestPythonRuntimeVersionRequired(suite.PythonUDFRuntimeVersionRequired):
    pass


class TestPythonEntryPointRequired(suite.PythonUDFEntryPointRequired):
    pass
