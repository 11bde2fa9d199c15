"""Settings are read in one place, and what is missing is named at once."""

from __future__ import annotations

import pytest

from testenv.config import Config
from testenv.core.errors import Invalid


def test_every_missing_variable_is_named_at_once_with_the_remedy() -> None:
    with pytest.raises(Invalid) as refusal:
        Config.from_environ({"TESTENV_HOME": "/tmp/x"})
    message = str(refusal.value)
    assert "TESTENV_LEDGER_URL" in message
    assert "TESTENV_EMR_APPLICATION_CI" in message
    assert "TESTENV_HOME," not in message
    assert "make up" in message
