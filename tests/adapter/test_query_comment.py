from dbt.tests.adapter.query_comment import test_query_comment as suite


class TestQueryComments(suite.BaseQueryComments):
    def test_matches_comment(self, project):
        """dbt-snowflake appends the comment, without the newline."""
        assert r"/* dbt\nrules! */" in self.run_get_json()


class TestMacroQueryComments(suite.BaseMacroQueryComments):
    def test_matches_comment(self, project):
        assert r"/* dbt macros\nare pretty cool */" in self.run_get_json()


class TestMacroInvalidQueryComments(suite.BaseMacroInvalidQueryComments):
    pass


class TestNullQueryComments(suite.BaseNullQueryComments):
    pass


class TestEmptyQueryComments(suite.BaseEmptyQueryComments):
    pass
