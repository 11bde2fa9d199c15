import pytest
from dbt.tests.adapter.dbt_clone import test_dbt_clone as suite


class TestClonePossible(suite.BaseClonePossible):
    @pytest.fixture(autouse=True)
    def clean_up(self, project):
        yield
        with project.adapter.connection_named("__test"):
            for schema in (f"{project.test_schema}_SEEDS", project.test_schema):
                project.adapter.drop_schema(project.adapter.Relation.create(database=project.database, schema=schema))


class TestCloneSameSourceAndTarget(suite.BaseCloneSameSourceAndTarget):
    pass


class TestCloneSameTargetAndState(suite.BaseCloneSameTargetAndState):
    pass
