"""What a check is, and what it says. A new check is one file: a class with a name and one method.

A verdict is data: all of it but `measured` depends on what was compared alone, in one order, so that the same two refs
give the same bytes (`Verdict.data`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from testenv.checks.release import Release


class Severity(StrEnum):
    """How bad a finding is. Only what is breaking fails a check."""

    BREAKING = "breaking"
    WARNING = "warning"
    NOTE = "note"


class Outcome(StrEnum):
    """What became of a check. `not applicable`: the release has nothing for it; `error`: it could not look."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Where(_Frozen):
    """The place of a finding, as narrow as it is known. `rows` are keys of rows: column to value."""

    dataset: str = ""
    pipeline: str = ""
    task: str = ""
    file: str = ""
    column: str = ""
    rows: tuple[dict[str, JsonValue], ...] = ()


class Witness(_Frozen):
    """The one example that shows a finding to be true.

    `proved` says that it was run, and `how` by what and with which answer; else it follows from what is declared.
    """

    kind: Literal["record", "row", "value", "query"]
    content: JsonValue
    proved: bool
    how: str


class Finding(_Frozen):
    """One thing a check has to say. `rule` is its stable name; `unsure` means that it was not shown to be harmless."""

    rule: str
    severity: Severity
    what: str
    where: Where
    remedy: str
    witness: Witness | None = None
    unsure: bool = False

    @property
    def order(self) -> tuple[int, str]:
        """Worst first, then by place and rule."""
        place = self.where
        return (
            [*Severity].index(self.severity),
            json.dumps([place.dataset, place.file, place.column, self.rule, self.model_dump(mode="json")]),
        )


class Measured(_Frozen):
    """What a check took. The one part of a verdict that differs from run to run; the runner fills it in."""

    seconds: float
    cpu_seconds: float
    dollars: float = 0.0


class Verdict(_Frozen):
    """What a check says of a release: `ran` lists what was compared or executed, `emulated` what stood in for what."""

    check: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    ran: tuple[str, ...] = ()
    emulated: tuple[str, ...] = ()
    why: str = ""
    measured: Measured | None = None

    @classmethod
    def of(cls, check: str, findings: Iterable[Finding], ran: Iterable[str], emulated: Iterable[str] = ()) -> Self:
        """Failed if a finding is breaking; not applicable if nothing ran; else passed."""
        kept = sorted({finding.order: finding for finding in findings}.items())
        ordered = tuple(finding for _, finding in kept)
        compared = tuple(sorted(set(ran)))
        if any(finding.severity is Severity.BREAKING for finding in ordered):
            outcome = Outcome.FAILED
        else:
            outcome = Outcome.PASSED if compared else Outcome.NOT_APPLICABLE
        why = "" if compared or ordered else "the release has nothing that this check looks at"
        return cls(
            check=check, outcome=outcome, findings=ordered, ran=compared, emulated=tuple(sorted(set(emulated))), why=why
        )

    @classmethod
    def error(cls, check: str, why: str) -> Self:
        """The check could not look. That is no pass."""
        return cls(check=check, outcome=Outcome.ERROR, why=why)

    def data(self) -> bytes:
        """The verdict as JSON without what was measured: the same bytes for the same release."""
        content = self.model_dump(mode="json", exclude={"measured"})
        return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


class Check(Protocol):
    """One question to a release.

    `check` reads the release and changes nothing in it. It raises errors of `testenv.core.errors` where it cannot look;
    `judge` makes a verdict of them.
    """

    name: str

    def check(self, release: Release) -> Verdict: ...


Clock = Callable[[], float]


def judge(check: Check, release: Release, clock: Clock, cpu_clock: Clock) -> Verdict:
    """The check's verdict with what it took. Whatever goes wrong in it is its verdict, so that the others still run."""
    began, cpu = clock(), cpu_clock()
    try:
        verdict = check.check(release)
    except Exception as error:  # noqa: BLE001 - a check runs over files and tools of the repository under test
        verdict = Verdict.error(check.name, f"{type(error).__name__}: {error}")
    measured = Measured(seconds=clock() - began, cpu_seconds=cpu_clock() - cpu)
    return verdict.model_copy(update={"measured": measured})
