from pathlib import Path

import pytest
from dbt.tests.adapter.hooks import test_model_hooks, test_run_hooks


@pytest.fixture(scope="module")
def test_data_dir():
    return Path(test_model_hooks.__file__).parent / "data"


class _Context:
    """Checks of what a hook saw, for a Snowflake target: the suite's name Postgres's database and user."""

    _EXPECTED = {
        "target_dbname": "", "target_name": "default", "target_threads": 4, "target_type": "snowflake",
        "target_user": "DBT_TESTER", "target_pass": "",
    }  # fmt: skip

    def _contexts(self, table, state, project):
        rows = project.run_sql(f"select * from {project.test_schema}.{table} where test_state = '{state}'", fetch="all")
        columns = project.run_sql(
            f"select lower(column_name) from information_schema.columns where table_name = '{table.upper()}' "
            f"and table_schema = '{project.test_schema.upper()}' order by ordinal_position",
            fetch="all",
        )
        return [dict(zip([name for (name,) in columns], row, strict=True)) for row in rows]

    def _check(self, contexts, count, project, host):
        assert len(contexts) == count
        for context in contexts:
            expected = self._EXPECTED | {"target_schema": project.test_schema, "target_host": host}
            assert {key: context[key] for key in expected} == expected
            assert context["run_started_at"] and context["invocation_id"]
            assert context["thread_id"].startswith("Thread-") or context["thread_id"] == "MainThread"


class _ModelContext(_Context):
    def check_hooks(self, state, project, host, count=1):
        self._check(self._contexts("on_model_hook", state, project), count, project, host)


class TestPrePostModelHooks(_ModelContext, test_model_hooks.BasePrePostModelHooks):
    pass


class TestHookRefs(_ModelContext, test_model_hooks.BaseHookRefs):
    pass


class TestPrePostModelHooksOnSeeds(test_model_hooks.BasePrePostModelHooksOnSeeds):
    pass


class TestHooksRefsOnSeeds(test_model_hooks.BaseHooksRefsOnSeeds):
    pass


class TestPrePostModelHooksOnSeedsPlusPrefixed(test_model_hooks.BasePrePostModelHooksOnSeedsPlusPrefixed):
    pass


class TestPrePostModelHooksOnSeedsPlusPrefixedWhitespace(
    test_model_hooks.BasePrePostModelHooksOnSeedsPlusPrefixedWhitespace
):
    pass


class TestPrePostModelHooksOnSnapshots(test_model_hooks.BasePrePostModelHooksOnSnapshots):
    pass


class TestPrePostModelHooksInConfig(_ModelContext, test_model_hooks.BasePrePostModelHooksInConfig):
    pass


class TestPrePostModelHooksInConfigWithCount(_ModelContext, test_model_hooks.BasePrePostModelHooksInConfigWithCount):
    pass


class TestPrePostModelHooksInConfigKwargs(_ModelContext, test_model_hooks.BasePrePostModelHooksInConfigKwargs):
    pass


class TestPrePostSnapshotHooksInConfigKwargs(test_model_hooks.BasePrePostSnapshotHooksInConfigKwargs):
    pass


class TestDuplicateHooksInConfigs(test_model_hooks.BaseDuplicateHooksInConfigs):
    pass


class TestPrePostRunHooks(_Context, test_run_hooks.BasePrePostRunHooks):
    def check_hooks(self, state, project, host):
        self._check(self._contexts("on_run_hook", state, project), 1, project, host)


class TestAfterRunHooks(test_run_hooks.BaseAfterRunHooks):
    pass
