"""What exists and what happened, in Postgres. Every step is written here before it is applied."""

from testenv.ledger.reader import Environment, LedgerReader, StepRecord
from testenv.ledger.writer import LedgerWriter

__all__ = ["Environment", "LedgerReader", "LedgerWriter", "StepRecord"]
