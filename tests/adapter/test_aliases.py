from dbt.tests.adapter.aliases import test_aliases as suite


class TestAliases(suite.BaseAliases):
    pass


class TestAliasErrors(suite.BaseAliasErrors):
    pass


class TestSameAliasDifferentSchemas(suite.BaseSameAliasDifferentSchemas):
    pass


class TestSameAliasDifferentDatabases(suite.BaseSameAliasDifferentDatabases):
    pass
