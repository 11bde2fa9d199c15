import shutil
from pathlib import Path

import pytest
from dbt.tests.adapter.simple_seed import seeds, test_seed, test_seed_type_override
from dbt.tests.util import run_dbt


class _OneStatementAtATime:
    """The suites send two statements at once, which Snowflake refuses as well."""

    @pytest.fixture(scope="class", autouse=True)
    def setUp(self, project):
        for statement in seeds.seeds__expected_sql.split(";"):
            if statement.strip():
                project.run_sql(statement)


class TestBasicSeed(_OneStatementAtATime, test_seed.BaseBasicSeedTests):
    pass


class TestSeedConfigFullRefreshOn(_OneStatementAtATime, test_seed.BaseSeedConfigFullRefreshOn):
    pass


class TestSeedConfigFullRefreshOff(_OneStatementAtATime, test_seed.BaseSeedConfigFullRefreshOff):
    pass


class TestSeedCustomSchema(_OneStatementAtATime, test_seed.BaseSeedCustomSchema):
    pass


class TestSeedWithUniqueDelimiter(_OneStatementAtATime, test_seed.BaseSeedWithUniqueDelimiter):
    pass


class TestSeedWithWrongDelimiter(_OneStatementAtATime, test_seed.BaseSeedWithWrongDelimiter):
    def test_seed_with_wrong_delimiter(self, project):
        """As the suite's, with Snowflake's words for it."""
        seed_result = run_dbt(["seed"], expect_pass=False)
        assert "syntax error" in seed_result.results[0].message.lower()


class TestSeedWithEmptyDelimiter(_OneStatementAtATime, test_seed.BaseSeedWithEmptyDelimiter):
    pass


class TestSimpleSeedEnabledViaConfig(test_seed.BaseSimpleSeedEnabledViaConfig):
    pass


class TestSeedParsing(_OneStatementAtATime, test_seed.BaseSeedParsing):
    pass


class TestSimpleSeedWithBOM(_OneStatementAtATime, test_seed.BaseSimpleSeedWithBOM):
    @pytest.fixture(scope="class", autouse=True)
    def seed_with_bom(self, project):
        shutil.copy(Path(test_seed.__file__).with_name("seed_bom.csv"), Path(project.project_root) / "seeds")


class TestSeedSpecificFormats(test_seed.BaseSeedSpecificFormats):
    pass


class TestEmptySeed(test_seed.BaseTestEmptySeed):
    pass


_TEXT = "character varying(16777216)"
_SEED_TYPES = {
    "seed_enabled": {"birthday": _TEXT, "seed_id": "FLOAT"},
    "seed_tricky": {
        "seed_id": "NUMBER(38,0)", "seed_id_str": _TEXT, "a_bool": "BOOLEAN", "looks_like_a_bool": _TEXT,
        "a_date": "TIMESTAMP_NTZ", "looks_like_a_date": _TEXT, "relative": _TEXT, "weekday": _TEXT,
    },
}  # fmt: skip


class TestSimpleSeedColumnOverride(test_seed_type_override.BaseSimpleSeedColumnOverride):
    @pytest.fixture(scope="class")
    def models(self):
        lines = ["version: 2", "seeds:"]
        for seed, columns in _SEED_TYPES.items():
            lines += [f"- name: {seed}", "  columns:"]
            for column, type_ in columns.items():
                lines += [f"  - name: {column}", "    data_tests:", "    - column_type:", f"        type: {type_}"]
        return {"models-snowflake.yml": "\n".join(lines)}

    @staticmethod
    def seed_enabled_types():
        return {"seed_id": "FLOAT", "birthday": "TEXT"}

    @staticmethod
    def seed_tricky_types():
        return {"seed_id_str": "TEXT", "looks_like_a_bool": "TEXT", "looks_like_a_date": "TEXT"}

    def test_simple_seed_with_column_override(self, project):
        assert len(run_dbt(["seed"])) == 2
        assert len(run_dbt(["test"])) == 10
