"""The three things that whoever opens a report should look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from testenv.checks.protocol import Finding, Outcome, Severity, Verdict
from testenv.checks.report.model import NO_TRIAL, Answer, Report
from testenv.page import THINGS, Thing

LENGTH = 400
"""Characters of a thing's text: the rest stands below."""


def things(report: Report) -> list[Thing]:
    """Always three: what is wrong, a finding of each check before a second of any; then warnings; then what it took."""
    wrong = [*_breaking(report), *_errors(report)]
    if len(wrong) > THINGS:
        more = len(wrong) - THINGS + 1
        wrong = [*wrong[: THINGS - 1], Thing("bad", f"{more} more reasons", "All of them stand below.")]
    return [*wrong, *_warnings(report), *_calm(report)][:THINGS]


def sentences(report: Report) -> list[str]:
    """The same for a terminal or a note: one line each."""
    return [f"{thing.title}: {thing.text}" for thing in things(report)]


def headline(report: Report) -> str:
    """The verdict in a sentence."""
    match report.answer:
        case Answer.YES:
            return "This change may be released"
        case Answer.NO:
            return "This change must not be released"
        case Answer.ERROR:
            return "This change could not be judged"


def _breaking(report: Report) -> Iterator[Thing]:
    """First of every check its worst, then their second, and so on."""
    lists = [
        (verdict, [each for each in verdict.findings if each.severity is Severity.BREAKING])
        for verdict in report.verdicts
    ]
    for place in range(max((len(found) for _, found in lists), default=0)):
        for verdict, found in lists:
            if place < len(found):
                yield Thing("bad", _title(verdict, found[place]), _text(found[place]))


def _errors(report: Report) -> Iterator[Thing]:
    told = {NO_TRIAL} if report.reason else set()
    if report.reason:
        yield Thing("bad", "Not judged", _cut(report.reason))
    for verdict in report.verdicts:
        repeats = verdict.why in told or (report.reason and verdict.why in report.reason)
        if verdict.outcome is Outcome.ERROR and not repeats:
            told.add(verdict.why)
            yield Thing("bad", f"{verdict.check}: could not look", _cut(verdict.why))


def _warnings(report: Report) -> Iterator[Thing]:
    for verdict in report.verdicts:
        for finding in verdict.findings:
            if finding.severity is Severity.WARNING:
                yield Thing("warn", _title(verdict, finding), _text(finding))


def _calm(report: Report) -> Iterator[Thing]:
    """What there is to know where little or nothing is wrong."""
    choice = report.choice
    every = len(choice.selected) + len(choice.excluded)
    if choice.selected:
        names = ", ".join(choice.names[:5]) + (" and others" if len(choice.selected) > 5 else "")
        yield Thing("good", f"{len(choice.selected)} of {every} pipelines affected", _cut(names))
    else:
        number = len(choice.changes)
        differ = "1 file that differs" if number == 1 else f"{number} files that differ"
        files = f"None of {every} pipelines depends on the {differ}."
        yield Thing("good", "No pipeline affected", files if choice.changes else "No file differs.")
    counted = Counter(verdict.outcome for verdict in report.verdicts)
    yield Thing("good", "Checks", ", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items())))
    stands = "What was emulated is listed below." if report.emulated else ""
    yield Thing("good", "What it took", f"{took(report)}. {stands}".strip())


def took(report: Report) -> str:
    """Time and money of all stages."""
    return f"{report.seconds:.0f} s, {report.cpu_seconds:.0f} CPU seconds, ${report.dollars:.3f}"


def _title(verdict: Verdict, finding: Finding) -> str:
    place = finding.where
    where = next((each for each in (place.dataset, place.pipeline, place.file) if each), "")
    column = f".{place.column}" if where and place.column else ""
    return f"{verdict.check}: {where}{column}" if where else f"{verdict.check}: {finding.rule}"


def _text(finding: Finding) -> str:
    return _cut(f"{finding.what.rstrip('.')}. {finding.remedy}")


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"
