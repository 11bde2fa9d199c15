from dbt.tests.adapter.ephemeral import test_ephemeral as suite
from dbt.tests.util import check_relations_equal, run_dbt


class TestEphemeralMulti(suite.BaseEphemeralMulti):
    def test_ephemeral_multi(self, project):
        """As the suite's, with Snowflake's names and without the text of Postgres's statement."""
        run_dbt(["seed"])
        assert len(run_dbt(["run"])) == 3
        check_relations_equal(project.adapter, ["SEED", "DEPENDENT", "DOUBLE_DEPENDENT", "SUPER_DEPENDENT"])


class TestEphemeralErrorHandling(suite.BaseEphemeralErrorHandling):
    pass
