"""The account that orchestrators run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.local.aws.support import Account, running_account


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    with running_account() as running:
        yield running
