from dbt.tests.adapter.concurrency import test_concurrency as suite
from dbt.tests.util import check_relations_equal, rm_file, run_dbt, write_file


class TestConcurrency(suite.BaseConcurrency):
    def test_concurrency(self, project):
        """As the suite's, with Snowflake's names."""
        run_dbt(["seed", "--select", "seed"])
        for seed in (None, suite.seeds__update_csv):
            if seed:
                rm_file(project.project_root, "seeds", "seed.csv")
                write_file(seed, project.project_root, "seeds", "seed.csv")
            assert len(run_dbt(["run"], expect_pass=False)) == 7
            for model in ("VIEW_MODEL", "DEP", "TABLE_A", "TABLE_B"):
                check_relations_equal(project.adapter, ["SEED", model])
