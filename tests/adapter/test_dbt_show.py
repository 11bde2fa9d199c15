from dbt.tests.adapter.dbt_show import test_dbt_show as suite


class TestShowLimit(suite.BaseShowLimit):
    pass


class TestShowSqlHeader(suite.BaseShowSqlHeader):
    pass


class TestShowDoesNotHandleDoubleLimit(suite.BaseShowDoesNotHandleDoubleLimit):
    DATABASE_ERROR_MESSAGE = "unexpected 'limit'"
