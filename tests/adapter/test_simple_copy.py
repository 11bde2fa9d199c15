from dbt.tests.adapter.simple_copy import test_simple_copy as suite


class TestSimpleCopy(suite.SimpleCopyBase):
    pass


class TestEmptyModelsArentRun(suite.EmptyModelsArentRunBase):
    pass
