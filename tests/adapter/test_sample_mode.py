import os

import pytest
from dbt.tests.adapter.sample_mode import test_sample_mode as suite


class TestSampleMode(suite.BaseSampleModeTest):
    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target):
        """By password: the suite stops the clock in 2025, so a key's token would have expired, in Snowflake too."""
        login = {"user": "DBT_TESTER_BY_PASSWORD", "password": os.environ["TESTENV_SUITES_PASSWORD"]}
        return {key: value for key, value in dbt_profile_target.items() if key != "private_key"} | login

    @pytest.fixture(scope="class")
    def input_model_sql(self):
        moments = ("2025-01-01 01:25:00-0", "2025-01-02 13:47:00-0", "2025-01-03 01:32:00-0")
        rows = " union all ".join(
            f"select {i} as id, to_timestamp_tz('{moment}') as event_time" for i, moment in enumerate(moments, 1)
        )
        return "{{ config(materialized='table', event_time='event_time') }} " + rows
