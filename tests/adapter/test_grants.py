import pytest
from dbt.tests.adapter.grants import (
    test_incremental_grants,
    test_invalid_grants,
    test_model_grants,
    test_seed_grants,
    test_snapshot_grants,
)


class _CopyGrants:
    """The same with `copy_grants`."""

    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {kind: {"+copy_grants": True} for kind in ("models", "seeds", "snapshots")}


class TestInvalidGrants(test_invalid_grants.BaseInvalidGrants):
    def grantee_does_not_exist_error(self):
        return "does not exist or not authorized"

    def privilege_does_not_exist_error(self):
        return "unexpected"


class TestModelGrants(test_model_grants.BaseModelGrants):
    pass


class TestModelGrantsCopied(_CopyGrants, test_model_grants.BaseModelGrants):
    pass


class TestIncrementalGrants(test_incremental_grants.BaseIncrementalGrants):
    pass


class TestIncrementalGrantsCopied(_CopyGrants, test_incremental_grants.BaseIncrementalGrants):
    pass


class TestSeedGrants(test_seed_grants.BaseSeedGrants):
    pass


class TestSeedGrantsCopied(_CopyGrants, test_seed_grants.BaseSeedGrants):
    pass


class TestSnapshotGrants(test_snapshot_grants.BaseSnapshotGrants):
    pass


class TestSnapshotGrantsCopied(_CopyGrants, test_snapshot_grants.BaseSnapshotGrants):
    pass
