"""What is said of a release as a whole, as data, as a page, and as JUnit XML: docs/verdict.md."""

from testenv.checks.report.model import (
    NO_TRIAL,
    TRIAL,
    Affected,
    Answer,
    Choice,
    Report,
    Side,
    Stage,
    answer,
    gathered,
    judged_runs,
)
from testenv.checks.report.things import headline, sentences, things, took

__all__ = [
    "NO_TRIAL",
    "TRIAL",
    "Affected",
    "Answer",
    "Choice",
    "Report",
    "Side",
    "Stage",
    "answer",
    "gathered",
    "headline",
    "judged_runs",
    "sentences",
    "things",
    "took",
]
