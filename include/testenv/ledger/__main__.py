"""`python -m testenv.ledger migrate`: bring the ledger's tables to the newest shape."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config as Alembic

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest migration; harmless when it is there already."""
    settings = Alembic()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["url"] = url
    command.upgrade(settings, "head")


if __name__ == "__main__":
    if sys.argv[1:] != ["migrate"]:
        sys.exit("usage: python -m testenv.ledger migrate")
    migrate(os.environ["TESTENV_LEDGER_URL"])
    print("ledger: migrated to the newest shape")
