from dbt.tests.adapter.dbt_debug import test_dbt_debug as suite


class TestDebug(suite.BaseDebugPostgres):
    """Named for Postgres in the package; nothing in it is."""


class TestDebugInvalidProject(suite.BaseDebugInvalidProjectPostgres):
    pass
