from dbt.tests.adapter.store_test_failures_tests import basic
from dbt.tests.adapter.store_test_failures_tests import test_store_test_failures as suite


class TestStoreTestFailures(suite.BaseStoreTestFailures):
    pass


class TestStoreTestFailuresLimit(suite.BaseStoreTestFailuresLimit):
    pass


class TestInteractions(basic.StoreTestFailuresAsInteractions):
    pass


class TestProjectLevelOff(basic.StoreTestFailuresAsProjectLevelOff):
    pass


class TestProjectLevelView(basic.StoreTestFailuresAsProjectLevelView):
    pass


class TestProjectLevelEphemeral(basic.StoreTestFailuresAsProjectLevelEphemeral):
    pass


class TestGeneric(basic.StoreTestFailuresAsGeneric):
    pass


class TestExceptions(basic.StoreTestFailuresAsExceptions):
    pass
