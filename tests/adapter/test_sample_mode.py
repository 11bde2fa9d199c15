import pytest
from dbt.tests.adapter.sample_mode import test_sample_mode as suite


class TestSampleMode(suite.BaseSampleModeTest):
    @pytest.fixture(scope="class")
    def input_model_sql(self):
        moments = ("2025-01-01 01:25:00-0", "2025-01-02 13:47:00-0", "2025-01-03 01:32:00-0")
        rows = " union all ".join(
            f"select {i} as id, to_timestamp_tz('{moment}') as event_time" for i, moment in enumerate(moments, 1)
        )
        return "{{ config(materialized='table', event_time='event_time') }} " + rows
